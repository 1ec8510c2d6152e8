// Secrets in one worker: TLS contexts hold slots; a rotation changes what is in them, and nothing
// else. Connections that are there keep what they began with. Made by server/.
import type {
  DynamicSecret,
  SecretSource,
  TlsCertificateConfig,
  TlsSecret,
  TlsValidationConfig,
} from "../config/tls-config.ts";
import { certificateOf, ticketKeysOf, validationOf } from "../config/tls-secret.ts";

/**
 * Where a context finds a secret. A context remembers the revision that it was made with, and is
 * made anew when another one is there.
 */
export interface SecretSlot<T> {
  /** 0 = there was never one. */
  readonly revision: number;
  /** Null = not there yet: connections cannot be made. */
  readonly value: T | null;
}

/** What stands in the configuration. */
class FixedSlot<T> implements SecretSlot<T> {
  readonly revision: number = 1;
  readonly value: T;

  constructor(value: T) {
    this.value = value;
  }
}

/** Filled by commit. */
class DynamicSlot {
  readonly key: string;
  revision: number = 0;
  secret: TlsSecret | null = null;

  constructor(key: string) {
    this.key = key;
  }
}

/** A secret of the kind that its user expects: another one is none. */
class PickedSlot<T> implements SecretSlot<T> {
  readonly #slot: DynamicSlot;
  readonly #pick: (secret: TlsSecret) => T | null;

  constructor(slot: DynamicSlot, pick: (secret: TlsSecret) => T | null) {
    this.#slot = slot;
    this.#pick = pick;
  }

  get revision(): number {
    return this.#slot.revision;
  }

  get value(): T | null {
    const { secret } = this.#slot;
    return secret === null ? null : this.#pick(secret);
  }
}

/** The slots of one version of the configuration; the next version takes over those it needs. */
export class SecretSlots {
  readonly #slots: Map<string, DynamicSlot>;
  readonly #changes: DynamicSecret[];

  /** Nothing changes before commit. */
  constructor(secrets: readonly DynamicSecret[], previous: SecretSlots | null) {
    this.#slots = new Map();
    this.#changes = [];
    for (const secret of secrets) {
      const slot = previous?.find(secret.key) ?? new DynamicSlot(secret.key);
      this.#slots.set(secret.key, slot);
      if (slot.revision !== secret.revision) this.#changes.push(secret);
    }
  }

  certificate(source: SecretSource<TlsCertificateConfig>): SecretSlot<TlsCertificateConfig> {
    if (source.kind === "inline") return new FixedSlot(source.value);
    return new PickedSlot(this.#slot(source.key), certificateOf);
  }

  validation(source: SecretSource<TlsValidationConfig>): SecretSlot<TlsValidationConfig> {
    if (source.kind === "inline") return new FixedSlot(source.value);
    return new PickedSlot(this.#slot(source.key), validationOf);
  }

  ticketKeys(source: SecretSource<readonly Uint8Array[]>): SecretSlot<readonly Uint8Array[]> {
    if (source.kind === "inline") return new FixedSlot(source.value);
    return new PickedSlot(this.#slot(source.key), ticketKeysOf);
  }

  /** For the next version. */
  find(key: string): DynamicSlot | undefined {
    return this.#slots.get(key);
  }

  commit(): void {
    for (const { key, revision, value } of this.#changes.splice(0)) {
      const slot = this.#slot(key);
      slot.revision = revision;
      slot.secret = value;
    }
  }

  /** A key that nobody gave stays empty: who needs it cannot make connections. */
  #slot(key: string): DynamicSlot {
    const known = this.#slots.get(key);
    if (known !== undefined) return known;
    const slot = new DynamicSlot(key);
    this.#slots.set(key, slot);
    return slot;
  }
}

// Secrets that come by SDS, or from files of the configuration that are watched, in the main
// thread: one subscription for each source, name and kind, shared by the contexts that name it.
// Used by version-applier.ts.
import { ConfigErrors } from "../config/config-error.ts";
import type { LoadedDiscovery } from "../config/discovery-loader.ts";
import type { DynamicSecret, TlsSecret } from "../config/snapshot.ts";
import { rereadSecret, translateSecrets } from "../config/translate/translate-resources.ts";
import type { SecretNeed, SecretRead } from "../config/translate/secret-need.ts";
import { LogLevel } from "../core/logger.ts";
import type { StatsAggregate } from "../stats/aggregate.ts";
import type { Counter } from "../stats/store.ts";
import { FileSubscription, logWarnings } from "../xds/file-subscription.ts";
import type { SubscriptionContext } from "../xds/file-subscription.ts";
import { SubscriptionStats } from "../xds/subscription-stats.ts";
import { unexpectedResource } from "./discovered.ts";
import type { InForce } from "./discovered.ts";
import { FileWatches } from "./file-watches.ts";
import { plainText } from "./fingerprint.ts";

const SECRET = "envoy.extensions.transport_sockets.tls.v3.Secret";

/** Whoever has listeners and clusters with needs. */
export interface SecretUser {
  readonly secrets: readonly SecretNeed[];
}

export interface TlsSecretsOptions {
  readonly context: SubscriptionContext;
  readonly stats: StatsAggregate;
  readonly ignoreUnsupported: boolean;
  /** Puts changed secrets in force. Answers with what is wrong. */
  readonly applySecrets: (secrets: readonly DynamicSecret[]) => Promise<readonly string[]>;
}

/** A SDS resource that was asked for, for /config_dump. */
export interface SdsState {
  readonly name: string;
  /** Null = it has not come. */
  readonly inForce: InForce | null;
}

interface Entry {
  /** Of SDS; "" for files of the configuration. */
  readonly name: string;
  /** Null = files of the configuration. */
  readonly subscription: FileSubscription | null;
  /** Files that changed and made no secret; Envoy counts them for SDS. */
  readonly rotationFailed: Counter | null;
  readonly watches: FileWatches;
  /** By SecretNeed.key: a secret may be laid over another default for each. */
  readonly users: Map<string, SecretNeed>;
  secrets: ReadonlyMap<string, DynamicSecret>;
  /** The last response in force; null = none yet. */
  discovery: LoadedDiscovery | null;
  lastUpdated: string;
  /** Workers know it. */
  isInForce: boolean;
  /** A change of its files waits for its turn. */
  isWaiting: boolean;
}

export class TlsSecrets {
  readonly #options: TlsSecretsOptions;
  readonly #entries: Map<string, Entry>;
  #revision: number = 0;

  constructor(options: TlsSecretsOptions) {
    this.#options = options;
    this.#entries = new Map();
  }

  /**
   * Asks for what is new, and returns when it has been read. Nothing that is in force changes;
   * retain must follow. Throws ConfigErrors when a need cannot have what others have.
   */
  async ensure(users: readonly SecretUser[]): Promise<void> {
    for (const need of needsOf(users)) {
      const key = entryKey(need);
      const known = this.#entries.get(key);
      const entry = known ?? this.#create(key, need);
      const isNewUser = !entry.users.has(need.key);
      entry.users.set(need.key, need);
      if (known === undefined) await this.#readFirst(entry);
      else if (isNewUser && entry.discovery !== null) {
        const read = this.#translate(entry.discovery, [need]).get(need.key);
        if (read !== undefined) this.#keep(entry, [this.#revise(need.key, read.secret)]);
      }
    }
  }

  /** These are in force now, and no others. */
  retain(users: readonly SecretUser[]): void {
    const keys = new Set(needsOf(users).map((need) => need.key));
    for (const [key, entry] of this.#entries) {
      for (const user of entry.users.keys()) if (!keys.has(user)) entry.users.delete(user);
      entry.secrets = new Map([...entry.secrets].filter(([user]) => keys.has(user)));
      entry.isInForce = true;
      if (entry.users.size > 0) continue;
      this.#close(entry);
      this.#entries.delete(key);
    }
  }

  /** The secrets as they are, those that have not come included. */
  secrets(users: readonly SecretUser[]): DynamicSecret[] {
    const secrets = new Map<string, DynamicSecret>();
    for (const need of needsOf(users)) {
      const known = this.#entries.get(entryKey(need))?.secrets.get(need.key);
      secrets.set(need.key, known ?? { key: need.key, revision: 0, value: null });
    }
    return [...secrets.values()];
  }

  /** For /config_dump: what SDS was asked for. */
  sdsStates(): SdsState[] {
    const entries = [...this.#entries.values()].filter((entry) => entry.subscription !== null);
    return entries.map(({ name, discovery, lastUpdated }) => ({
      name,
      inForce: discovery === null ? null : { discovery, lastUpdated },
    }));
  }

  close(): void {
    for (const entry of this.#entries.values()) this.#close(entry);
    this.#entries.clear();
  }

  #close(entry: Entry): void {
    entry.subscription?.close();
    entry.watches.close();
  }

  #create(key: string, need: SecretNeed): Entry {
    const { origin } = need;
    const name = origin.kind === "sds" ? origin.name : "";
    const entry: Entry = {
      name,
      subscription: origin.kind === "sds" ? this.#subscribe(origin, () => entry) : null,
      rotationFailed: name === "" ? null : this.#counter(`sds.${name}.key_rotation_failed`),
      watches: new FileWatches(() => this.#onFilesChanged(entry)),
      users: new Map(),
      secrets: new Map(),
      discovery: null,
      lastUpdated: "",
      isInForce: false,
      isWaiting: false,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  #counter(name: string): Counter {
    return this.#options.stats.store.counter(name);
  }

  #subscribe(
    { name, source }: Extract<SecretNeed["origin"], { kind: "sds" }>,
    entryOf: () => Entry,
  ): FileSubscription {
    const { context, stats } = this.#options;
    return new FileSubscription(context, {
      kind: "SDS",
      source,
      typeName: SECRET,
      stats: new SubscriptionStats(stats, {
        scope: `sds.${name.replaceAll(":", "_")}.`,
        hasEmpty: false,
        hasReload: false,
      }),
      apply: async (discovery) => await this.#apply(entryOf(), discovery, source.path),
    });
  }

  async #readFirst(entry: Entry): Promise<void> {
    if (entry.subscription !== null) return await entry.subscription.poll();
    const reads = this.#readFiles(entry);
    this.#keep(
      entry,
      [...reads].map(([key, { secret }]) => this.#revise(key, secret)),
    );
    this.#follow(entry, reads);
  }

  async #apply(entry: Entry, discovery: LoadedDiscovery, path: string): Promise<readonly string[]> {
    if (discovery.errors !== null) throw discovery.errors;
    const { name } = entry;
    // The words are Envoy's.
    if (discovery.resources.length === 0) return [`${path}: Missing SDS resources for ${name}`];
    const problem = unexpectedResource(discovery, {
      kind: "SDS",
      noun: "secret",
      field: "name",
      name,
    });
    if (problem !== null) return [problem];
    const problems = await this.#renew(
      entry,
      this.#translate(discovery, [...entry.users.values()]),
    );
    if (problems.length > 0) return problems;
    entry.discovery = discovery;
    entry.lastUpdated = new Date().toISOString();
    return [];
  }

  #onFilesChanged(entry: Entry): void {
    // One that waits for its turn will read what is there then.
    if (entry.isWaiting) return;
    entry.isWaiting = true;
    this.#options.context.enqueue(() => this.#rotate(entry));
  }

  /** Its files have changed: the secret that they make now, or the one that is there. */
  async #rotate(entry: Entry): Promise<void> {
    entry.isWaiting = false;
    if (![...this.#entries.values()].includes(entry)) return;
    const problems = await this.#tryRotate(entry);
    if (problems.length === 0) return;
    entry.rotationFailed?.inc();
    const what = entry.name === "" ? "a TLS secret" : `the TLS secret ${entry.name}`;
    const text = `the files of ${what} are refused, nothing changed: ${problems.join("\n")}`;
    this.#options.context.logger.log(LogLevel.Warning, text);
  }

  async #tryRotate(entry: Entry): Promise<readonly string[]> {
    try {
      const { discovery } = entry;
      if (entry.subscription === null) return await this.#renew(entry, this.#readFiles(entry));
      if (discovery === null) return [];
      return await this.#renew(entry, this.#translate(discovery, [...entry.users.values()]));
    } catch (error) {
      if (!(error instanceof ConfigErrors)) throw error;
      return [error.message];
    }
  }

  /** Puts what has changed in force. */
  async #renew(entry: Entry, reads: ReadonlyMap<string, SecretRead>): Promise<readonly string[]> {
    const changed = [...reads].filter(([key, { secret }]) => {
      const known = entry.secrets.get(key)?.value ?? null;
      return known === null || plainText(known) !== plainText(secret);
    });
    const secrets = changed.map(([key, { secret }]) => this.#revise(key, secret));
    const isUsed = entry.isInForce && secrets.length > 0;
    const problems = isUsed ? await this.#options.applySecrets(secrets) : [];
    if (problems.length > 0) return problems;
    this.#keep(entry, secrets);
    this.#follow(entry, reads);
    return [];
  }

  #keep(entry: Entry, secrets: readonly DynamicSecret[]): void {
    entry.secrets = new Map([
      ...entry.secrets,
      ...secrets.map((secret): [string, DynamicSecret] => [secret.key, secret]),
    ]);
  }

  /** What changed between the reading and the watching is read once more. */
  #follow(entry: Entry, reads: ReadonlyMap<string, SecretRead>): void {
    const files = [...reads.values()].flatMap(({ watched }) => watched);
    if (entry.watches.follow(files)) this.#onFilesChanged(entry);
  }

  #readFiles(entry: Entry): ReadonlyMap<string, SecretRead> {
    const { context, ignoreUnsupported } = this.#options;
    const reads = new Map<string, SecretRead>();
    for (const need of entry.users.values()) {
      const { value, warnings } = rereadSecret(need, { ignoreUnsupported });
      logWarnings(context.logger, warnings);
      if (value !== null) reads.set(need.key, value);
    }
    return reads;
  }

  #translate(
    discovery: LoadedDiscovery,
    needs: readonly SecretNeed[],
  ): ReadonlyMap<string, SecretRead> {
    const { context, ignoreUnsupported } = this.#options;
    const { value, warnings } = translateSecrets(discovery, { ignoreUnsupported }, needs);
    logWarnings(context.logger, warnings);
    return value;
  }

  #revise(key: string, value: TlsSecret): DynamicSecret {
    this.#revision += 1;
    return { key, revision: this.#revision, value };
  }
}

function needsOf(users: readonly SecretUser[]): SecretNeed[] {
  return users.flatMap((user) => user.secrets);
}

function entryKey({ key, kind, origin }: SecretNeed): string {
  return origin.kind === "files" ? key : JSON.stringify([kind, origin.source, origin.name]);
}

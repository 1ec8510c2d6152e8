// The process's own keys of session tickets, in the main thread: new ones from time to time, so
// that who learns them one day cannot read what was recorded long before. The workers get them at
// once; tickets of the key before are read until the next change. Made by server.ts.
import { randomBytes } from "node:crypto";
import { TICKET_KEY_BYTES } from "../tls/ticket-keys.ts";
import type { ToWorker } from "./protocol.ts";

/** As BoringSSL's. */
const ROTATION_MS = 172_800_000;

export class TicketKeyRotation {
  readonly #broadcast: (message: ToWorker) => void;
  #keys: readonly Uint8Array[];
  #timer: NodeJS.Timeout | null = null;

  constructor(broadcast: (message: ToWorker) => void) {
    this.#broadcast = broadcast;
    this.#keys = [newKey()];
  }

  /** What workers must know; the first makes tickets. */
  get message(): ToWorker & { readonly type: "ticket_keys" } {
    return { type: "ticket_keys", keys: this.#keys };
  }

  start(): void {
    this.#timer ??= setInterval(() => this.rotate(), ROTATION_MS).unref();
  }

  rotate(): void {
    this.#keys = [newKey(), ...this.#keys.slice(0, 1)];
    this.#broadcast(this.message);
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }
}

function newKey(): Uint8Array {
  return new Uint8Array(randomBytes(TICKET_KEY_BYTES));
}

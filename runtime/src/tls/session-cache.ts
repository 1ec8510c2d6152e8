// Sessions of TLS 1.2 that are resumed by their id, for clients without tickets; one worker's, and
// so found only by who meets the same worker again. Used by tls-server-context.ts.
import type { TlsSessionStore } from "../engine/tls.ts";

/** As many as BoringSSL keeps (SSL_SESSION_CACHE_MAX_SIZE_DEFAULT) would be 20 MB and more. */
const SESSIONS_MAX = 2048;

interface Entry {
  readonly session: Buffer;
  readonly expiresMs: number;
}

export class SessionCache implements TlsSessionStore {
  readonly #timeoutMs: number;
  readonly #nowMs: () => number;
  /** Oldest first. */
  readonly #entries: Map<string, Entry>;
  readonly #max: number;

  constructor(timeoutMs: number, nowMs: () => number, max: number = SESSIONS_MAX) {
    this.#timeoutMs = timeoutMs;
    this.#nowMs = nowMs;
    this.#entries = new Map();
    this.#max = max;
  }

  get size(): number {
    return this.#entries.size;
  }

  put(id: Buffer, session: Buffer): void {
    const expiresMs = this.#nowMs() + this.#timeoutMs;
    this.#entries.set(id.toString("latin1"), { session, expiresMs });
    if (this.#entries.size <= this.#max) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  get(id: Buffer): Buffer | null {
    const entry = this.#entries.get(id.toString("latin1"));
    return entry !== undefined && entry.expiresMs > this.#nowMs() ? entry.session : null;
  }
}

// The contract of a network (L4) filter with the connection it sits on.
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { IoHandle } from "../engine/network-engine.ts";

/**
 * The terminal filter of a filter chain (the connection manager, a TCP proxy): receives what the
 * connection reads. Events as IoEvents; the connection is closed through the callbacks.
 */
export interface NetworkFilter {
  /** Bytes are lent and writable: `buffer[0..length)`. */
  onData(buffer: Buffer, length: number): void;
  /** The peer sent FIN. */
  onEnd(): void;
  onWritable(): void;
  /** The connection is gone, by the peer (`remote`) or by us. Last call; nothing may be written. */
  onClose(remote: boolean): void;
  /** The delay of closeAfterFlush or closeAfterFin ran out; onClose follows. */
  onDelayedCloseTimeout(): void;
  /** The overload manager has made timeouts shorter, or longer again. */
  onTimeoutsChanged(): void;
  /** The listener goes away: finish what is under way, then close; no new work is taken on. */
  onShutdown(): void;
}

/** What a network filter may do with its connection: served by network/Connection. */
export interface NetworkFilterCallbacks {
  readonly info: ConnectionInfo;
  readonly io: IoHandle;
  /**
   * A closed connection whose peer takes nothing of what is queued for so long is reset. Default 0:
   * it waits for ever.
   */
  setFlushTimeout(timeoutMs: number): void;
  /**
   * Writes what is queued, then waits up to `delayMs` for the peer to close first (so that it can
   * read the answer although it still sends), then closes. 0 closes as soon as all is written.
   */
  closeAfterFlush(delayMs: number): void;
  /**
   * Writes what is queued and a FIN, then drops what comes until the peer closes, too, or `delayMs`
   * are over. A request that crosses the FIN meets a clean end, not a reset that could take an
   * answer with it. 0 closes as soon as all is written.
   */
  closeAfterFin(delayMs: number): void;
  /** Closes at once; what is queued is dropped. */
  closeNow(): void;
}

export interface NetworkFilterFactory {
  createFilter(callbacks: NetworkFilterCallbacks): NetworkFilter;
}

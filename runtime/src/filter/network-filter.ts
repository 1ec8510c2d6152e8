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
  /** The connection is gone, by the peer (`remote`) or by us. Last call. */
  onClose(remote: boolean): void;
  /** The listener drains: finish and close soon. */
  onDrain(): void;
}

/** What a network filter may do with its connection: served by network/Connection. */
export interface NetworkFilterCallbacks {
  readonly info: ConnectionInfo;
  readonly io: IoHandle;
  /** Writes what is queued, then closes; at the latest after `delayMs` (Envoy's delayed close). */
  closeAfterFlush(delayMs: number): void;
  /** Closes at once; what is queued is dropped. */
  closeNow(): void;
}

export interface NetworkFilterFactory {
  createFilter(callbacks: NetworkFilterCallbacks): NetworkFilter;
}

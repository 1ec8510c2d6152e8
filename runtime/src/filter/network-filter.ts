// The contracts of network (L4) filters with the connection they sit on: the terminal filter that
// ends a chain, and the filters in front of it.
import type { BufferQueue } from "../core/buffer-queue.ts";
import type { BytesMeter } from "../core/bytes-meter.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { IoHandle } from "../engine/network-engine.ts";

/**
 * The terminal filter of a filter chain (the connection manager, a TCP proxy): receives what the
 * connection reads. Events as IoEvents; the connection is closed through the callbacks.
 */
export interface NetworkFilter {
  /** Once, before all other events: the filters in front let the connection pass. */
  onNewConnection(): void;
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

/** What of an io handle is a filter's to use; the rest is its connection's. */
export type NetworkIo = Pick<
  IoHandle,
  | "writeQueueBytes"
  | "write"
  | "writeText"
  | "writeLent"
  | "writeFramed"
  | "readDisable"
  | "shutdownWrite"
  | "unread"
>;

/** What a network filter may do with its connection: served by network/Connection. */
export interface NetworkFilterCallbacks {
  readonly info: ConnectionInfo;
  readonly io: NetworkIo;
  /** What came and left, where filters in front may change it; null = what this filter sees. */
  readonly wire: BytesMeter | null;
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

// ---- Filters in front of the terminal one. network/network-filter-manager.ts runs them.

export const NetworkFilterStatus = {
  /** On to the next filter; what is left in the buffer goes with it. */
  Continue: 0,
  /**
   * What is left in the buffer stays. The filters are asked again, from the first one on, when more
   * comes; continueReading and continueWriting go on behind the filter without that.
   */
  StopIteration: 1,
} as const;
export type NetworkFilterStatus = (typeof NetworkFilterStatus)[keyof typeof NetworkFilterStatus];

/**
 * Sees the bytes of both directions before they reach the terminal filter, or leave for the peer,
 * with Envoy's meanings: the buffer holds all that came and was not taken, and may be changed in
 * place. Bytes of the downstream pass filters in their order, bytes to it the other way round.
 */
export interface PassingNetworkFilter {
  /**
   * Before the first bytes, when all filters in front let the connection pass. A stop holds up the
   * terminal filter until continueReading, or until bytes come and onData lets them pass.
   */
  onNewConnection(): NetworkFilterStatus;
  /** Bytes from the downstream; `end` = its FIN has come. */
  onData(data: BufferQueue, end: boolean): NetworkFilterStatus;
  /** Bytes to the downstream; `end` = nothing follows. */
  onWrite(data: BufferQueue, end: boolean): NetworkFilterStatus;
  /** The connection is gone, by the peer (`remote`) or by us. Last call. */
  onClose(remote: boolean): void;
}

/** What such a filter may ask of its chain; after closing no event but onClose follows. */
export interface PassingFilterCallbacks {
  readonly info: ConnectionInfo;
  /** What came from the downstream and nobody has taken. */
  readonly readBuffer: BufferQueue;
  /** What is to go to the downstream and was stopped. */
  readonly writeBuffer: BufferQueue;
  /** Goes on behind this filter with what there is. */
  continueReading(): void;
  continueWriting(): void;
  /** As NetworkFilterCallbacks. */
  closeAfterFlush(delayMs: number): void;
  closeNow(): void;
}

/** Makes one filter for each connection of a chain. */
export interface PassingFilterFactory {
  createFilter(callbacks: PassingFilterCallbacks): PassingNetworkFilter;
}

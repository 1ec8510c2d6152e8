// What one filter of a stream has cost so far: written by wasm/, read by %HEADGATE_WASM_COST()% of
// formatter/.

export interface GuestCost {
  readonly pluginName: string;
  /** The short name of its module; "" = it was given none. */
  readonly pluginVersion: string;
  readonly fuel: number;
  /** Nanoseconds in callbacks; -1 = this stream is not one of those that are timed. */
  readonly timeNs: number;
  readonly hostcalls: number;
  /** Copied between host and guest, both ways. */
  readonly bytesCopied: number;
  readonly callouts: number;
  /** Of the next filter of the stream; null = that was all. */
  nextCost: GuestCost | null;
}

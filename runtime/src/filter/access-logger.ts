// The contract of an access logger: file logs (access-log/) and wasm loggers serve it.
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";

export interface AccessLogger {
  /** One finished stream. Maps are null when they never came. Must not keep its arguments. */
  log(
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    responseHeaders: HeaderMap | null,
    responseTrailers: HeaderMap | null,
  ): void;
}

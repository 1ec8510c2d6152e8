// The callbacks of a filter in a chain that does nothing: what is measured is the filter.
import { HeaderMap } from "../../runtime/src/core/header-map.ts";
import { StreamInfo } from "../../runtime/src/core/stream-info.ts";
import type { HttpFilterCallbacks } from "../../runtime/src/filter/http-filter.ts";

export function chainOfNothing(
  requestHeaders: HeaderMap,
  responseHeaders: HeaderMap,
): { readonly callbacks: HttpFilterCallbacks } {
  const info = new StreamInfo();
  const callbacks: HttpFilterCallbacks = {
    streamInfo: info,
    bufferBytesMax: 0,
    continueDecoding: () => {},
    continueEncoding: () => {},
    isDecodingStopped: () => false,
    isEncodingStopped: () => false,
    isDecodingHeldData: () => false,
    isEncodingHeldData: () => false,
    sendLocalReply: () => {},
    resetStream: () => {},
    clearRouteCache: () => {},
    decodingBuffer: () => null,
    encodingBuffer: () => null,
    addDecodedData: () => {},
    addEncodedData: () => {},
    addDecodedTrailers: () => new HeaderMap(),
    addEncodedTrailers: () => new HeaderMap(),
    requestHeaders: () => requestHeaders,
    requestTrailers: () => null,
    responseHeaders: () => responseHeaders,
    responseTrailers: () => null,
  };
  return { callbacks };
}

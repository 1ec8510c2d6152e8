// The two messages of an HTTP stream. The host keeps them; these objects only name its maps.
import { Body } from "./body";
import { HeaderMap, RequestHeaders, ResponseHeaders } from "./headers";
import { BufferType, MapType } from "./abi";

// Lazy: a filter carries only the parts that it reaches.
// @ts-ignore: decorator
@lazy export const requestHeaders: RequestHeaders = new RequestHeaders();
// @ts-ignore: decorator
@lazy export const requestBody: Body = new Body(BufferType.HttpRequestBody);
// @ts-ignore: decorator
@lazy export const requestTrailers: HeaderMap = new HeaderMap(MapType.HttpRequestTrailers);
// @ts-ignore: decorator
@lazy export const responseHeaders: ResponseHeaders = new ResponseHeaders();
// @ts-ignore: decorator
@lazy export const responseBody: Body = new Body(BufferType.HttpResponseBody);
// @ts-ignore: decorator
@lazy export const responseTrailers: HeaderMap = new HeaderMap(MapType.HttpResponseTrailers);

/**
 * What a filter can reach of the request. Which part is readable, and which may be changed, depends
 * on the hook that runs: reading something absent gives null, changing it false.
 */
export class HttpRequest {
  /** Those that the hook for them was given; out of reach when they have gone on. */
  get headers(): RequestHeaders {
    return requestHeaders;
  }

  /** What of the body is held now, in `onRequestBody` and what waits there. */
  get body(): Body {
    return requestBody;
  }

  /** Readable in `onRequestTrailers` only, and empty when there are none. */
  get trailers(): HeaderMap {
    return requestTrailers;
  }
}

/** What a filter can reach of the response; as with HttpRequest. */
export class HttpResponse {
  /** Those that the hook for them was given; out of reach when they have gone on. */
  get headers(): ResponseHeaders {
    return responseHeaders;
  }

  /** What of the body is held now, in `onResponseBody` and what waits there. */
  get body(): Body {
    return responseBody;
  }

  /** Readable in `onResponseTrailers` only, and empty when there are none. */
  get trailers(): HeaderMap {
    return responseTrailers;
  }
}

/** Of the stream whose callback runs. */
// @ts-ignore: decorator
@lazy export const request: HttpRequest = new HttpRequest();
/** Of the stream whose callback runs. */
// @ts-ignore: decorator
@lazy export const response: HttpResponse = new HttpResponse();

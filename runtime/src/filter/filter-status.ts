// What an HTTP filter may answer, with Envoy's meanings (envoy/http/filter.h).

export const FilterHeadersStatus = {
  /** Go on with the next filter. */
  Continue: 0,
  /** Hold the headers here; body and trailers still come to this filter. */
  StopIteration: 1,
  /** Go on and end the stream with the headers; body and trailers that come are dropped. */
  ContinueAndEndStream: 2,
  /** Hold the headers here, collect the body (413 or 500 above the limit); nothing more comes. */
  StopAllIterationAndBuffer: 3,
  /** Hold the headers here; above the limit the source is stopped; nothing more comes. */
  StopAllIterationAndWatermark: 4,
  /** Go on, but do not end the stream even when the headers were its end: a body will follow. */
  ContinueAndDontEndStream: 5,
} as const;
export type FilterHeadersStatus = (typeof FilterHeadersStatus)[keyof typeof FilterHeadersStatus];

export const FilterDataStatus = {
  /** Pass on what came and everything that was collected (headers first when they are held). */
  Continue: 0,
  /**
   * Collect; the next call sees only new bytes, the rest is in the manager's buffer. 413/500 above.
   */
  StopIterationAndBuffer: 1,
  /** Collect; above the limit the source is stopped. */
  StopIterationAndWatermark: 2,
  /** Drop what came unless the filter kept it. */
  StopIterationNoBuffer: 3,
} as const;
export type FilterDataStatus = (typeof FilterDataStatus)[keyof typeof FilterDataStatus];

export const FilterTrailersStatus = {
  Continue: 0,
  /** Hold the trailers until the filter continues. */
  StopIteration: 1,
} as const;
export type FilterTrailersStatus = (typeof FilterTrailersStatus)[keyof typeof FilterTrailersStatus];

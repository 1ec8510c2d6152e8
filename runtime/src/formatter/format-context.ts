// What a substitution format may look at: filled in by its user before each line, emptied
// afterwards.
import type { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { StreamInfo } from "../core/stream-info.ts";

/** One per user (logger, header list, reply); its fields change from use to use. */
export class FormatContext {
  readonly clock: Clock;
  info: StreamInfo | null = null;
  requestHeaders: HeaderMap | null = null;
  responseHeaders: HeaderMap | null = null;
  responseTrailers: HeaderMap | null = null;
  localReplyBody: string = "";

  constructor(clock: Clock) {
    this.clock = clock;
  }

  set(
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    responseHeaders: HeaderMap | null,
    responseTrailers: HeaderMap | null,
  ): void {
    this.info = info;
    this.requestHeaders = requestHeaders;
    this.responseHeaders = responseHeaders;
    this.responseTrailers = responseTrailers;
    this.localReplyBody = info.localReplyBody;
  }

  /** Lets go of the stream. */
  clear(): void {
    this.info = null;
    this.requestHeaders = null;
    this.responseHeaders = null;
    this.responseTrailers = null;
    this.localReplyBody = "";
  }
}

/** A value that is JSON, as latin1 text: part of the tree in JSON formats, text elsewhere. */
export class JsonText {
  readonly json: string;
  readonly #text: string;

  constructor(json: string, text: string = json) {
    this.json = json;
    this.#text = text;
  }

  /** As Envoy cuts: as text, but not as part of a tree. */
  cut(lengthMax: number): JsonText {
    return new JsonText(this.json, this.#text.slice(0, lengthMax));
  }

  toString(): string {
    return this.#text;
  }
}

/** A value keeps its type in JSON formats; null = there is none ("-" in text). */
export type FormatValue = string | number | boolean | JsonText | null;

/** One compiled %COMMAND%. */
export type FormatOperator = (context: FormatContext) => FormatValue;

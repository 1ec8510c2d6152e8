// One request with its response, as a test sees it and moves it on.
import type { HttpFilter } from "../src/filter/http-filter.ts";
import type { Context } from "../src/wasm/context.ts";
import type {
  FilterExchange,
  FilterRequest,
  UpstreamRequest,
  UpstreamResponse,
} from "../test/filter-exchange.ts";
import type { LogLine } from "../test/harness.ts";
import type { BodyInput, HeaderInput } from "../test/message.ts";
import type { CalloutRequest } from "./callouts.ts";
import { misuse } from "./errors.ts";
import type { CallbackRecord } from "./watch.ts";

/** What the downstream sends. */
export interface StreamRequest extends Omit<FilterRequest, "upstream"> {
  /** A body in pieces that come one after another; the same as an array for `body`. */
  readonly chunks?: readonly (string | Uint8Array)[];
}

/** What the upstream answers; a number is a status alone. */
export type StreamResponse = UpstreamResponse & {
  readonly chunks?: readonly (string | Uint8Array)[];
};

/** A message as one side gets it. */
export class Message {
  readonly headers: Readonly<Record<string, string>>;
  /** In order, repeated ones each for itself. */
  readonly headerList: readonly (readonly [string, string])[];
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string>>;

  constructor(from: UpstreamRequest) {
    this.headers = from.headers;
    this.headerList = from.headerList;
    this.body = from.body;
    this.trailers = from.trailers;
  }

  /** The body as UTF-8. */
  get text(): string {
    return this.body.toString();
  }

  /** The body as JSON; throws when it is none. */
  json(): unknown {
    return JSON.parse(this.text);
  }
}

/** What has come to the upstream. */
export class UpstreamMessage extends Message {
  get method(): string {
    return this.headers[":method"] ?? "";
  }

  get path(): string {
    return this.headers[":path"] ?? "";
  }

  get authority(): string {
    return this.headers[":authority"] ?? "";
  }
}

/** What has come to the downstream. */
export class DownstreamMessage extends Message {
  readonly status: number;
  /** It has come to its end. */
  readonly isComplete: boolean;

  constructor(from: UpstreamRequest, status: number, isComplete: boolean) {
    super(from);
    this.status = status;
    this.isComplete = isComplete;
  }
}

/** An answer of a filter's own, or of the proxy for it. */
export interface LocalReply {
  readonly status: number;
  /** "" = none. */
  readonly details: string;
  /** -1 = none. */
  readonly grpcStatus: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** What a stream needs of its test. */
export interface StreamOwner {
  readonly made: readonly CalloutRequest[];
  recordsOf(context: Context): readonly CallbackRecord[];
  contextOf(call: CalloutRequest): Context | null;
  /** Brings what follows from outside, and fails when something went wrong. */
  settle(): void;
}

/** Live: what it tells follows what happens. */
export class TestStream {
  readonly #exchange: FilterExchange;
  readonly #filters: readonly HttpFilter[];
  readonly #owner: StreamOwner;

  constructor(exchange: FilterExchange, filters: readonly HttpFilter[], owner: StreamOwner) {
    this.#exchange = exchange;
    this.#filters = filters;
    this.#owner = owner;
  }

  /** "GET /orders", as the downstream asked. */
  get requestLine(): string {
    return this.#exchange.requestLine;
  }

  // ---- What came of it.

  /** What callbacks of the stream have answered, in order; of several plugins one after another. */
  get actions(): readonly CallbackRecord[] {
    return this.#filters.flatMap((filter) => this.#owner.recordsOf(filter as unknown as Context));
  }

  /** The last answer of a callback about headers, body or trailers: "Continue", "StopIteration". */
  get action(): string | undefined {
    return this.actions.findLast(({ callback }) => ABOUT_MESSAGES.test(callback))?.answer;
  }

  /** A filter holds the request, or the response. */
  get paused(): boolean {
    return this.pausedIn !== null;
  }

  get pausedIn(): "request" | "response" | null {
    const { isOver, isRequestHeld, isResponseHeld } = this.#exchange;
    if (isOver) return null;
    if (isResponseHeld) return "response";
    return isRequestHeld ? "request" : null;
  }

  /** Null = the request goes to the upstream, or waits. */
  get localReply(): LocalReply | null {
    const { localReply, headers, text } = this.#exchange;
    return localReply === null ? null : { ...localReply, headers, text };
  }

  /** What has left the filters so far; null = not even headers. */
  get upstreamRequest(): UpstreamMessage | null {
    const { upstreamRequest } = this.#exchange;
    return upstreamRequest === null ? null : new UpstreamMessage(upstreamRequest);
  }

  /** The upstream has the whole request. */
  get isRequestComplete(): boolean {
    return this.#exchange.isRequestComplete;
  }

  /** What the downstream has so far; null = not even headers. */
  get response(): DownstreamMessage | null {
    const exchange = this.#exchange;
    if (exchange.status === 0) return null;
    return new DownstreamMessage(exchange, exchange.status, exchange.isResponseComplete);
  }

  /** Why the stream was broken off; null = it was not. */
  get reset(): string | null {
    return this.#exchange.reset;
  }

  /** It has ended: the guest was told on_log, on_done and on_delete. */
  get isOver(): boolean {
    return this.#exchange.isOver;
  }

  /** How often the route was asked to be chosen anew, as changes of request headers do. */
  get routeCacheClears(): number {
    return this.#exchange.routeCacheClears;
  }

  /** What was logged while it lived. */
  get logs(): readonly LogLine[] {
    return this.#exchange.logs;
  }

  /** Calls to clusters that its callbacks have made. */
  get callouts(): readonly CalloutRequest[] {
    const { made } = this.#owner;
    return made.filter((call) => {
      const context = this.#owner.contextOf(call);
      return this.#filters.some((filter) => (filter as unknown) === context);
    });
  }

  // ---- What a test does.

  /** More of a request that was begun with `isOpen`. */
  async send(...chunks: readonly (string | Uint8Array)[]): Promise<this> {
    for (const chunk of chunks) this.#exchange.sendData(chunk);
    return this.#settled();
  }

  /** The end of a request that was begun with `isOpen`. */
  async end(trailers?: HeaderInput): Promise<this> {
    this.#exchange.endRequest(trailers);
    return this.#settled();
  }

  /** The upstream answers. Throws when it has got no request, or has answered already. */
  async respond(response: StreamResponse | number = {}): Promise<this> {
    const given = typeof response === "number" ? { status: response } : response;
    this.#checkUpstream("respond");
    if (this.#exchange.isResponseGiven) {
      throw misuse("the upstream has answered already: one stream has one response");
    }
    this.#exchange.respond(withChunks(given));
    return this.#settled();
  }

  /** More of a response that was begun with `isOpen`. */
  async sendResponse(...chunks: readonly (string | Uint8Array)[]): Promise<this> {
    for (const chunk of chunks) this.#exchange.sendResponseData(chunk);
    return this.#settled();
  }

  /** The end of a response that was begun with `isOpen`. */
  async endResponse(trailers?: HeaderInput): Promise<this> {
    this.#exchange.endResponse(trailers);
    return this.#settled();
  }

  /** The upstream breaks off: 503 when it has not answered yet. */
  async failUpstream(): Promise<this> {
    this.#checkUpstream("fail");
    this.#exchange.breakOff();
    return this.#settled();
  }

  /** The downstream goes away. */
  async disconnect(): Promise<this> {
    this.#exchange.abort();
    return this.#settled();
  }

  #settled(): this {
    this.#owner.settle();
    return this;
  }

  #checkUpstream(verb: string): void {
    const { upstreamRequest, localReply, reset, isOver } = this.#exchange;
    if (upstreamRequest !== null && localReply === null && reset === null && !isOver) return;
    const what = `the upstream cannot ${verb}`;
    if (localReply !== null) {
      throw misuse(`${what}: the request was answered locally with ${localReply.status}`);
    }
    if (reset !== null) throw misuse(`${what}: the stream was reset (${reset})`);
    if (isOver) throw misuse(`${what}: the stream is over`);
    const last = this.actions.at(-1);
    const held = last === undefined ? "" : ` (${last.callback} answered ${last.answer})`;
    throw misuse(`${what}: a filter holds the request${held}, so nothing has come to it`);
  }
}

const ABOUT_MESSAGES = /_(?:request|response)_(?:headers|body|trailers)$/;

/** Chunks are a body in pieces. */
export function withChunks<T extends { readonly body?: BodyInput }>(
  given: T & { readonly chunks?: readonly (string | Uint8Array)[] },
): T {
  const { chunks, ...rest } = given;
  if (chunks === undefined) return given;
  if (given.body !== undefined) throw misuse("found body and chunks, expected one of them");
  return { ...rest, body: chunks } as unknown as T;
}

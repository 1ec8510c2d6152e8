// Test helpers of this room: a filter that answers by script, and chain ends that write down
// events.
import type { BufferQueue } from "../core/buffer-queue.ts";
import { blockPool } from "../core/block-pool.ts";
import { HeaderMap } from "../core/header-map.ts";
import { lentRoom } from "../core/lent-room.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { FilterManager } from "./filter-manager.ts";
import { FilterDataStatus, FilterHeadersStatus, FilterTrailersStatus } from "./filter-status.ts";
import type {
  FilterChainEnds,
  HttpFilter,
  HttpFilterCallbacks,
  LocalReply,
} from "./http-filter.ts";

/** What a scripted filter does in one callback: a status, or code that returns one. */
export type HeadersStep =
  | FilterHeadersStatus
  | ((filter: ScriptedFilter, headers: HeaderMap, end: boolean) => FilterHeadersStatus);
export type DataStep =
  | FilterDataStatus
  | ((filter: ScriptedFilter, data: BufferQueue, end: boolean) => FilterDataStatus);
export type TrailersStep =
  | FilterTrailersStatus
  | ((filter: ScriptedFilter, trailers: HeaderMap) => FilterTrailersStatus);

export interface FilterScript {
  readonly wants?: number;
  readonly decodeHeaders?: HeadersStep;
  /** In turn for each call; then the last for ever. */
  readonly decodeData?: readonly DataStep[];
  readonly decodeTrailers?: TrailersStep;
  readonly encodeHeaders?: HeadersStep;
  readonly encodeData?: readonly DataStep[];
  readonly encodeTrailers?: TrailersStep;
}

export class ScriptedFilter implements HttpFilter {
  readonly wants: number;
  readonly #name: string;
  readonly #script: FilterScript;
  readonly #events: string[];
  callbacks: HttpFilterCallbacks;
  position: number = -1;
  #decodeCalls: number = 0;
  #encodeCalls: number = 0;

  constructor(name: string, script: FilterScript, events: string[]) {
    this.wants = script.wants ?? 63;
    this.#name = name;
    this.#script = script;
    this.#events = events;
    // Set by attach before anything else happens.
    this.callbacks = null as unknown as HttpFilterCallbacks;
  }

  attach(callbacks: HttpFilterCallbacks, position: number): void {
    this.callbacks = callbacks;
    this.position = position;
  }

  decodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    this.#events.push(`${this.#name}.dh${end ? "." : ""}`);
    return this.#headers(this.#script.decodeHeaders, headers, end);
  }

  decodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    this.#events.push(`${this.#name}.dd(${data.toString()})${end ? "." : ""}`);
    return this.#data(this.#script.decodeData, this.#decodeCalls++, data, end);
  }

  decodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    this.#events.push(`${this.#name}.dt`);
    return this.#trailers(this.#script.decodeTrailers, trailers);
  }

  encodeHeaders(headers: HeaderMap, end: boolean): FilterHeadersStatus {
    this.#events.push(`${this.#name}.eh${end ? "." : ""}`);
    return this.#headers(this.#script.encodeHeaders, headers, end);
  }

  encodeData(data: BufferQueue, end: boolean): FilterDataStatus {
    this.#events.push(`${this.#name}.ed(${data.toString()})${end ? "." : ""}`);
    return this.#data(this.#script.encodeData, this.#encodeCalls++, data, end);
  }

  encodeTrailers(trailers: HeaderMap): FilterTrailersStatus {
    this.#events.push(`${this.#name}.et`);
    return this.#trailers(this.#script.encodeTrailers, trailers);
  }

  onLog(): void {
    this.#events.push(`${this.#name}.log`);
  }

  onDestroy(): void {
    this.#events.push(`${this.#name}.destroy`);
  }

  #headers(step: HeadersStep | undefined, headers: HeaderMap, end: boolean): FilterHeadersStatus {
    if (step === undefined) return FilterHeadersStatus.Continue;
    return typeof step === "number" ? step : step(this, headers, end);
  }

  #data(
    steps: readonly DataStep[] | undefined,
    call: number,
    data: BufferQueue,
    end: boolean,
  ): FilterDataStatus {
    const step = steps?.[Math.min(call, steps.length - 1)];
    if (step === undefined) return FilterDataStatus.Continue;
    return typeof step === "number" ? step : step(this, data, end);
  }

  #trailers(step: TrailersStep | undefined, trailers: HeaderMap): FilterTrailersStatus {
    if (step === undefined) return FilterTrailersStatus.Continue;
    return typeof step === "number" ? step : step(this, trailers);
  }
}

/** A chain between two recording ends. The events of filters and ends come in one list. */
export class ChainHarness implements FilterChainEnds {
  readonly events: string[];
  readonly filters: readonly ScriptedFilter[];
  readonly manager: FilterManager;
  readonly info: StreamInfo;
  requestOut: string;
  responseOut: string;

  constructor(scripts: readonly FilterScript[], bufferBytesMax = 0) {
    this.events = [];
    this.filters = scripts.map(
      (script, i) => new ScriptedFilter(String.fromCharCode(65 + i), script, this.events),
    );
    this.info = new StreamInfo();
    this.manager = new FilterManager();
    this.requestOut = "";
    this.responseOut = "";
    this.manager.reset(this.filters, this, this.info, bufferBytesMax);
  }

  /** The events since the last call, by spaces. */
  take(): string {
    return this.events.splice(0).join(" ");
  }

  filter(at: number): ScriptedFilter {
    return this.filters[at] as ScriptedFilter;
  }

  decodeHeaders(end: boolean): void {
    this.manager.decodeHeaders(requestMap(), end);
  }

  decodeData(text: string, end: boolean): void {
    const bytes = Buffer.from(`<<${text}>>`);
    this.manager.decodeData(bytes, 2, bytes.length - 2, end);
    spoilLent(bytes);
  }

  encodeHeaders(end: boolean): void {
    this.manager.encodeHeaders(responseMap(200), end);
  }

  encodeData(text: string, end: boolean): void {
    const bytes = Buffer.from(`<<${text}>>`);
    this.manager.encodeData(bytes, 2, bytes.length - 2, end);
    spoilLent(bytes);
  }

  onRequestHeaders(_headers: HeaderMap, end: boolean): void {
    this.events.push(`>h${end ? "." : ""}`);
  }

  onRequestData(buffer: Buffer, from: number, to: number, end: boolean): void {
    const text = buffer.toString("latin1", from, to);
    this.requestOut += text;
    this.events.push(`>d(${text})${end ? "." : ""}`);
  }

  onRequestTrailers(_trailers: HeaderMap): void {
    this.events.push(">t");
  }

  onResponseHeaders(headers: HeaderMap, end: boolean): void {
    this.events.push(`<h${headers.status === 200 ? "" : headers.status}${end ? "." : ""}`);
  }

  onResponseData(buffer: Buffer, from: number, to: number, end: boolean): void {
    const text = buffer.toString("latin1", from, to);
    this.responseOut += text;
    this.events.push(`<d(${text})${end ? "." : ""}`);
  }

  onResponseTrailers(_trailers: HeaderMap): void {
    this.events.push("<t");
  }

  onLocalReply(reply: LocalReply): void {
    this.events.push(`!reply${reply.status}`);
    const hasBody = reply.body !== "";
    this.manager.encodeHeaders(responseMap(reply.status), !hasBody);
    if (!hasBody) return;
    const body = Buffer.from(reply.body, "latin1");
    this.manager.encodeData(body, 0, body.length, true);
  }

  onFilterReset(details: string): void {
    this.events.push(`!reset(${details})`);
  }

  onClearRouteCache(): void {
    this.events.push("!route");
  }

  onDecodeReadDisable(disabled: boolean): void {
    this.events.push(disabled ? ">stop" : ">go");
  }

  onEncodeReadDisable(disabled: boolean): void {
    this.events.push(disabled ? "<stop" : "<go");
  }
}

/** Whoever kept a view of lent bytes shows up. */
function spoilLent(bytes: Buffer): void {
  bytes.fill("x");
  lentRoom.enter();
  lentRoom.take(1024).fill("x");
  lentRoom.leave();
  const block = blockPool.take(1);
  block.fill("x");
  blockPool.give(block);
}

/** The same text in bytes of the queue's own choice, as a guest writes a body back. */
export function rewrite(data: BufferQueue): void {
  const bytes = Buffer.from(data.toString());
  data.isInCallback = true;
  data.refill(bytes, 0, bytes.length);
  data.isInCallback = false;
  // What it has held before, too: a guest sees both as one.
  const copy = data.take(bytes.length);
  bytes.copy(copy);
  data.replace(0, data.length, copy);
}

export function requestMap(): HeaderMap {
  const headers = new HeaderMap();
  headers.method = "POST";
  headers.path = "/";
  headers.authority = "test";
  return headers;
}

export function responseMap(status: number): HeaderMap {
  const headers = new HeaderMap();
  headers.status = status;
  return headers;
}

export function localReply(status: number, body: string, details: string): LocalReply {
  return { status, body, headers: null, grpcStatus: -1, details, responseFlags: 0 };
}

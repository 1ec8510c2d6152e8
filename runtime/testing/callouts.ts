// The clusters that a filter calls in a test: what the test expects, what it answers, what was asked.
import { Status } from "proxy-wasm-types";
import { HeaderMap } from "../src/core/header-map.ts";
import type { ClusterInfo } from "../src/core/upstream-info.ts";
import { replyHeaders } from "../src/upstream/async-client.ts";
import type {
  GrpcReceiver,
  GrpcRequest,
  GrpcStream,
  HttpCall,
  HttpCallReceiver,
  HttpCallRequest,
} from "../src/wasm/callout.ts";
import type { AnsweringCallouts } from "../test/harness.ts";
import { type BodyInput, bufferOf, fillMap, type HeaderInput, recordOf } from "../test/message.ts";
import { ExpectedGrpc, GrpcExchange } from "./grpc-callouts.ts";
import { misuse } from "./errors.ts";
import { type BodyMatch, matchesBody, matchesText, shown, type TextMatch } from "./match.ts";

/** A call that a filter made. */
export interface CalloutRequest {
  readonly cluster: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  /** With the pseudo headers. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly text: string;
  readonly trailers: Readonly<Record<string, string>>;
  /** 0 = none. */
  readonly timeoutMs: number;
}

/** What of a call must be as said. */
export interface CalloutMatch {
  readonly method?: TextMatch;
  readonly path?: TextMatch;
  readonly authority?: TextMatch;
  readonly headers?: Readonly<Record<string, TextMatch>>;
  readonly body?: BodyMatch;
  readonly timeoutMs?: number;
}

/**
 * How a call fails. "timeout": the answer is 504, as in Envoy. "unreachable": 503. "reset": no
 * answer, no headers. "refused": proxy_http_call itself fails. "no cluster": so does it, with
 * BadArgument.
 */
export type CalloutFailure = "timeout" | "unreachable" | "reset" | "refused" | "no cluster";

type Answer =
  | { readonly kind: "reply"; readonly make: (request: CalloutRequest) => CalloutReply }
  | { readonly kind: "fail"; readonly reason: CalloutFailure };

export interface CalloutReply {
  readonly status: number;
  readonly headers?: HeaderInput | undefined;
  readonly body?: BodyInput | undefined;
  readonly trailers?: HeaderInput | undefined;
}

const CONNECT_FAILURE =
  "upstream connect error or disconnect/reset before headers. reset reason: connection failure";

/** One call that waits for its answer. */
class WaitingCall {
  readonly request: CalloutRequest;
  readonly receiver: HttpCallReceiver;
  answer: Answer | null = null;
  /** Of the book's clock. */
  dueMs: number = 0;
  deadlineMs: number = Infinity;

  constructor(request: CalloutRequest, receiver: HttpCallReceiver) {
    this.request = request;
    this.receiver = receiver;
  }
}

/** What a test says of one call, or of several, to a cluster. */
export class ExpectedCallout {
  readonly cluster: string;
  /** The calls that came, in their order. */
  readonly requests: CalloutRequest[];
  readonly #book: CalloutBook;
  #match: CalloutMatch = {};
  #answer: Answer | null = null;
  #times: number = 1;
  #delayMs: number = 0;
  /** Of waiting calls. */
  readonly #waiting: WaitingCall[];
  isSilent: boolean = false;

  constructor(book: CalloutBook, cluster: string) {
    this.#book = book;
    this.cluster = cluster;
    this.requests = [];
    this.#waiting = [];
  }

  /** The call must be so; what is not named may be anything. */
  toMatch(match: CalloutMatch): this {
    this.#match = { ...this.#match, ...match };
    return this;
  }

  /** So many calls are expected, each answered in the same way. Default 1. */
  times(count: number): this {
    this.#times = count;
    return this;
  }

  /** Any number of calls, none among them. */
  anyTimes(): this {
    return this.times(Infinity);
  }

  /** The answer comes so much later: after as much of t.advance(). */
  after(ms: number): this {
    this.#delayMs = ms;
    return this;
  }

  /** Answers the call, at once when it waits, else as soon as it has come. */
  reply(status: number, headers?: HeaderInput, body?: BodyInput, trailers?: HeaderInput): this {
    return this.#settle({ kind: "reply", make: () => ({ status, headers, body, trailers }) });
  }

  /** The same by a function of the call. */
  replyWith(make: (request: CalloutRequest) => CalloutReply): this {
    return this.#settle({ kind: "reply", make });
  }

  fail(reason: CalloutFailure): this {
    return this.#settle({ kind: "fail", reason });
  }

  /** No answer ever comes, but the guest's own timeout when time passes. */
  never(): this {
    this.isSilent = true;
    return this;
  }

  /** The call; throws when there is none yet. */
  get request(): CalloutRequest {
    const [first] = this.requests;
    if (first !== undefined) return first;
    throw misuse(`no call to cluster ${this.cluster} has come; ${this.#book.summary()}`);
  }

  // ---- For the book.

  get isOpen(): boolean {
    return this.requests.length < this.#times;
  }

  /** Expected, but did not come. */
  get isMissing(): boolean {
    return this.#times !== Infinity && this.requests.length < this.#times;
  }

  get answer(): Answer | null {
    return this.#answer;
  }

  get text(): string {
    return matchText(this.cluster, this.#match);
  }

  /** What is not as expected, one line each; [] = all is. */
  differences(found: CalloutRequest): string[] {
    return differencesOf(this.#match, found);
  }

  take(call: WaitingCall, nowMs: number): void {
    this.requests.push(call.request);
    call.answer = this.#answer;
    call.dueMs = nowMs + this.#delayMs;
    if (this.#answer === null) this.#waiting.push(call);
  }

  #settle(answer: Answer): this {
    this.#answer = answer;
    if (this.#waiting.length === 0) return this;
    for (const call of this.#waiting.splice(0)) {
      call.answer = answer;
      call.dueMs = this.#book.nowMs + this.#delayMs;
    }
    this.#book.deliver();
    return this;
  }
}

/** What the book needs of its test. */
export interface BookKeeper {
  readonly nowMs: number;
  /** A call that is not as the test said. */
  onUnexpected(message: string): void;
  /** Answers are due: brings them, and fails when the guests do. */
  deliver(): void;
}

/** All that is expected and was called, of one test. */
export class CalloutBook implements AnsweringCallouts {
  /** Every call that was made, HTTP and gRPC, in order. */
  readonly made: CalloutRequest[];
  readonly #keeper: BookKeeper;
  readonly #expected: ExpectedCallout[];
  readonly #expectedGrpc: ExpectedGrpc[];
  readonly #calls: WaitingCall[];
  readonly #due: (() => void)[];

  constructor(keeper: BookKeeper) {
    this.made = [];
    this.#keeper = keeper;
    this.#expected = [];
    this.#expectedGrpc = [];
    this.#calls = [];
    this.#due = [];
  }

  /** An HTTP call to that cluster is to come. */
  expect(cluster: string): ExpectedCallout {
    const expected = new ExpectedCallout(this, cluster);
    this.#expected.push(expected);
    return expected;
  }

  /** A gRPC call or stream to that cluster; `method` is "package.Service/Method", default any. */
  expectGrpc(cluster: string, method?: string): ExpectedGrpc {
    const expected = new ExpectedGrpc(this, cluster, method);
    this.#expectedGrpc.push(expected);
    return expected;
  }

  /** Calls that have no answer yet. */
  get waiting(): readonly CalloutRequest[] {
    return this.#calls.map((call) => call.request);
  }

  get nowMs(): number {
    return this.#keeper.nowMs;
  }

  deliver(): void {
    this.#keeper.deliver();
  }

  onUnexpected(message: string): void {
    this.#keeper.onUnexpected(message);
  }

  /** Something is to be done when no guest runs. */
  later(work: () => void): void {
    this.#due.push(work);
  }

  /** What is left at a test's end that should not be, one line each. */
  leftovers(): string[] {
    const lines: string[] = [];
    const silent = this.#expected.filter((one) => one.isSilent).flatMap((one) => one.requests);
    for (const one of this.#expected) {
      if (one.isMissing) lines.push(`the call to ${one.text} was expected, and was not made`);
    }
    for (const { request } of this.#calls) {
      if (silent.includes(request)) continue;
      const what = `the call to cluster ${request.cluster}, ${requestText(request)}`;
      lines.push(`${what}, was not answered: say reply(), fail() or never()`);
    }
    for (const one of this.#expectedGrpc) lines.push(...one.leftovers());
    return lines;
  }

  summary(): string {
    if (this.made.length === 0) return "no calls were made";
    return `calls made: ${this.made.map((one) => `${one.cluster} ${requestText(one)}`).join(", ")}`;
  }

  /** When the next answer is due, or a call's time is up; Infinity = no answer waits for time. */
  get nextDueMs(): number {
    let nextMs = Infinity;
    for (const { answer: given, dueMs, deadlineMs } of this.#calls) {
      nextMs = Math.min(nextMs, deadlineMs, given === null ? Infinity : dueMs);
    }
    return nextMs;
  }

  // ---- Callouts, for the host.

  /** What nobody expects is told with all that it says: so the call itself must come. */
  hasCluster(_name: string): boolean {
    return true;
  }

  clusterInfo(name: string): ClusterInfo | null {
    const isKnown = [...this.#expected, ...this.#expectedGrpc].some((one) => one.cluster === name);
    return isKnown ? { metadata: new Uint8Array(0), hostCount: 1 } : null;
  }

  httpCall(given: HttpCallRequest, receiver: HttpCallReceiver): HttpCall | Status {
    const call = new WaitingCall(requestOf(given), receiver);
    this.made.push(call.request);
    const expected = this.#find(call.request);
    if (expected === null) {
      this.#refuse(call.request);
      return Status.BadArgument;
    }
    expected.take(call, this.nowMs);
    const { answer } = call;
    if (answer?.kind === "fail" && answer.reason === "refused") return Status.InternalFailure;
    if (answer?.kind === "fail" && answer.reason === "no cluster") return Status.BadArgument;
    if (given.timeoutMs > 0) call.deadlineMs = this.nowMs + given.timeoutMs;
    this.#calls.push(call);
    return { cancel: () => this.#forget(call) };
  }

  grpcStream(given: GrpcRequest, receiver: GrpcReceiver): GrpcStream | Status {
    const exchange = new GrpcExchange(this, given, receiver);
    const ofCluster = this.#expectedGrpc.filter((one) => one.cluster === given.cluster);
    const expected = ofCluster.find((one) => one.accepts(exchange));
    this.made.push(exchange.request);
    if (expected === undefined) {
      const known = ofCluster.map((one) => `\n  expected: ${one.text}`).join("");
      const hint = `say t.callouts.expectGrpc(${JSON.stringify(given.cluster)})`;
      const what = `an unexpected gRPC call to cluster ${given.cluster}: ${given.path}`;
      this.onUnexpected(`${what}${known === "" ? `\n  ${hint}` : known}`);
      return Status.InternalFailure;
    }
    return expected.take(exchange);
  }

  answerNext(): boolean {
    const work = this.#due.shift();
    if (work !== undefined) {
      work();
      return true;
    }
    const { nowMs } = this;
    const call = this.#calls.find(
      (one) => (one.answer !== null && one.dueMs <= nowMs) || one.deadlineMs <= nowMs,
    );
    if (call === undefined) return false;
    this.#forget(call);
    const isAnswered = call.answer !== null && call.dueMs <= nowMs;
    answer(call, isAnswered ? (call.answer as Answer) : { kind: "fail", reason: "timeout" });
    return true;
  }

  // ---- Private parts.

  #find(request: CalloutRequest): ExpectedCallout | null {
    const open = this.#expected.filter((one) => one.cluster === request.cluster && one.isOpen);
    return open.find((one) => one.differences(request).length === 0) ?? null;
  }

  #refuse(request: CalloutRequest): void {
    const ofCluster = this.#expected.filter((one) => one.cluster === request.cluster);
    const lines = ofCluster.map((one) => {
      if (!one.isOpen) return `\n  ${one.text}: was called already`;
      return `\n  ${one.text}: ${one.differences(request).join("; ")}`;
    });
    const hint = `\n  say t.callouts.expect(${JSON.stringify(request.cluster)}) before it`;
    const what = `an unexpected call to cluster ${request.cluster}: ${requestText(request)}`;
    this.onUnexpected(what + (lines.length === 0 ? hint : lines.join("")));
  }

  #forget(call: WaitingCall): void {
    const at = this.#calls.indexOf(call);
    if (at >= 0) this.#calls.splice(at, 1);
  }
}

function answer({ receiver, request }: WaitingCall, given: Answer): void {
  if (given.kind === "reply") {
    const { status, headers, body, trailers } = given.make(request);
    const map = new HeaderMap();
    map.status = status;
    fillMap(map, headers);
    const trailing = trailers === undefined ? null : new HeaderMap();
    if (trailing !== null) fillMap(trailing, trailers);
    receiver.onResponse(map, Buffer.concat(bufferOf(body)), trailing);
    return;
  }
  if (given.reason === "reset") {
    receiver.onReset();
    return;
  }
  const isLate = given.reason === "timeout";
  const body = Buffer.from(isLate ? "upstream request timeout" : CONNECT_FAILURE);
  receiver.onResponse(replyHeaders(isLate ? 504 : 503, body.length, null), body, null);
}

function requestOf(given: HttpCallRequest): CalloutRequest {
  const { headers, body, trailers, cluster, timeoutMs } = given;
  return {
    cluster,
    method: headers.method ?? "",
    path: headers.path ?? "",
    authority: headers.authority ?? "",
    headers: recordOf(headers),
    body,
    text: body.toString(),
    trailers: trailers === null ? {} : recordOf(trailers),
    timeoutMs,
  };
}

/** "GET /check (auth.test)". */
export function requestText({ method, path, authority }: CalloutRequest): string {
  return `${method} ${path}${authority === "" ? "" : ` (${authority})`}`;
}

/** "cluster auth with path "/check"". */
export function matchText(cluster: string, match: CalloutMatch): string {
  const parts = Object.entries(match).map(([name, value]) => {
    if (name !== "headers") return `${name} ${shown(value)}`;
    const headers = Object.entries(value as object);
    return headers.map(([header, one]) => `header ${header}: ${shown(one)}`).join(", ");
  });
  return `cluster ${cluster}${parts.length === 0 ? "" : ` with ${parts.join(", ")}`}`;
}

/** What is not as it should be, one line each; [] = all is. */
export function differencesOf(match: CalloutMatch, found: CalloutRequest): string[] {
  const lines: string[] = [];
  const check = (name: string, value: string | undefined, wanted: TextMatch | undefined): void => {
    if (wanted === undefined || matchesText(value, wanted)) return;
    lines.push(`${name}: expected ${shown(wanted)}, found ${shown(value)}`);
  };
  const { method, path, authority, headers, body, timeoutMs } = match;
  check("method", found.method, method);
  check("path", found.path, path);
  check("authority", found.authority, authority);
  for (const [name, wanted] of Object.entries(headers ?? {})) {
    check(`header ${name}`, found.headers[name.toLowerCase()], wanted);
  }
  if (body !== undefined && !matchesBody(found.body, body)) {
    lines.push(`body: expected ${shown(body)}, found ${shown(found.text)}`);
  }
  if (timeoutMs !== undefined && timeoutMs !== found.timeoutMs) {
    lines.push(`timeoutMs: expected ${timeoutMs}, found ${found.timeoutMs}`);
  }
  return lines;
}

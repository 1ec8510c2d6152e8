// gRPC calls and streams of a filter in a test. Used by callouts.ts.
import { GrpcStatus } from "proxy-wasm-types";
import { HeaderMap } from "../src/core/header-map.ts";
import type { GrpcReceiver, GrpcRequest, GrpcStream } from "../src/wasm/callout.ts";
import { fillMap, type HeaderInput } from "../test/message.ts";
import type { CalloutBook, CalloutRequest } from "./callouts.ts";
import { misuse } from "./errors.ts";
import { type BodyMatch, matchesBody, matchesText, shown, type TextMatch } from "./match.ts";

export interface GrpcMatch {
  readonly metadata?: Readonly<Record<string, TextMatch>>;
  /** The guest's first message. */
  readonly message?: BodyMatch;
  readonly timeoutMs?: number;
}

export interface GrpcReply {
  readonly initialMetadata?: HeaderInput;
  readonly trailingMetadata?: HeaderInput;
}

type Message = Uint8Array | string;

/** One call or stream, as the server sees it. */
export class GrpcExchange implements GrpcStream {
  readonly request: CalloutRequest;
  /** What the guest has sent. */
  readonly messages: Buffer[];
  readonly bufferedBytes: number = 0;
  readonly #book: CalloutBook;
  readonly #receiver: GrpcReceiver;
  expected: ExpectedGrpc | null = null;
  isHalfClosed: boolean = false;
  isCancelled: boolean = false;
  isClosed: boolean = false;
  #isMetadataSent: boolean = false;

  constructor(book: CalloutBook, given: GrpcRequest, receiver: GrpcReceiver) {
    const { cluster, path, metadata, timeoutMs } = given;
    const headers: Record<string, string> = {};
    for (let i = 0; i < metadata.length; i += 2) {
      headers[metadata[i] as string] = metadata[i + 1] as string;
    }
    const [body, text, method] = [Buffer.alloc(0), "", "POST"];
    const request = { cluster, method, path, authority: "", headers, body, text, trailers: {} };
    this.request = { ...request, timeoutMs };
    this.messages = [];
    this.#book = book;
    this.#receiver = receiver;
  }

  // ---- From the guest.

  send(message: Buffer, end: boolean): void {
    this.messages.push(message);
    if (this.messages.length === 1) this.expected?.checkMessage(message);
    if (end) this.closeLocal();
  }

  closeLocal(): void {
    this.isHalfClosed = true;
    this.expected?.onHalfClosed(this);
  }

  cancel(): void {
    this.isCancelled = true;
  }

  // ---- To the guest.

  initialMetadata(input: HeaderInput | undefined): void {
    if (this.#isMetadataSent || this.isOver) return;
    this.#isMetadataSent = true;
    this.#receiver.onInitialMetadata(mapOf(input));
  }

  message(message: Message): void {
    this.initialMetadata(undefined);
    if (!this.isOver) this.#receiver.onMessage(Buffer.from(message as Uint8Array));
  }

  close(status: number, message: string, trailing: HeaderInput | undefined): void {
    if (this.isOver) return;
    if (!this.#isMetadataSent && status === GrpcStatus.Ok) this.initialMetadata(undefined);
    if (this.isOver) return;
    this.#receiver.onTrailingMetadata(mapOf(trailing));
    if (this.isOver) return;
    this.isClosed = true;
    this.#receiver.onClose(status, message);
  }

  later(work: () => void): void {
    this.#book.later(work);
  }

  get isOver(): boolean {
    return this.isCancelled || this.isClosed;
  }
}

/** What a test says of one gRPC call or stream. */
export class ExpectedGrpc {
  readonly cluster: string;
  readonly #book: CalloutBook;
  readonly #method: string | undefined;
  #match: GrpcMatch = {};
  #onHalfClosed: ((exchange: GrpcExchange) => void) | null = null;
  #exchange: GrpcExchange | null = null;
  #isSilent: boolean = false;

  constructor(book: CalloutBook, cluster: string, method: string | undefined) {
    this.#book = book;
    this.cluster = cluster;
    this.#method = method;
  }

  toMatch(match: GrpcMatch): this {
    this.#match = { ...this.#match, ...match };
    return this;
  }

  /** When the guest has sent all: these messages, then status 0. At once when it has already. */
  reply(messages: Message | readonly Message[], more: GrpcReply = {}): this {
    const isOne = typeof messages === "string" || messages instanceof Uint8Array;
    const list = isOne ? [messages] : messages;
    return this.#answer((exchange) => {
      exchange.initialMetadata(more.initialMetadata);
      for (const message of list) exchange.message(message);
      exchange.close(GrpcStatus.Ok, "", more.trailingMetadata);
    });
  }

  /** The call ends with that status: GrpcStatus.Unavailable (14) and its like. */
  fail(status: number, message = "", trailingMetadata?: HeaderInput): this {
    return this.#answer((exchange) => exchange.close(status, message, trailingMetadata));
  }

  /** No answer ever comes. */
  never(): this {
    this.#isSilent = true;
    return this;
  }

  // ---- Of a stream that is open, step by step.

  sendInitialMetadata(metadata: HeaderInput): this {
    return this.#play((exchange) => exchange.initialMetadata(metadata));
  }

  send(message: Message): this {
    return this.#play((exchange) => exchange.message(message));
  }

  close(status = 0, message = "", trailingMetadata?: HeaderInput): this {
    return this.#play((exchange) => exchange.close(status, message, trailingMetadata));
  }

  /** What the guest has sent. */
  get messages(): readonly Buffer[] {
    return this.#its.messages;
  }

  get request(): CalloutRequest {
    return this.#its.request;
  }

  /** The guest sends no more. */
  get isHalfClosed(): boolean {
    return this.#its.isHalfClosed;
  }

  get isCancelled(): boolean {
    return this.#its.isCancelled;
  }

  get #its(): GrpcExchange {
    if (this.#exchange !== null) return this.#exchange;
    throw misuse(`no gRPC call to ${this.text} has come; ${this.#book.summary()}`);
  }

  // ---- For the book.

  get text(): string {
    return `cluster ${this.cluster}${this.#method === undefined ? "" : `, ${this.#method}`}`;
  }

  accepts({ request }: GrpcExchange): boolean {
    if (this.#exchange !== null) return false;
    const { metadata, timeoutMs } = this.#match;
    const isMethod = this.#method === undefined || request.path === pathOf(this.#method);
    if (!isMethod || (timeoutMs !== undefined && timeoutMs !== request.timeoutMs)) return false;
    return Object.entries(metadata ?? {}).every(([name, wanted]) =>
      matchesText(request.headers[name.toLowerCase()], wanted),
    );
  }

  take(exchange: GrpcExchange): GrpcExchange {
    this.#exchange = exchange;
    exchange.expected = this;
    return exchange;
  }

  checkMessage(found: Buffer): void {
    const { message } = this.#match;
    if (message === undefined || matchesBody(found, message)) return;
    const what = `expected ${shown(message)}, found ${shown(found)}`;
    this.#book.onUnexpected(`the message of the gRPC call to ${this.text}: ${what}`);
  }

  onHalfClosed(exchange: GrpcExchange): void {
    const answer = this.#onHalfClosed;
    if (answer !== null) exchange.later(() => answer(exchange));
  }

  leftovers(): string[] {
    if (this.#exchange === null)
      return [`the gRPC call to ${this.text} was expected, and not made`];
    if (this.#exchange.isOver || this.#isSilent) return [];
    return [
      `the gRPC call to ${this.text} was not answered: say reply(), fail(), close() or never()`,
    ];
  }

  #answer(answer: (exchange: GrpcExchange) => void): this {
    this.#onHalfClosed = answer;
    if (this.#exchange?.isHalfClosed === true) this.#play(answer);
    return this;
  }

  #play(step: (exchange: GrpcExchange) => void): this {
    const exchange = this.#its;
    exchange.later(() => step(exchange));
    this.#book.deliver();
    return this;
  }
}

function pathOf(method: string): string {
  return method.startsWith("/") ? method : `/${method}`;
}

function mapOf(input: HeaderInput | undefined): HeaderMap {
  const map = new HeaderMap();
  fillMap(map, input);
  return map;
}

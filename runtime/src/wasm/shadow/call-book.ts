// HTTP calls of one stream (or of none), by the version that serves and by its shadow: whose call
// is whose, in their order. The shadow's are answered with what the others were.
import { createHash } from "node:crypto";
import type { Status } from "proxy-wasm-types";
import type { HeaderMap, HeaderVisitor } from "../../core/header-map.ts";
import { TimerEntry, type TimerWheel } from "../../core/timer-wheel.ts";
import type { HttpCall, HttpCallReceiver, HttpCallRequest } from "../callout.ts";
import type { ShadowStream } from "./shadow-stream.ts";

/** Calls that are remembered; the oldest is forgotten first. */
export const CALLS_MAX = 64;

/** Of an answer that the shadow has not asked for yet. */
const ANSWER_BYTES_MAX = 65_536;

interface Answer {
  readonly headers: HeaderMap | null;
  readonly body: Buffer | null;
  readonly trailers: HeaderMap | null;
}

const RESET: Answer = { headers: null, body: null, trailers: null };

/** What both versions must agree in, and how it is shown. */
export class CallText implements HeaderVisitor {
  readonly key: string;
  readonly text: string;
  readonly #lines: string[];

  constructor({ cluster, headers, body, trailers }: HttpCallRequest) {
    this.#lines = [];
    headers.visit(this);
    this.#lines.push("");
    trailers?.visit(this);
    const digest = createHash("sha256").update(body).digest("hex");
    this.key = JSON.stringify([cluster, this.#lines, digest]);
    const where = `${headers.method} ${headers.authority}${headers.path}`;
    this.text = `${cluster}: ${where}, ${body.length} bytes\n${this.#lines.join("\n")}`.trimEnd();
  }

  onHeader(name: string, value: string): void {
    this.#lines.push(`${name}: ${value}`);
  }
}

/** A call of the version that serves. */
export class ServedCall {
  readonly call: CallText;
  readonly token: number;
  /** In whose callback it was made; null = in none of a stream. */
  readonly stream: ShadowStream | null;
  readonly #book: CallBook;
  isMatched: boolean = false;
  /** The status that it got in the place of a call; 0 = it was made. */
  refusal: number = 0;
  answer: Answer | null = null;
  /** The shadow's, once it has asked. */
  shadow: ShadowCall | null = null;

  constructor(call: CallText, token: number, stream: ShadowStream | null, book: CallBook) {
    this.call = call;
    this.token = token;
    this.stream = stream;
    this.#book = book;
  }

  take(answer: Answer): void {
    if (this.shadow !== null) {
      this.shadow.tell(answer);
      return;
    }
    const isKept = (answer.body?.length ?? 0) <= ANSWER_BYTES_MAX;
    this.answer = isKept ? answer : RESET;
    if (!isKept) this.#book.isCut = true;
  }

  refuse(status: number): void {
    this.refusal = status;
    this.shadow?.tell(RESET);
  }
}

/** A call of the shadow. */
class ShadowCall extends TimerEntry implements HttpCall {
  readonly call: CallText;
  #receiver: HttpCallReceiver | null;
  #answer: Answer | null = null;

  constructor(call: CallText, receiver: HttpCallReceiver) {
    super();
    this.call = call;
    this.#receiver = receiver;
  }

  cancel(): void {
    this.#receiver = null;
  }

  tell({ headers, body, trailers }: Answer): void {
    const receiver = this.#receiver;
    this.#receiver = null;
    if (headers === null) receiver?.onReset();
    else receiver?.onResponse(headers, body ?? Buffer.alloc(0), trailers);
  }

  /** Not from within its call. */
  tellLater(timers: TimerWheel, nowMs: number, answer: Answer): void {
    this.#answer = answer;
    timers.schedule(this, nowMs);
  }

  override onDeadline(): void {
    if (this.#answer !== null) this.tell(this.#answer);
  }
}

export class CallBook {
  /** Of the version that serves, oldest first. */
  readonly #served: ServedCall[];
  /** Of the shadow, which nobody else has made (yet). */
  readonly #unanswered: ShadowCall[];
  /** Too many were made: nothing can be said of those that are forgotten. */
  isCut: boolean = false;

  constructor() {
    this.#served = [];
    this.#unanswered = [];
  }

  onServed(call: CallText, token: number, stream: ShadowStream | null): ServedCall {
    const served = new ServedCall(call, token, stream, this);
    const at = this.#unanswered.findIndex((one) => one.call.key === call.key);
    const [waiting] = at < 0 ? [] : this.#unanswered.splice(at, 1);
    if (waiting !== undefined) {
      served.isMatched = true;
      served.shadow = waiting;
    }
    this.#served.push(served);
    this.#cut(this.#served);
    return served;
  }

  onShadow(
    call: CallText,
    receiver: HttpCallReceiver,
    timers: TimerWheel,
    nowMs: number,
  ): HttpCall | Status {
    const made = new ShadowCall(call, receiver);
    const served = this.#served.find((one) => !one.isMatched && one.call.key === call.key);
    if (served === undefined) {
      this.#unanswered.push(made);
      for (const forgotten of this.#cut(this.#unanswered)) {
        forgotten.tellLater(timers, nowMs, RESET);
      }
      return made;
    }
    served.isMatched = true;
    served.shadow = made;
    if (served.refusal !== 0) return served.refusal as Status;
    if (served.answer !== null) made.tellLater(timers, nowMs, served.answer);
    return made;
  }

  /** Calls that only one of them has made: the stream is over. */
  unmatched(): { readonly served: readonly string[]; readonly shadow: readonly string[] } {
    const served = this.#served.filter(({ isMatched }) => !isMatched);
    return {
      served: served.map(({ call }) => call.text),
      shadow: this.#unanswered.map(({ call }) => call.text),
    };
  }

  /** No answer will come for those that nobody else has made. */
  close(): void {
    for (const call of this.#unanswered.splice(0)) call.tell(RESET);
  }

  #cut<T>(calls: T[]): readonly T[] {
    if (calls.length <= CALLS_MAX) return [];
    this.isCut = true;
    return calls.splice(0, calls.length - CALLS_MAX);
  }
}

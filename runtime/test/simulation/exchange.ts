// One request with its answer as planned, and what became of it: known to the client that sends it, the upstream that
// answers it and the filters in between, by the number in its x-sim-id header.

/** What the upstream does with the request. */
export type AnswerKind =
  | "normal"
  /** The response is complete before the request is. */
  | "early"
  | "silent"
  | "reset-at-head"
  | "close-at-head"
  | "reset-before-answer"
  | "close-before-answer"
  | "reset-in-body"
  | "close-in-body"
  | "garbage-head"
  | "garbage-chunk"
  | "surplus";

export interface AnswerPlan {
  readonly kind: AnswerKind;
  readonly status: number;
  readonly bodyBytes: number;
  readonly framing: "length" | "chunked" | "close";
  readonly hasTrailers: boolean;
  /** Informational responses before it. */
  readonly interim: readonly number[];
  readonly delayMs: number;
  /** Pauses between pieces of the body. */
  readonly pieceDelayMs: number;
  /** Says `connection: close`. */
  readonly says: "" | "close";
}

export interface RequestPlan {
  readonly method: string;
  readonly path: string;
  readonly bodyBytes: number;
  readonly framing: "none" | "length" | "chunked";
  readonly hasTrailers: boolean;
  readonly expectsContinue: boolean;
  readonly isUpgrade: boolean;
}

/** What filters of the simulation do to it; see chaos-filter.ts. */
export interface FilterPlan {
  /** Added to each byte of the body, modulo 256; 0 = unchanged. */
  readonly requestShift: number;
  readonly responseShift: number;
  readonly requestTail: number;
  readonly responseTail: number;
}

export const untouched: FilterPlan = {
  requestShift: 0,
  responseShift: 0,
  requestTail: 0,
  responseTail: 0,
};

/** How it ended for the client. */
export type Outcome =
  | "open"
  /** The upstream's response, whole and correct. */
  | "answered"
  /** A whole response of the proxy's own. */
  | "local-reply"
  /** The connection ended before the response, or in it: visibly. */
  | "broken"
  /** The client itself gave up. */
  | "abandoned";

export class Exchange {
  readonly id: number;
  readonly request: RequestPlan;
  readonly answer: AnswerPlan;
  filter: FilterPlan;
  outcome: Outcome;
  /** When the client began to send it, and when it knew the end; virtual, -1 = not yet. */
  sentMs: number;
  endedMs: number;
  status: number;
  /** Bytes of the response that the client got. */
  clientBytes: number;
  /** Whole heads that upstreams got. */
  attempts: number;
  hasUpstreamBody: boolean;
  /** An upstream has sent the whole response. */
  isAnswerSent: boolean;
  /** Why it may end otherwise than by the upstream's whole response; empty = it must not. */
  readonly excuses: Set<string>;

  constructor(id: number, request: RequestPlan, answer: AnswerPlan) {
    this.id = id;
    this.request = request;
    this.answer = answer;
    this.filter = untouched;
    this.outcome = "open";
    this.sentMs = -1;
    this.endedMs = -1;
    this.status = 0;
    this.clientBytes = 0;
    this.attempts = 0;
    this.hasUpstreamBody = false;
    this.isAnswerSent = false;
    this.excuses = new Set();
  }

  get isHead(): boolean {
    return this.request.method === "HEAD";
  }

  /** The response has no body on the wire, whatever its head says. */
  get isBodiless(): boolean {
    return this.isHead || this.answer.status === 204 || this.answer.status === 304;
  }

  get hasExcuse(): boolean {
    return this.excuses.size > 0;
  }
}

/** Byte `at` of the body of exchange `id`; requests and responses differ. */
function byteAt(id: number, at: number, isResponse: boolean): number {
  let x =
    Math.imul(id, 0x9e3779b1) ^ Math.imul(at >>> 2, 0x85ebca6b) ^ (isResponse ? 0x5bd1e995 : 0);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d);
  return (x >>> ((at & 3) * 8)) & 255;
}

/** Bytes [from, to) of a body. */
export function bodyBytes(id: number, from: number, to: number, isResponse: boolean): Buffer {
  const bytes = Buffer.allocUnsafe(to - from);
  for (let at = from; at < to; at += 1) bytes[at - from] = byteAt(id, at, isResponse);
  return bytes;
}

/** A body that is checked as it comes. `tail` bytes of 0x54 follow the planned ones. */
export class BodyCheck {
  readonly #id: number;
  readonly #isResponse: boolean;
  readonly #shift: number;
  readonly #planned: number;
  readonly #tail: number;
  bytes: number;
  /** The first wrong byte, in words; "" = none. */
  fault: string;

  constructor(id: number, isResponse: boolean, planned: number, shift: number, tail: number) {
    this.#id = id;
    this.#isResponse = isResponse;
    this.#planned = planned;
    this.#shift = shift;
    this.#tail = tail;
    this.bytes = 0;
    this.fault = "";
  }

  get expected(): number {
    return this.#planned + this.#tail;
  }

  take(bytes: Buffer): void {
    for (let i = 0; i < bytes.length && this.fault === ""; i += 1) {
      const at = this.bytes + i;
      const isTail = at >= this.#planned;
      const expected = isTail
        ? tailByte
        : (byteAt(this.#id, at, this.#isResponse) + this.#shift) & 255;
      if (at >= this.expected) this.fault = `more than ${this.expected} bytes`;
      else if (bytes[i] !== expected) {
        this.fault = `byte ${at} of ${this.expected} is ${bytes[i]}, expected ${expected}`;
      }
    }
    this.bytes += bytes.length;
  }
}

export const tailByte = 0x54;

/** As the client sends it. */
export function requestHead(exchange: Exchange, saysClose: boolean): Buffer {
  const { request, id } = exchange;
  const lines = [
    `${request.method} ${request.path}/${id} HTTP/1.1`,
    "Host: simulated.test",
    `X-Sim-Id: ${id}`,
  ];
  if (request.framing === "length") lines.push(`Content-Length: ${request.bodyBytes}`);
  if (request.framing === "chunked") lines.push("Transfer-Encoding: chunked");
  if (request.expectsContinue) lines.push("Expect: 100-continue");
  if (saysClose && !request.isUpgrade) lines.push("Connection: close");
  if (request.isUpgrade) lines.push("Connection: upgrade", "Upgrade: websocket");
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** All that is known of it, for people. */
export function describe(exchange: Exchange): string {
  return JSON.stringify(exchange, (_key, value: unknown) =>
    value instanceof Set ? [...value] : value,
  );
}

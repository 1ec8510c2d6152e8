// What one version of a plugin made of a stream, kept until it is compared with another's.
import { createHash, type Hash } from "node:crypto";
import type { HeaderMap } from "../../core/header-map.ts";
import type { LocalReply } from "../../filter/http-filter.ts";

/** Bits of StreamOutcome.pauses: where the filter stopped the message. */
export const Pause = {
  RequestHeaders: 1,
  RequestBody: 2,
  RequestTrailers: 4,
  ResponseHeaders: 8,
  ResponseBody: 16,
  ResponseTrailers: 32,
} as const;

/** Of a body, for who reads a difference. */
const HEAD_BYTES = 1024;

/** A request or a response as it left the filter. */
export class MessageOutcome {
  /** Copies; null = they have not left. */
  headers: HeaderMap | null = null;
  trailers: HeaderMap | null = null;
  bodyBytes: number = 0;
  /** Nothing follows. */
  isEnded: boolean = false;
  readonly #head: Buffer[];
  #headBytes: number = 0;
  #hash: Hash | null = null;

  constructor() {
    this.#head = [];
  }

  takeHeaders(headers: HeaderMap, end: boolean): void {
    this.headers = headers.copy();
    this.isEnded = end;
  }

  /** Bytes lent for the call. */
  takeBody(buffer: Buffer, from: number, to: number, end: boolean): void {
    if (end) this.isEnded = true;
    if (to <= from) return;
    const bytes = buffer.subarray(from, to);
    this.bodyBytes += bytes.length;
    this.#hash ??= createHash("sha256");
    this.#hash.update(bytes);
    const room = HEAD_BYTES - this.#headBytes;
    if (room <= 0) return;
    const head = Buffer.from(bytes.subarray(0, room));
    this.#headBytes += head.length;
    this.#head.push(head);
  }

  takeTrailers(trailers: HeaderMap): void {
    this.isEnded = true;
    this.trailers = trailers.copy();
  }

  /** Of the body so far; it goes on. */
  digest(): string {
    return this.#hash === null ? "" : this.#hash.copy().digest("hex");
  }

  /** The first bytes of the body. */
  headText(): string {
    const text = Buffer.concat(this.#head).toString("utf8");
    return this.bodyBytes > this.#headBytes ? `${text}...` : text;
  }
}

export class StreamOutcome {
  readonly request: MessageOutcome;
  readonly response: MessageOutcome;
  /** What the guest answered with; null = it did not. */
  reply: LocalReply | null = null;
  isClosed: boolean = false;
  isRouteCleared: boolean = false;
  pauses: number = 0;
  /** Filter state and dynamic metadata that the guest has set, as text, by what they are. */
  readonly values: Map<string, string>;
  /** Namespaces, keys and values that it has set. */
  readonly metadata: (readonly [string, string, string])[];
  /** What stood there before, with namespace and key; undefined = nothing. */
  readonly metadataBefore: Map<string, readonly [string, string, unknown]>;
  /** Filter state of the stream as it was before the guest has set it. */
  readonly stateBefore: Map<string, Uint8Array | undefined>;

  constructor() {
    this.request = new MessageOutcome();
    this.response = new MessageOutcome();
    this.values = new Map();
    this.metadata = [];
    this.metadataBefore = new Map();
    this.stateBefore = new Map();
  }

  notePause(pause: number, isPaused: boolean): void {
    if (isPaused) this.pauses |= pause;
  }
}

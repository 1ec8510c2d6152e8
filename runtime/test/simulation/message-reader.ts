// Reads HTTP/1 as strictly as the RFC allows, for the simulated clients and upstreams: what the proxy writes is judged
// here, so nothing of the proxy's own codec is used.

export interface Head {
  /** "GET /x HTTP/1.1" or "HTTP/1.1 200 OK". */
  readonly startLine: string;
  /** Of responses; 0 for requests. */
  readonly status: number;
  /** Names in lower case and values, in the order of the wire. */
  readonly fields: readonly (readonly [string, string])[];
}

export function fieldOf(head: Head, name: string): string | null {
  for (const [key, value] of head.fields) if (key === name) return value;
  return null;
}

export interface MessageEvents {
  onHead(head: Head): void;
  /** Bytes lent for the call. */
  onBody(bytes: Buffer): void;
  /** The message is complete. `trailers` = null when it was not chunked. */
  onComplete(trailers: Head["fields"] | null): void;
  /** Of responses: has the next one no body although its head may say so? */
  isBodiless(head: Head): boolean;
}

const State = {
  Head: 0,
  Length: 1,
  ChunkSize: 2,
  Chunk: 3,
  ChunkEnd: 4,
  Trailers: 5,
  UntilClose: 6,
} as const;

const headBytesMax = 256 * 1024;
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Fed with bytes; `error` says what was wrong, and nothing is read after it. */
export class MessageReader {
  error: string;
  /** Whole messages, informational responses not counted. */
  completed: number;
  readonly #isResponse: boolean;
  readonly #events: MessageEvents;
  #state: number;
  #text: Buffer;
  #left: number;
  #isPaused: boolean;

  constructor(isResponse: boolean, events: MessageEvents) {
    this.error = "";
    this.completed = 0;
    this.#isResponse = isResponse;
    this.#events = events;
    this.#state = State.Head;
    this.#text = Buffer.alloc(0);
    this.#left = 0;
    this.#isPaused = false;
  }

  /** Inside a message, of which at least a byte has come. */
  get isInMessage(): boolean {
    return this.#state !== State.Head || this.#text.length > 0;
  }

  /** The head of a message has come and its end has not. */
  get isInBody(): boolean {
    return this.#state !== State.Head;
  }

  get isUntilClose(): boolean {
    return this.#state === State.UntilClose;
  }

  /** Bytes that follow are nobody's message: 101, CONNECT, or a reader that has enough. */
  stop(): void {
    this.#isPaused = true;
  }

  read(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length && this.error === "" && !this.#isPaused) {
      if (this.#state === State.Length || this.#state === State.Chunk) at = this.#body(bytes, at);
      else if (this.#state === State.UntilClose) {
        this.#events.onBody(bytes.subarray(at));
        at = bytes.length;
      } else at = this.#line(bytes, at);
    }
  }

  /** The peer will send no more. */
  end(): void {
    if (this.error !== "" || this.#isPaused) return;
    if (this.#state === State.UntilClose) this.#complete(null);
    else if (this.isInMessage) this.error = "ended in the middle of a message";
  }

  #body(bytes: Buffer, at: number): number {
    const count = Math.min(this.#left, bytes.length - at);
    this.#left -= count;
    this.#events.onBody(bytes.subarray(at, at + count));
    if (this.#left > 0) return at + count;
    if (this.#state === State.Length) this.#complete(null);
    else this.#state = State.ChunkEnd;
    return at + count;
  }

  /** Gathers what ends with CR LF, or the blank line after a head or trailers. */
  #line(bytes: Buffer, at: number): number {
    const before = this.#text.length;
    this.#text = Buffer.concat([this.#text, bytes.subarray(at)]);
    const isBlock = this.#state === State.Head || this.#state === State.Trailers;
    const end = isBlock ? this.#blockEnd(before) : this.#text.indexOf("\r\n");
    if (end < 0) {
      if (this.#text.length > headBytesMax) this.error = "a head without an end";
      return bytes.length;
    }
    const size = isBlock ? end : end + 2;
    const text = this.#text.toString("latin1", 0, isBlock ? end - 4 : end);
    this.#text = Buffer.alloc(0);
    this.#take(text);
    return at + size - before;
  }

  /** Where the block ends, its blank line included; trailers may be nothing but that line. */
  #blockEnd(before: number): number {
    const text = this.#text;
    if (this.#state === State.Trailers && text.length >= 2 && text[0] === 13 && text[1] === 10)
      return 2;
    const found = text.indexOf("\r\n\r\n", Math.max(0, before - 3));
    return found < 0 ? -1 : found + 4;
  }

  #take(text: string): void {
    if (this.#state === State.Head) this.#head(text);
    else if (this.#state === State.Trailers)
      this.#complete(this.#fields(text === "" ? [] : text.split("\r\n")));
    else if (this.#state === State.ChunkEnd) {
      if (text !== "") this.error = `chunk is followed by ${JSON.stringify(text.slice(0, 40))}`;
      this.#state = State.ChunkSize;
    } else this.#chunkSize(text);
  }

  #chunkSize(line: string): void {
    const match = /^([0-9a-fA-F]{1,8})(;.*)?$/.exec(line);
    if (match === null) {
      this.error = `chunk size ${JSON.stringify(line.slice(0, 40))}`;
      return;
    }
    this.#left = Number.parseInt(match[1] as string, 16);
    this.#state = this.#left === 0 ? State.Trailers : State.Chunk;
  }

  #head(text: string): void {
    const [startLine = "", ...lines] = text.split("\r\n");
    const pattern = this.#isResponse
      ? /^HTTP\/1\.1 ([1-9]\d\d) [ -~]*$/
      : /^[A-Z]+ [!-~]+ HTTP\/1\.1$/;
    const match = pattern.exec(startLine);
    if (match === null) {
      this.error = `start line ${JSON.stringify(startLine.slice(0, 80))}`;
      return;
    }
    const fields = this.#fields(lines);
    if (this.error !== "") return;
    const status = this.#isResponse ? Number(match[1]) : 0;
    this.#frame({ startLine, status, fields });
  }

  #fields(lines: readonly string[]): Head["fields"] {
    return lines.map((line) => {
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(colon, 0));
      const value = line.slice(colon + 1).trim();
      // eslint-disable-next-line no-control-regex
      if (!token.test(name) || /[\0\r\n]/.test(value))
        this.error = `field ${JSON.stringify(line.slice(0, 80))}`;
      return [name.toLowerCase(), value] as const;
    });
  }

  #frame(head: Head): void {
    const lengths = head.fields.filter(([name]) => name === "content-length");
    const codings = head.fields.filter(([name]) => name === "transfer-encoding");
    if (lengths.length + codings.length > 1) {
      this.error = "framed twice";
      return;
    }
    const isInterim = head.status >= 100 && head.status < 200;
    const isBodiless = isInterim || (this.#isResponse && this.#events.isBodiless(head));
    this.#events.onHead(head);
    if (this.error !== "" || this.#isPaused) return;
    if (isInterim) return;
    const [length, coding] = [lengths[0]?.[1] ?? "", codings[0]?.[1] ?? ""];
    if (coding !== "" && coding !== "chunked") this.error = `transfer-encoding: ${coding}`;
    else if (length !== "" && !/^\d{1,15}$/.test(length)) this.error = `content-length: ${length}`;
    else if (isBodiless) this.#complete(null);
    else if (coding !== "") this.#state = State.ChunkSize;
    else if (length !== "") {
      this.#left = Number(length);
      this.#state = State.Length;
      if (this.#left === 0) this.#complete(null);
    } else if (this.#isResponse) this.#state = State.UntilClose;
    else this.#complete(null);
  }

  #complete(trailers: Head["fields"] | null): void {
    if (this.error !== "") return;
    this.#state = State.Head;
    this.completed += 1;
    this.#events.onComplete(trailers);
  }
}

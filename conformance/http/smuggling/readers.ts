// Small HTTP/1 readers with the bad habits of real servers: what each of them would see in the bytes that
// a proxy passed on. They share no code with the runtime, and none of them is meant to be right.

/** What a reader does where the specification leaves no choice, or one that others take otherwise. */
export interface Habits {
  readonly name: string;
  /** Which of content-length and transfer-encoding it believes when both are there. */
  readonly prefers: "length" | "coding";
  /** "exact": only `chunked`; "contains": anything with chunked in it; "any": whatever is there. */
  readonly coding: "exact" | "contains" | "any";
  /** Which of several lines of a name it takes. */
  readonly takes: "first" | "last";
  /** "digits": all or nothing; "prefix": as parseInt: signs, spaces, what follows the digits. */
  readonly numbers: "digits" | "prefix" | "octal";
  /** What ends a line of a head or of chunk framing. */
  readonly lineEnd: "crlf" | "lf" | "cr";
  /** A line that begins with a blank belongs to the one before. */
  readonly joinsFolds: boolean;
  /** `Content_Length`, `content-length ` and `content-length\x0b` are content-length. */
  readonly bendsNames: boolean;
  /** NUL ends a value; vertical tab and form feed are blanks. */
  readonly bendsValues: boolean;
}

export const strict: Habits = {
  name: "strict",
  prefers: "coding",
  coding: "exact",
  takes: "first",
  numbers: "digits",
  lineEnd: "crlf",
  joinsFolds: false,
  bendsNames: false,
  bendsValues: false,
};

/** Each has one vice, the last ones several. */
export const readers: readonly Habits[] = [
  strict,
  { ...strict, name: "prefers content-length", prefers: "length" },
  { ...strict, name: "takes any coding for chunked", coding: "any" },
  { ...strict, name: "finds chunked anywhere", coding: "contains" },
  { ...strict, name: "takes the last line of a name", takes: "last" },
  { ...strict, name: "reads numbers as far as they go", numbers: "prefix" },
  { ...strict, name: "reads numbers with a leading zero as octal", numbers: "octal" },
  { ...strict, name: "takes a bare LF for a line end", lineEnd: "lf" },
  { ...strict, name: "takes a bare CR for a line end", lineEnd: "cr" },
  { ...strict, name: "joins folded lines", joinsFolds: true },
  { ...strict, name: "bends names", bendsNames: true },
  { ...strict, name: "bends values", bendsValues: true },
  {
    name: "lax, by length",
    prefers: "length",
    coding: "contains",
    takes: "first",
    numbers: "prefix",
    lineEnd: "lf",
    joinsFolds: true,
    bendsNames: true,
    bendsValues: true,
  },
  {
    name: "lax, by coding",
    prefers: "coding",
    coding: "any",
    takes: "last",
    numbers: "prefix",
    lineEnd: "cr",
    joinsFolds: true,
    bendsNames: true,
    bendsValues: true,
  },
];

/** One message as a reader saw it. */
export interface Seen {
  /** Request line without its version, or the status. */
  readonly start: string;
  readonly host: string;
  readonly body: string;
  readonly isComplete: boolean;
}

interface Line {
  readonly text: string;
  readonly next: number;
}

interface Head {
  readonly start: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly next: number;
}

const CUT = -1;

/** All messages in `bytes` (a character each); `requestMethods` makes it a stream of responses. */
export class Reader {
  readonly habits: Habits;

  constructor(habits: Habits) {
    this.habits = habits;
  }

  requests(bytes: string): Seen[] {
    return this.#messages(bytes, null, false);
  }

  /** Responses to requests of these methods; `isEnded`: the connection was closed behind them. */
  responses(bytes: string, methods: readonly string[], isEnded: boolean): Seen[] {
    return this.#messages(bytes, methods, isEnded);
  }

  #messages(bytes: string, methods: readonly string[] | null, isEnded: boolean): Seen[] {
    const seen: Seen[] = [];
    let at = 0;
    let finals = 0;
    while (at < bytes.length) {
      const head = this.#head(bytes, at);
      if (head === null) {
        const start = bytes.slice(at).trimStart();
        if (start !== "") seen.push({ start: "", host: "", body: "", isComplete: false });
        break;
      }
      const method = methods?.[finals];
      const status = Number(/^HTTP\/\S+ (\d{3})/.exec(head.start)?.[1] ?? 0);
      const hasBody =
        methods === null ||
        (status >= 200 && status !== 204 && status !== 304 && method !== "HEAD");
      if (methods === null || status >= 200) finals += 1;
      const [body, next] = hasBody
        ? this.#body(bytes, head, methods !== null, isEnded)
        : ["", head.next];
      const start = methods === null ? head.start.replace(/ HTTP\/\S*$/, "") : String(status);
      const host = head.headers.get("host") ?? "";
      seen.push({ start, host, body, isComplete: next !== CUT });
      if (next === CUT) break;
      at = next;
    }
    return seen;
  }

  #line(bytes: string, at: number): Line | null {
    const { lineEnd } = this.habits;
    if (lineEnd === "crlf") {
      const end = bytes.indexOf("\r\n", at);
      return end < 0 ? null : { text: bytes.slice(at, end), next: end + 2 };
    }
    const ending = lineEnd === "lf" ? /\r?\n/g : /\r\n|\n|\r/g;
    ending.lastIndex = at;
    const found = ending.exec(bytes);
    if (found === null) return null;
    return { text: bytes.slice(at, found.index), next: ending.lastIndex };
  }

  #head(bytes: string, from: number): Head | null {
    let line = this.#line(bytes, from);
    while (line !== null && line.text === "") line = this.#line(bytes, line.next);
    if (line === null) return null;
    const start = line.text;
    const lines: string[] = [];
    for (;;) {
      line = this.#line(bytes, line.next);
      if (line === null) return null;
      if (line.text === "") break;
      if (this.habits.joinsFolds && /^[ \t]/.test(line.text) && lines.length > 0) {
        lines.push(`${lines.pop() ?? ""} ${line.text.trim()}`);
      } else lines.push(line.text);
    }
    const headers = new Map<string, string>();
    for (const text of lines) this.#addHeader(headers, text);
    return { start, headers, next: line.next };
  }

  #addHeader(headers: Map<string, string>, line: string): void {
    const { bendsNames, bendsValues, takes } = this.habits;
    const colon = line.indexOf(":");
    if (colon < 0) return;
    let name = line.slice(0, colon).toLowerCase();
    if (bendsNames) name = name.replace(/[\s\0]+/g, "").replaceAll("_", "-");
    let value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
    if (bendsValues) value = (value.split("\0")[0] ?? "").replace(/^[\s\v\f]+|[\s\v\f]+$/g, "");
    if (takes === "last" || !headers.has(name)) headers.set(name, value);
  }

  /** The body and where it ends; CUT when it is not all there. */
  #body(bytes: string, head: Head, isResponse: boolean, isEnded: boolean): [string, number] {
    const { coding, prefers } = this.habits;
    const codings = head.headers.get("transfer-encoding")?.toLowerCase();
    const isChunked =
      codings !== undefined &&
      (coding === "any" ||
        (coding === "exact" ? codings === "chunked" : codings.includes("chunked")));
    const text = head.headers.get("content-length");
    const length = text === undefined ? Number.NaN : this.#number(text, 10);
    if (isChunked && !(prefers === "length" && !Number.isNaN(length))) {
      return this.#chunks(bytes, head.next);
    }
    if (!Number.isNaN(length)) {
      const end = head.next + length;
      return end <= bytes.length
        ? [bytes.slice(head.next, end), end]
        : [bytes.slice(head.next), CUT];
    }
    if (!isResponse) return ["", head.next];
    return [bytes.slice(head.next), isEnded ? bytes.length : CUT];
  }

  #chunks(bytes: string, from: number): [string, number] {
    let body = "";
    let line = this.#line(bytes, from);
    while (line !== null) {
      const size = this.#number(line.text.split(";")[0]?.trim() ?? "", 16);
      if (Number.isNaN(size)) return [body, CUT];
      if (size === 0) break;
      const end = line.next + size;
      body += bytes.slice(line.next, end);
      if (end >= bytes.length) return [body, CUT];
      const behind = this.#line(bytes, end);
      line = behind === null ? null : this.#line(bytes, behind.next);
    }
    while (line !== null) {
      line = this.#line(bytes, line.next);
      if (line?.text === "") return [body, line.next];
    }
    return [body, CUT];
  }

  #number(text: string, base: 10 | 16): number {
    const { numbers } = this.habits;
    if (numbers === "prefix") return Math.max(Number.parseInt(text, base), 0);
    if (base === 10 && numbers === "octal" && /^0[0-7]+$/.test(text))
      return Number.parseInt(text, 8);
    if (!(base === 10 ? /^\d+$/ : /^[\da-f]+$/i).test(text)) return Number.NaN;
    return Number.parseInt(text, base);
  }
}

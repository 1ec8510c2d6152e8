// HTTP/1.1 once more, straight from RFC 9112 and slow: what the codec must accept, and how long each message
// is. Shares no code with the runtime. Works on whole texts, a character a byte; never on pieces.

/** Limits that are ours and not the RFC's. */
export interface Limits {
  readonly headBytesMax: number;
  readonly headersMax: number;
}

export type Field = readonly [name: string, value: string];

/** A message as far as it is there. */
export interface Message {
  /** Method and target, or the status. */
  readonly start: string;
  readonly fields: readonly Field[];
  readonly body: string;
  readonly isWhole: boolean;
}

/** All messages of a stream, and what comes behind the last. */
export interface Stream {
  readonly messages: readonly Message[];
  /** "more": the stream could go on; "error": refused; "closed": nothing behind is read. */
  readonly end: "more" | "error" | "closed";
}

interface Head {
  readonly start: string;
  readonly fields: readonly Field[];
  readonly next: number;
}

type Failure = "more" | "error";

/** RFC 9110, 5.6.2; and the methods that Envoy knows. */
const methods: ReadonlySet<string> = new Set(
  (
    "ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL MOVE " +
    "MSEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT QUERY REBIND REPORT SEARCH SOURCE " +
    "SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE"
  ).split(" "),
);
const fieldLine = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*$/;
const requestLine = /^([A-Z]+) ([\x21-\x7e]+) HTTP\/1\.1$/;
const statusLine = /^HTTP\/1\.(\d) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const hostText = /^[\w\-.~!$&'()*+,;=%:[\]]*$/;

/** The head at `from`: ended by the first empty line behind a line that is not empty. */
function headAt(
  text: string,
  from: number,
  limits: Limits,
  skipsEmptyLines: boolean,
): Head | Failure {
  let start = from;
  while (skipsEmptyLines && text.startsWith("\r\n", start)) start += 2;
  const end = text.indexOf("\r\n\r\n", start);
  if (end < 0) return "more";
  if (end + 4 - from > limits.headBytesMax) return "error";
  const [first = "", ...lines] = text.slice(start, end).split("\r\n");
  if (lines.length > limits.headersMax) return "error";
  const fields = fieldsOf(lines);
  return fields === null ? "error" : { start: first, fields, next: end + 4 };
}

function fieldsOf(lines: readonly string[]): Field[] | null {
  const fields: Field[] = [];
  for (const line of lines) {
    const match = fieldLine.exec(line);
    if (match === null) return null;
    fields.push([(match[1] as string).toLowerCase(), match[2] as string]);
  }
  return fields;
}

function valuesOf(fields: readonly Field[], name: string): string[] {
  return fields.filter((field) => field[0] === name).map((field) => field[1]);
}

/** The items of all lines of a list. */
function itemsOf(fields: readonly Field[], name: string): string[] {
  return valuesOf(fields, name)
    .flatMap((value) => value.split(","))
    .map((item) => item.trim().toLowerCase())
    .filter((item) => item !== "");
}

/** How the body is delimited (RFC 9112, 6.3); "none" when nothing says so. */
function framingOf(fields: readonly Field[]): number | "chunked" | "none" | "error" {
  const codings = valuesOf(fields, "transfer-encoding");
  const lengths = valuesOf(fields, "content-length");
  if (codings.length > 0) {
    const isChunked = codings.length === 1 && codings[0]?.toLowerCase() === "chunked";
    return isChunked && lengths.length === 0 ? "chunked" : "error";
  }
  if (lengths.length === 0) return "none";
  const value = lengths[0] as string;
  if (lengths.length > 1 || !/^\d+$/.test(value)) return "error";
  const length = BigInt(value);
  return length > BigInt(Number.MAX_SAFE_INTEGER) ? "error" : Number(length);
}

/** What the target makes of method and authority; null when the target is refused. */
function targetOf(method: string, target: string, host: string | undefined): string | null {
  if (method === "CONNECT") {
    if (!/:/.test(target) || !isAuthority(target) || /:$|^:/.test(target)) return null;
    return isPortLast(target) ? `CONNECT ${target}` : null;
  }
  if (target.startsWith("/")) return `${method} ${target} ${host ?? "-"}`;
  if (target === "*") return method === "OPTIONS" ? `${method} * ${host ?? "-"}` : null;
  const match = /^([^:]+):\/\/([^/?#]*)(.*)$/s.exec(target);
  if (match === null || !/^https?$/i.test(match[1] as string)) return null;
  const authority = match[2] as string;
  if (!isAuthority(authority)) return null;
  return `${method} ${match[3] === "" ? "/" : (match[3] as string)} ${authority}`;
}

/** An IPv6 address in brackets may end without a port, but CONNECT's needs one. */
function isPortLast(target: string): boolean {
  return !target.startsWith("[") || /\]:\d+$/.test(target);
}

function isAuthority(text: string): boolean {
  if (!hostText.test(text)) return false;
  const match = /^(?:\[[^\]]*\]|[^:[][^:]*)(?::(\d+))?$/.exec(text);
  return match !== null && (match[1] === undefined || Number(match[1]) <= 65535);
}

interface Body {
  readonly text: string;
  readonly next: number;
  readonly end: "whole" | Failure;
}

function lengthBody(text: string, from: number, length: number): Body {
  const next = Math.min(from + length, text.length);
  return { text: text.slice(from, next), next, end: next < from + length ? "more" : "whole" };
}

const CHUNK_LINE_MAX = 16 * 1024;

/** RFC 9112, 7.1. Extensions are any visible text, blanks and obs-text. */
function chunkedBody(text: string, from: number, limits: Limits): Body {
  let at = from;
  let body = "";
  for (;;) {
    const rest = text.slice(at, at + CHUNK_LINE_MAX + 64);
    const line = /^([0-9A-Fa-f]+)([ \t]*)(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n/.exec(rest);
    if (line === null) {
      const isOpen = /^(?:[0-9A-Fa-f]+(?:[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r?)?)?$/.test(rest);
      const digits = /^[0-9A-Fa-f]*/.exec(rest)?.[0] ?? "";
      const isHuge = BigInt(`0x0${digits}`) > BigInt(Number.MAX_SAFE_INTEGER);
      return { text: body, next: at, end: isOpen && !isHuge ? "more" : "error" };
    }
    const size = BigInt(`0x${line[1] as string}`);
    if (size > BigInt(Number.MAX_SAFE_INTEGER)) return { text: body, next: at, end: "error" };
    at += line[0].length;
    if (size === 0n) break;
    const data = text.slice(at, at + Number(size));
    body += data;
    at += data.length;
    if (data.length < Number(size)) return { text: body, next: at, end: "more" };
    const behind = text.slice(at, at + 2);
    if (behind !== "\r\n") {
      return { text: body, next: at, end: "\r\n".startsWith(behind) ? "more" : "error" };
    }
    at += 2;
  }
  if (text.startsWith("\r\n", at)) return { text: body, next: at + 2, end: "whole" };
  const end = text.indexOf("\r\n\r\n", at);
  if (end < 0) return { text: body, next: at, end: "more" };
  const lines = text.slice(at, end).split("\r\n");
  const fields = fieldsOf(lines);
  const isWrong =
    fields === null ||
    lines.length > limits.headersMax ||
    end + 4 - at > limits.headBytesMax ||
    hasLookalike(fields);
  return { text: body, next: end + 4, end: isWrong ? "error" : "whole" };
}

function hasLookalike(fields: readonly Field[]): boolean {
  return fields.some(([name]) => name === "content_length" || name === "transfer_encoding");
}

/** Names that Connection may not take out, and how many it may name: Envoy's rules. */
function isConnectionRefused(fields: readonly Field[]): boolean {
  const items = itemsOf(fields, "connection");
  const isPlain = valuesOf(fields, "connection").every((value) =>
    /^(close|keep-alive)$/.test(value),
  );
  if (isPlain && valuesOf(fields, "connection").length === 1) return false;
  return (
    items.length >= 10 ||
    items.some((item) => item.startsWith(":") || /^x-forwarded-(for|host|proto)$/.test(item))
  );
}

function wantsClose(fields: readonly Field[]): boolean {
  return [...itemsOf(fields, "connection"), ...itemsOf(fields, "proxy-connection")].includes(
    "close",
  );
}

/** Fields that Connection takes out before anybody looks for an upgrade: h2c goes, too. */
function isUpgrade(fields: readonly Field[]): boolean {
  const offers = valuesOf(fields, "upgrade");
  if (offers.length === 0 || !itemsOf(fields, "connection").includes("upgrade")) return false;
  return offers[0]?.toLowerCase() !== "h2c";
}

/** The requests in `text`, as a server must see them. */
export function referenceRequests(text: string, limits: Limits): Stream {
  const messages: Message[] = [];
  let at = 0;
  for (;;) {
    const head = headAt(text, at, limits, true);
    if (typeof head === "string") return { messages, end: head };
    const match = requestLine.exec(head.start);
    const hosts = valuesOf(head.fields, "host");
    const framing = framingOf(head.fields);
    if (match === null || !methods.has(match[1] as string)) return { messages, end: "error" };
    if (hosts.length > 1 || !hostText.test(hosts[0] ?? "")) return { messages, end: "error" };
    if (framing === "error" || hasLookalike(head.fields)) return { messages, end: "error" };
    const method = match[1] as string;
    const start = targetOf(method, match[2] as string, hosts[0]);
    if (start === null || isConnectionRefused(head.fields)) return { messages, end: "error" };
    const hasBody = framing === "chunked" || (typeof framing === "number" && framing > 0);
    if (method === "CONNECT" && hasBody) return { messages, end: "error" };
    const body =
      framing === "chunked"
        ? chunkedBody(text, head.next, limits)
        : lengthBody(text, head.next, framing === "none" ? 0 : framing);
    const isTunnel = !hasBody && (method === "CONNECT" || isUpgrade(head.fields));
    const isWhole = body.end === "whole" && !isTunnel;
    messages.push({ start, fields: head.fields, body: body.text, isWhole });
    if (body.end !== "whole") return { messages, end: body.end };
    if (isTunnel) return { messages, end: "more" };
    if (wantsClose(head.fields)) return { messages, end: "closed" };
    at = body.next;
  }
}

/** The first final response in `text`, to a request of `method`; `isEnded`: the peer sent FIN. */
export function referenceResponse(
  text: string,
  method: string,
  isEnded: boolean,
  limits: Limits,
): Message | Failure {
  let at = 0;
  for (let interim = 0; ; interim += 1) {
    const head = headAt(text, at, limits, false);
    if (typeof head === "string") return head;
    const match = statusLine.exec(head.start);
    if (match === null) return "error";
    const status = Number(match[2]);
    const framing = framingOf(head.fields);
    if (framing === "error" || status === 101) return "error";
    const isBare = status < 200 || status === 204;
    if (isBare && (framing === "chunked" || (typeof framing === "number" && framing > 0))) {
      return "error";
    }
    if (status < 200) {
      if (interim >= 100) return "error";
      at = head.next;
      continue;
    }
    const message = { start: String(status), fields: head.fields };
    if (isBare || status === 304 || method === "HEAD")
      return { ...message, body: "", isWhole: true };
    if (framing === "none") return { ...message, body: text.slice(head.next), isWhole: isEnded };
    const body =
      framing === "chunked"
        ? chunkedBody(text, head.next, limits)
        : lengthBody(text, head.next, framing);
    return { ...message, body: body.text, isWhole: body.end === "whole" };
  }
}

// Cuts a stream of bytes (one character each) into HTTP/1 messages; used on both sides of a proxy.

/** How the end of a body is known. */
export type Framing = "none" | "length" | "chunked" | "close";

/** One request or response as it stood on the wire. */
export interface Message {
  /** Request line or status line. */
  readonly start: string;
  /** Header lines as they came: order, case and white space are part of the comparison. */
  readonly headers: readonly string[];
  readonly framing: Framing;
  /** Body without chunk framing. */
  readonly body: string;
  readonly trailers: readonly string[];
  readonly isComplete: boolean;
}

/** A message and how many characters it took. */
export interface Cut {
  readonly message: Message;
  readonly used: number;
}

interface Body {
  readonly framing: Framing;
  readonly body: string;
  readonly trailers: readonly string[];
  readonly isComplete: boolean;
  readonly used: number;
}

function headerValue(headers: readonly string[], name: string): string | undefined {
  for (const line of headers) {
    const colon = line.indexOf(":");
    if (line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return undefined;
}

function chunkedBody(text: string): Body {
  let at = 0;
  let body = "";
  const cut = (isComplete: boolean, trailers: readonly string[] = []): Body => {
    return { framing: "chunked", body, trailers, isComplete, used: isComplete ? at : text.length };
  };
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return cut(false);
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) return cut(false);
    at = lineEnd + 2;
    if (size === 0) break;
    body += text.slice(at, at + size);
    if (at + size + 2 > text.length) return cut(false);
    at += size + 2;
  }
  if (text.startsWith("\r\n", at)) {
    at += 2;
    return cut(true);
  }
  const end = text.indexOf("\r\n\r\n", at);
  if (end < 0) return cut(false);
  const trailers = text.slice(at, end).split("\r\n");
  at = end + 4;
  return cut(true, trailers);
}

function bodyOf(text: string, headers: readonly string[], isResponse: boolean): Body {
  const length = headerValue(headers, "content-length");
  if (headerValue(headers, "transfer-encoding")?.toLowerCase().includes("chunked") === true) {
    return chunkedBody(text);
  }
  if (length !== undefined) {
    const size = Number(length);
    const isComplete = text.length >= size;
    const body = text.slice(0, size);
    return { framing: "length", body, trailers: [], isComplete, used: body.length };
  }
  if (isResponse) {
    return { framing: "close", body: text, trailers: [], isComplete: false, used: text.length };
  }
  return { framing: "none", body: "", trailers: [], isComplete: true, used: 0 };
}

const NO_BODY: Body = { framing: "none", body: "", trailers: [], isComplete: true, used: 0 };

function headOf(text: string): { start: string; headers: string[]; used: number } | undefined {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const [start = "", ...headers] = text.slice(0, end).split("\r\n");
  return { start, headers, used: end + 4 };
}

/** The first request in `text`, perhaps incomplete; undefined while its head is. */
export function cutRequest(text: string): Cut | undefined {
  const head = headOf(text);
  if (head === undefined) return undefined;
  const { used, ...body } = bodyOf(text.slice(head.used), head.headers, false);
  const message = { start: head.start, headers: head.headers, ...body };
  return { message, used: head.used + used };
}

/** The status code of a status line, 0 when it has none. */
export function statusOf(start: string): number {
  return Number(/^HTTP\/\d\.\d (\d{3})/.exec(start)?.[1] ?? 0);
}

/** Whether a response is followed by another one to the same request. */
export function isInterim(message: Message): boolean {
  const status = statusOf(message.start);
  return status >= 100 && status < 200 && status !== 101;
}

/** The first response in `text`, perhaps incomplete; undefined while its head is. */
export function cutResponse(text: string, isHead: boolean): Cut | undefined {
  const head = headOf(text);
  if (head === undefined) return undefined;
  const status = statusOf(head.start);
  const isBare = isHead || (status >= 100 && status < 200) || status === 204 || status === 304;
  const body = isBare ? NO_BODY : bodyOf(text.slice(head.used), head.headers, true);
  const { used, ...rest } = body;
  return { message: { start: head.start, headers: head.headers, ...rest }, used: head.used + used };
}

/** All responses of a connection and what is left over behind them. */
export function cutResponses(
  text: string,
  isHead: boolean,
  hasEnded: boolean,
): { readonly messages: readonly Message[]; readonly rest: string } {
  const messages: Message[] = [];
  let at = 0;
  while (at < text.length) {
    const cut = cutResponse(text.slice(at), isHead);
    if (cut === undefined) break;
    const isClosedBody = hasEnded && cut.message.framing === "close";
    messages.push(isClosedBody ? { ...cut.message, isComplete: true } : cut.message);
    at += cut.used;
    if (!cut.message.isComplete) break;
  }
  return { messages, rest: text.slice(at) };
}

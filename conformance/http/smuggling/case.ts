// What a case of the smuggling set is made of, and the short ways to write one.

/** Listeners of the rig, each with its own leniencies: see rig.ts. */
export type Site =
  | "main"
  | "http10"
  | "length_dropped"
  | "trailers"
  | "preserve"
  | "normalize"
  | "no_absolute"
  | "upgrades";

/** What came of a request case. */
export interface Outcome {
  /** Whole requests that the upstream received: method, target, and the body when there is one. */
  readonly upstream: readonly string[];
  /** Final statuses that the client received. */
  readonly statuses: readonly number[];
  /** Of the client's connection: "open" means that one more request was served on it. */
  readonly fate: "open" | "closed";
}

/** Bytes of a client, and what must come of them. */
export interface RequestCase {
  /** Unique, `kebab-case`. */
  readonly id: string;
  /** What the trick is, and what a wrong reading of it would do. */
  readonly why: string;
  readonly site: Site;
  /** A character is a byte. */
  readonly send: string;
  /** The client says FIN behind its bytes. */
  readonly fin: boolean;
  readonly expected: Outcome;
}

type Options = Partial<Pick<RequestCase, "site" | "fin">>;

/** The request is refused and the connection closed; nothing reaches the upstream. */
export function refused(
  id: string,
  why: string,
  send: string,
  status = 400,
  more: Options = {},
): RequestCase {
  const expected: Outcome = { upstream: [], statuses: [status], fate: "closed" };
  return { id, why, send, site: "main", fin: false, ...more, expected };
}

/** These requests, and no others, reach the upstream; all are answered with 200. */
export function served(
  id: string,
  why: string,
  send: string,
  upstream: readonly string[],
  more: Options & { readonly fate?: "open" | "closed" } = {},
): RequestCase {
  const { fate = "open", ...rest } = more;
  const expected: Outcome = { upstream, statuses: upstream.map(() => 200), fate };
  return { id, why, send, site: "main", fin: false, ...rest, expected };
}

/** Anything else. */
export function becomes(
  id: string,
  why: string,
  send: string,
  expected: Outcome,
  more: Options = {},
): RequestCase {
  return { id, why, send, site: "main", fin: false, ...more, expected };
}

/** Lines with CRLF behind each, and the empty line. */
export function head(...lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** The second request that the tricks want to hide or to forge. */
export const SECOND: string = head("GET /second HTTP/1.1", "Host: h");

/** A POST with these header lines. */
export function post(path: string, ...lines: readonly string[]): string {
  return head(`POST ${path} HTTP/1.1`, "Host: h", ...lines);
}

export function get(path: string, ...lines: readonly string[]): string {
  return head(`GET ${path} HTTP/1.1`, "Host: h", ...lines);
}

/** Bytes of an upstream's response, and what the client must see. */
export interface ResponseCase {
  readonly id: string;
  readonly why: string;
  /** Method of the client's request. */
  readonly method: string;
  readonly reply: string;
  /** The upstream closes behind its bytes. */
  readonly closes: boolean;
  readonly status: number;
  /** null: it does not matter (error pages of ours), or it is cut off. */
  readonly body: string | null;
  /** The client sees the response's whole end. */
  readonly isWhole: boolean;
}

type ResponseOptions = Partial<Pick<ResponseCase, "method" | "closes" | "isWhole">>;

export function relayed(
  id: string,
  why: string,
  reply: string,
  status: number,
  body: string | null,
  more: ResponseOptions = {},
): ResponseCase {
  return {
    id,
    why,
    method: "GET",
    reply,
    closes: false,
    isWhole: true,
    ...more,
    status,
    body,
  };
}

/** The response is not passed on: the client gets 502. */
export function dropped(
  id: string,
  why: string,
  reply: string,
  more: ResponseOptions = {},
): ResponseCase {
  return relayed(id, why, reply, 502, null, more);
}

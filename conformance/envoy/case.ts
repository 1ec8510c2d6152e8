// What a differential case is made of: plain data, read by run-group.ts, filled in by cases/.

/** JSON as it stands in a configuration. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** An object of a configuration; `undefined` never stands in it. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * One step of a client: bytes (each character is one byte) in a write of their own, a pause, or
 * the wait for bytes that the proxy must have sent first.
 */
export type Piece = string | { readonly pauseMs: number } | { readonly awaitText: string };

/** One downstream connection of a case. */
export interface Connection {
  /** Name of the listener, default `main`. */
  readonly site?: string;
  readonly send: readonly Piece[];
  /** Final responses to wait for before the connection's fate is looked at, default 1. */
  readonly responses?: number;
  /** Set when all responses of this connection answer HEAD and so have no body. */
  readonly head?: boolean;
  /** Send FIN after the last piece. */
  readonly fin?: boolean;
  /** Close our side when the first bytes of a response are there, and read no more. */
  readonly abort?: boolean;
}

/** One step of an upstream's answer: bytes, a pause, or the wait for the end of the request. */
export type Step = string | { readonly pauseMs: number } | { readonly awaitRequestEnd: true };

/** How the upstream answers one request. */
export interface Reply {
  /** `head`: start as soon as the request's head is there. Default `complete`. */
  readonly when?: "head" | "complete";
  readonly steps: readonly Step[];
  /** What happens to the upstream connection afterwards, default `keep`. */
  readonly after?: "keep" | "close" | "reset";
}

/** One exchange, or several, against the running configuration of its group. */
export interface Case {
  /** Unique in all groups: `kebab-case`. Goldens and KNOWN_DIFFERENCES name it. */
  readonly id: string;
  readonly title: string;
  readonly connections: readonly Connection[];
  /** Posted to the admin interface before the first connection, such as `/runtime_modify?a=1`. */
  readonly adminPost?: string;
  /** Answers to the requests that reach an upstream, in order; then `DEFAULT_REPLY`. */
  readonly replies?: readonly Reply[];
  /** Start each connection 40 ms after the one before, without waiting for its end. */
  readonly parallel?: boolean;
  /** Upstreams are called by the order in which they come: which one is first is chance. */
  readonly namesByOrder?: true;
  /** As `namesByOrder`, where the order is chance, too: the busiest is the first. */
  readonly namesByLoad?: true;
  /** Stats are not compared: their number depends on chance (say why in a comment). */
  readonly ignoreStats?: boolean;
}

/** One listener of a group. */
export interface Site {
  /** Laid over the HCM of bootstrap.ts, field by field. */
  readonly hcm?: JsonObject;
  /** Replaces `route_config.virtual_hosts`. */
  readonly virtualHosts?: readonly JsonObject[];
  /** Further fields of `route_config`. */
  readonly routeConfig?: JsonObject;
  /** Further fields of the listener. */
  readonly listener?: JsonObject;
  /** Replaces the access log's `log_format`; null gives the default format. */
  readonly logFormat?: JsonObject | null;
  /** Applied to each log line before it is compared: what time alone decides. */
  readonly logMasks?: readonly (readonly [RegExp, string])[];
}

/** Cases that share one configuration, and so one process. */
export interface Group {
  /** File name of the golden. */
  readonly id: string;
  readonly title: string;
  readonly sites: Readonly<Record<string, Site>>;
  /** Further clusters, beside `up`, `other`, `dead` and `empty`. */
  readonly clusters?: readonly JsonObject[];
  /** Further fields of the bootstrap. */
  readonly bootstrap?: JsonObject;
  /** Written into the run's folder (`$DIR`) before the start, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly cases: readonly Case[];
}

/** A configuration that one of the two refuses at start. */
export interface ConfigCase {
  readonly id: string;
  readonly title: string;
  readonly site?: Site;
  /** YAML text instead of a site, with the placeholders of bootstrap.ts. */
  readonly yaml?: string;
}

export const DEFAULT_REPLY: Reply = { steps: ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"] };

/** An upstream's answer with `content-length` and the given header lines before it. */
export function reply(status: string, body: string, ...lines: readonly string[]): Reply {
  const head = [`HTTP/1.1 ${status}`, ...lines, `content-length: ${body.length}`];
  return { steps: [`${head.join("\r\n")}\r\n\r\n${body}`] };
}

/** A request's bytes: request line, `Host: test.local` unless a line gives one, further lines. */
export function request(requestLine: string, ...lines: readonly string[]): string {
  const hasHost = lines.some((line) => line.toLowerCase().startsWith("host:"));
  const all = hasHost ? lines : ["Host: test.local", ...lines];
  return `${[requestLine, ...all].join("\r\n")}\r\n\r\n`;
}

/** `GET path` with further header lines. */
export function get(path: string, ...lines: readonly string[]): string {
  return request(`GET ${path} HTTP/1.1`, ...lines);
}

/** `POST path` with a body and its content-length. */
export function post(path: string, body: string, ...lines: readonly string[]): string {
  return request(`POST ${path} HTTP/1.1`, ...lines, `Content-Length: ${body.length}`) + body;
}

/** One connection with one request and one response. */
export function one(text: string, site?: string): readonly Connection[] {
  return site === undefined ? [{ send: [text] }] : [{ site, send: [text] }];
}

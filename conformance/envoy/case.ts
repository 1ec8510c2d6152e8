// What a differential case is made of: plain data, read by run-group.ts, filled in by cases/.

/** JSON as it stands in a configuration. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** An object of a configuration; `undefined` never stands in it. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/**
 * What both ends can do: bytes (each character is one byte) in a write of their own, a pause, the
 * wait for bytes that must have come first, the wait for the peer's FIN, a FIN of our own.
 */
type CommonStep =
  | string
  | { readonly pauseMs: number }
  | { readonly awaitText: string }
  | { readonly awaitEnd: true }
  | { readonly fin: true }
  /** Whatever else must have come about; not for cases that are plain data. */
  | { readonly awaitOther: () => Promise<void> };

/** One step of a client; `reset` sends RST and ends the connection. */
export type Piece = CommonStep | { readonly reset: true };

/** How a client speaks TLS; certificates are named as in certificates.ts. */
export interface TlsClient {
  readonly servername?: string;
  readonly alpn?: readonly string[];
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
  /** Also shows the chosen one in the result, which otherwise is each library's own choice. */
  readonly ciphers?: string;
  readonly certificate?: string;
  /** Offers the session of this connection of the case, counted from 1. */
  readonly resume?: number;
}

/** One downstream connection of a case. */
export interface Connection {
  /** Name of the listener, default `main`. */
  readonly site?: string;
  readonly send: readonly Piece[];
  /** What comes back is no HTTP: nothing is waited for but what `send` waits for. */
  readonly raw?: true;
  /** Bytes in front of the TLS handshake, such as a PROXY header. */
  readonly before?: string;
  readonly tls?: TlsClient;
  /** Where to instead of 127.0.0.1 and the site's port; a path is that of a unix socket. */
  readonly to?: { readonly host?: string; readonly path?: string; readonly port?: string };
  /** The client's own address; placeholders of bootstrap.ts name ports. */
  readonly from?: { readonly host?: string; readonly port?: string };
  /** Final responses to wait for before the connection's fate is looked at, default 1. */
  readonly responses?: number;
  /** Set when all responses of this connection answer HEAD and so have no body. */
  readonly head?: boolean;
  /** Send FIN after the last piece. */
  readonly fin?: boolean;
  /** Close our side when the first bytes of a response are there, and read no more. */
  readonly abort?: boolean;
}

/** One step of an upstream; `awaitText` looks at what came behind the request. */
export type Step = CommonStep | { readonly awaitRequestEnd: true };

/** How the upstream answers one request. */
export interface Reply {
  /** `head`: start as soon as the request's head is there. Default `complete`. */
  readonly when?: "head" | "complete";
  readonly steps: readonly Step[];
  /** What happens to the upstream connection afterwards, default `keep`. */
  readonly after?: "keep" | "close" | "reset";
  /** What comes behind the request is no further one: bytes behind 101 or CONNECT. */
  readonly tunnel?: true;
}

/** What an upstream does with one connection that is no HTTP. It starts at once. */
export interface Stream {
  readonly steps: readonly CommonStep[];
  /** `keep`, the default, ends our side when the peer has ended its own. */
  readonly after?: "keep" | "close" | "reset";
}

/** How the gRPC upstream answers one call: when the client has said all, by default. */
export interface GrpcReply {
  readonly pauseMs?: number;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly messages?: readonly string[];
  /** Default 0. */
  readonly status?: number;
  /** `grpc-message`. */
  readonly text?: string;
  readonly trailers?: Readonly<Record<string, string>>;
  /** Status and text stand in the head; there is no body. */
  readonly isTrailersOnly?: true;
  /** Instead of an answer, or of its end. */
  readonly reset?: true | "late";
  /** Answers when the client's head is there. */
  readonly isEarly?: true;
  /** Says nothing behind the messages. */
  readonly isEndless?: true;
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
  /** Set when upstreams get bytes instead of HTTP: what they do, in the order of connections. */
  readonly streams?: readonly Stream[];
  /** Answers of the upstream `grpc`, in order; then the message `ok`. */
  readonly grpc?: readonly GrpcReply[];
  /** Start each connection 40 ms after the one before, without waiting for its end. */
  readonly parallel?: boolean;
  /** Upstreams are called by the order in which they come: which one is first is chance. */
  readonly namesByOrder?: true;
  /** As `namesByOrder`, where the order is chance, too: the busiest is the first. */
  readonly namesByLoad?: true;
  /** Guests are told less than by Envoy, which KNOWN_DIFFERENCES.md lists: nobody waits for it. */
  readonly fewerGuestLines?: true;
  /** Stats are not compared: their number depends on chance (say why in a comment). */
  readonly ignoreStats?: boolean;
}

/** A filter chain: an HCM, unless it says something else. */
export interface Chain {
  readonly name?: string;
  /** `filter_chain_match`. */
  readonly match?: JsonObject;
  /** A `DownstreamTlsContext`. */
  readonly tls?: JsonObject;
  /** Laid over the TCP proxy of bootstrap.ts; the chain is one. */
  readonly tcp?: JsonObject;
  /** Network filters in front of the HCM or TCP proxy. */
  readonly before?: readonly JsonObject[];
  /** Replaces all network filters. */
  readonly filters?: readonly JsonObject[];
  /** Further fields of the filter chain. */
  readonly chain?: JsonObject;
  /** Laid over the HCM of bootstrap.ts, field by field. */
  readonly hcm?: JsonObject;
  /** Replaces `route_config.virtual_hosts`. */
  readonly virtualHosts?: readonly JsonObject[];
  /** Further fields of `route_config`. */
  readonly routeConfig?: JsonObject;
  /** Replaces the access log's `log_format`; null gives the default format. */
  readonly logFormat?: JsonObject | null;
}

/** One listener of a group; it is its own filter chain where it lists none. */
export interface Site extends Chain {
  readonly chains?: readonly Chain[];
  readonly defaultChain?: Chain;
  readonly listenerFilters?: readonly JsonObject[];
  /** Replaces 127.0.0.1 and the site's port, which is `$port:NAME`. */
  readonly address?: JsonObject;
  /** Further fields of the listener. */
  readonly listener?: JsonObject;
  /** Applied to each log line before it is compared: what time alone decides. */
  readonly logMasks?: readonly (readonly [RegExp, string])[];
  /** Equal log lines behind one another are told as "LINE (2 or more)": time decides how many. */
  readonly joinsLogLines?: true;
}

/** An upstream that speaks TLS; certificates are named as in certificates.ts. */
export interface TlsUpstream {
  readonly certificate: string;
  /** Asks for a client certificate of this authority. */
  readonly clientAuthority?: string;
  readonly alpn?: readonly string[];
  readonly minVersion?: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion?: "TLSv1.2" | "TLSv1.3";
}

/** What builds modules, by their names: each answers the path of its own. */
export type Modules = Readonly<Record<string, () => Promise<string>>>;

/** Cases that share one configuration, and so one process. */
export interface Group {
  /** File name of the golden. */
  readonly id: string;
  readonly title: string;
  readonly sites: Readonly<Record<string, Site>>;
  /** Further clusters, beside `up`, `other`, `dead` and `empty`. */
  readonly clusters?: readonly JsonObject[];
  /** Further upstreams by name, `$up:NAME`: null speaks plain TCP. */
  readonly upstreams?: Readonly<Record<string, TlsUpstream | null>>;
  /** Has an upstream `$up:grpc` that speaks gRPC. */
  readonly grpc?: true;
  /** Writes the certificates of certificates.ts into `$DIR`. */
  readonly certificates?: true;
  /** Stats that are compared beside `http.` and `cluster.`: the source of a regular expression. */
  readonly stats?: string;
  /** Counters of the hosts in `/clusters`, too, as `cluster.<name>.hosts.<counter>`. */
  readonly hosts?: true;
  /**
   * What wasm guests log is compared, except while they start: it is their transcript. "apart": one
   * guest's after the other's, for which of them is first is chance or known to differ.
   */
  readonly guests?: true | "apart";
  /** Lines of guests that chance decides: the source of a regular expression. */
  readonly ignoredGuestLines?: string;
  /** Built before the start; `$MODULE:NAME` is the path of one. */
  readonly modules?: Modules;
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
  readonly clusters?: readonly JsonObject[];
  /** Writes the certificates of certificates.ts into `$DIR`. */
  readonly certificates?: true;
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

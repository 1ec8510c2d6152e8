// What a listener says of connections that it closes for what came first, or for their handshake.
// Anybody can make such connections, as many as he likes: the first of each kind is logged, all are
// counted.
import type { ConnectionInfo } from "../core/connection-info.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import { ListenerFilterVerdict } from "./listener-filter.ts";

/** The kinds, in the words of the log, with the stat that counts them. */
const strangers = {
  "no PROXY header": "downstream_cx_proxy_proto_error",
  "a malformed PROXY header": "downstream_cx_proxy_proto_error",
  "a PROXY header of a version that is not allowed": "proxy_proto.*.disallowed",
  "a ClientHello that is too large": "tls_inspector.client_hello_too_large",
  "too few first bytes in time": "listener.*.downstream_pre_cx_timeout",
  "no filter chain matches": "listener.*.no_filter_chain_match",
  "a failed TLS handshake": "listener.*.ssl.connection_error and ssl.fail_verify_no_cert",
} as const;
export type Stranger = keyof typeof strangers;

/** Of an answer of ListenerFilter.inspect(); null = it is no refusal. */
export function strangerOf(verdict: number): Stranger | null {
  switch (verdict) {
    case ListenerFilterVerdict.NoProxyHeader:
      return "no PROXY header";
    case ListenerFilterVerdict.MalformedProxyHeader:
      return "a malformed PROXY header";
    case ListenerFilterVerdict.ProxyVersionNotAllowed:
      return "a PROXY header of a version that is not allowed";
    case ListenerFilterVerdict.ClientHelloTooLarge:
      return "a ClientHello that is too large";
    default:
      return null;
  }
}

/** One for a listener in a worker, as long as it lives. */
export class StrangerLog {
  readonly #logger: Logger;
  readonly #told: Set<Stranger>;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#told = new Set();
  }

  tell(what: Stranger | null, listener: string, info: ConnectionInfo): void {
    if (what === null || this.#told.has(what) || !this.#logger.enabled(LogLevel.Info)) return;
    this.#told.add(what);
    const from = info.directRemoteAddress;
    const reason = info.transportFailureReason;
    const why = reason === "" ? what : `${what}: ${reason}`;
    const more = `more are counted in ${strangers[what]} only`;
    this.#logger.log(LogLevel.Info, `${listener}: closed ${from} early: ${why}; ${more}`);
  }
}

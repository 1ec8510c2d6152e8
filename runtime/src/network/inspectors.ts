// The listener filters tls_inspector and http_inspector: they look at what a client speaks, consume
// nothing, and tell filter_chain_match.
import type { TlsInspectorConfig } from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { Counter, Histogram, StatsStore } from "../stats/store.ts";
import { strangeHelloReason } from "../tls/failure-reason.ts";
import { ClientHelloState, readClientHello } from "./client-hello.ts";
import { ListenerFilterVerdict } from "./listener-filter.ts";
import { ja3Of, ja4Of } from "./hello-fingerprint.ts";
import type { ListenerFilter } from "./listener-filter.ts";

export class TlsInspector implements ListenerFilter {
  readonly #config: Omit<TlsInspectorConfig, "kind">;
  readonly #tooLarge: Counter;
  readonly #tlsFound: Counter;
  readonly #tlsNotFound: Counter;
  readonly #alpnFound: Counter;
  readonly #alpnNotFound: Counter;
  readonly #sniFound: Counter;
  readonly #sniNotFound: Counter;
  readonly #bytesProcessed: Histogram;

  constructor(config: Omit<TlsInspectorConfig, "kind">, stats: StatsStore) {
    this.#config = config;
    this.#tooLarge = stats.counter("tls_inspector.client_hello_too_large");
    this.#tlsFound = stats.counter("tls_inspector.tls_found");
    this.#tlsNotFound = stats.counter("tls_inspector.tls_not_found");
    this.#alpnFound = stats.counter("tls_inspector.alpn_found");
    this.#alpnNotFound = stats.counter("tls_inspector.alpn_not_found");
    this.#sniFound = stats.counter("tls_inspector.sni_found");
    this.#sniNotFound = stats.counter("tls_inspector.sni_not_found");
    this.#bytesProcessed = stats.histogram("tls_inspector.bytes_processed");
  }

  inspect(bytes: Buffer, info: ConnectionInfo): number {
    const { helloBytesMax, takesJa3, takesJa4 } = this.#config;
    const hello = readClientHello(bytes, helloBytesMax);
    const { state, serverName, applicationProtocols, message } = hello;
    if (state === ClientHelloState.NeedMore) return ListenerFilterVerdict.NeedMore;
    if (state === ClientHelloState.TooLarge) {
      this.#tooLarge.inc();
      return ListenerFilterVerdict.ClientHelloTooLarge;
    }
    this.#bytesProcessed.record(bytes.length);
    if (state === ClientHelloState.NotTls) {
      this.#tlsNotFound.inc();
      if (info.stream !== null) info.helloFailureReason = strangeHelloReason(bytes);
      return 0;
    }
    this.#tlsFound.inc();
    (serverName === "" ? this.#sniNotFound : this.#sniFound).inc();
    (applicationProtocols.length === 0 ? this.#alpnNotFound : this.#alpnFound).inc();
    if (takesJa3 === true && message !== null) info.ja3 = ja3Of(message);
    if (takesJa4 === true && message !== null) info.ja4 = ja4Of(message);
    info.transportProtocol = "tls";
    info.requestedServerName = serverName;
    info.applicationProtocols = applicationProtocols;
    return 0;
  }
}

const H2_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const REQUEST_LINE = /^\S+ .+ (HTTP\/\d\.\d)$/;
/** A first line that is longer is none. */
const LINE_BYTES_MAX = 65_536;

const http10: readonly string[] = ["http/1.0"];
const http11: readonly string[] = ["http/1.1"];
const http2: readonly string[] = ["h2c"];

export class HttpInspector implements ListenerFilter {
  readonly #http10: Counter;
  readonly #http11: Counter;
  readonly #http2: Counter;
  readonly #notFound: Counter;

  constructor(stats: StatsStore) {
    this.#http10 = stats.counter("http_inspector.http10_found");
    this.#http11 = stats.counter("http_inspector.http11_found");
    this.#http2 = stats.counter("http_inspector.http2_found");
    this.#notFound = stats.counter("http_inspector.http_not_found");
    stats.counter("http_inspector.read_error");
  }

  inspect(bytes: Buffer, info: ConnectionInfo): number {
    if (info.transportProtocol === "tls") return 0;
    const start = bytes.toString("latin1", 0, Math.min(bytes.length, H2_PREFACE.length));
    if (H2_PREFACE.startsWith(start)) {
      if (start.length < H2_PREFACE.length) return ListenerFilterVerdict.NeedMore;
      return found(info, http2, this.#http2);
    }
    const lineEnd = bytes.indexOf(0x0a);
    const space = bytes.indexOf(0x20);
    const method = bytes.toString("latin1", 0, Math.min(space < 0 ? bytes.length : space, 64));
    if (!METHOD.test(method)) return this.#none();
    if (lineEnd < 0) {
      return bytes.length < LINE_BYTES_MAX ? ListenerFilterVerdict.NeedMore : this.#none();
    }
    const isCrlf = bytes[lineEnd - 1] === 0x0d;
    const line = bytes.toString("latin1", 0, isCrlf ? lineEnd - 1 : lineEnd);
    const version = REQUEST_LINE.exec(line)?.[1];
    if (version === undefined) return this.#none();
    // Whatever else there may be is 1.0 for Envoy.
    if (version === "HTTP/1.1") return found(info, http11, this.#http11);
    return found(info, http10, this.#http10);
  }

  #none(): number {
    this.#notFound.inc();
    return 0;
  }
}

function found(info: ConnectionInfo, protocols: readonly string[], counter: Counter): number {
  info.applicationProtocols = protocols;
  counter.inc();
  return 0;
}

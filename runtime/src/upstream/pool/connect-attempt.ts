// One try to reach one address of a host, with its transport: a connection, then the PROXY header,
// then the handshake of TLS, as far as the host has them. Made by UpstreamConnect, which is told
// once how it went; then the connection is its receiver's.
import type { TlsInfo } from "../../core/tls-info.ts";
import { CloseReason } from "../../engine/network-engine.ts";
import type { IoHandle, SocketAddress } from "../../engine/network-engine.ts";
import type { TlsEvents, TlsFailure, TlsSession } from "../../engine/tls.ts";
import type { TlsClientConnection, TlsWish } from "../../tls/tls-client-context.ts";
import { addressText } from "../addresses.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import { localProxyHeader, proxiedConnection, writeProxyHeader } from "../proxy-header.ts";
import type { TransportOptions } from "../transport-options.ts";
import { bindFailureText, connectFailureText } from "./connect-failure.ts";
import { PoolFailureReason } from "./conn-pool.ts";

/** Who started the attempt. */
export interface AttemptOwner {
  /** `tls` null = plain text. */
  onAttemptReady(attempt: ConnectAttempt, io: IoHandle, tls: TlsInfo | null): void;
  /** `text` is the transport's reason. */
  onAttemptFailed(attempt: ConnectAttempt, reason: PoolFailureReason, text: string): void;
}

/** What a pool's connection wants of its transport. */
export interface ConnectWish {
  readonly options: TransportOptions | null;
  /** Offered to an upstream with TLS that has no ALPN configured. */
  readonly protocols: readonly string[];
}

const noNames: readonly string[] = [];
/** The second: two connections of one port to the same place. */
const takenCodes: ReadonlySet<string> = new Set(["EADDRINUSE", "EADDRNOTAVAIL"]);

export class ConnectAttempt implements TlsEvents {
  readonly #owner: AttemptOwner;
  readonly #cluster: Cluster;
  readonly #host: Host;
  readonly #address: SocketAddress;
  readonly #wish: ConnectWish;
  readonly #bindAddress: SocketAddress | null;
  #tls: TlsClientConnection | null = null;
  #io: IoHandle;

  constructor(
    owner: AttemptOwner,
    cluster: Cluster,
    host: Host,
    address: SocketAddress,
    wish: ConnectWish,
  ) {
    this.#owner = owner;
    this.#cluster = cluster;
    this.#host = host;
    this.#address = address;
    this.#wish = wish;
    this.#bindAddress = cluster.bindAddressFor(address);
    const connect = { bindAddress: this.#bindAddress, keepAlive: cluster.config.keepAlive };
    this.#io = cluster.context.engine.connect(address, connect, this);
    this.#io.setReadBytesMax(cluster.config.perConnectionBufferBytesMax);
  }

  /** Gives up; nothing follows. As Envoy, whoever has not answered our handshake gets a FIN. */
  abandon(): void {
    if (this.#tls === null) this.#io.reset();
    else this.#io.close();
  }

  // ---- IoEvents of the connection without TLS.

  onConnect(): void {
    const { tls } = this.#host.transport;
    this.#writeProxyHeaders();
    if (tls === null) {
      this.#owner.onAttemptReady(this, this.#io, null);
      return;
    }
    const { options, protocols } = this.#wish;
    const wish: TlsWish = {
      serverName: options?.serverName ?? "",
      verifyNames: options?.verifyNames ?? noNames,
      hostname: this.#host.hostname,
      protocols,
    };
    this.#tls = tls.connect(wish, this.#io);
    if (this.#tls === null) this.#fail(tls.whyNot);
    else this.#io = this.#cluster.context.engine.startTls(this.#io, this.#tls.start, this);
  }

  // ---- TlsEvents.

  onSecured(session: TlsSession): void {
    const info = (this.#tls as TlsClientConnection).judge(session);
    if (typeof info === "string") this.#fail(info);
    else this.#owner.onAttemptReady(this, this.#io, info);
  }

  onHandshakeFailed(failure: TlsFailure): void {
    const text = (this.#tls as TlsClientConnection).failed(failure);
    this.#owner.onAttemptFailed(this, PoolFailureReason.RemoteConnectionFailure, text);
  }

  onClose(reason: CloseReason, code: string): void {
    const source = this.#bindAddress;
    // What bind() says of a port that is in use, the system's library tells when it connects.
    const isTaken = source !== null && source.port > 0 && takenCodes.has(code);
    if (reason === CloseReason.BindFailed || isTaken) {
      const cause = isTaken ? "EADDRINUSE" : code;
      const text = bindFailureText(cause, source === null ? "" : addressText(source));
      this.#cluster.stats.bindErrors.inc();
      this.#owner.onAttemptFailed(this, PoolFailureReason.LocalConnectionFailure, text);
      return;
    }
    const isUnix = this.#address.family === "unix";
    const text = connectFailureText(code, isUnix, addressText(this.#address));
    this.#owner.onAttemptFailed(this, PoolFailureReason.RemoteConnectionFailure, text);
  }

  /** Nothing is read before the owner has the connection. */
  onRead(): void {}
  onWritable(): void {}
  onEnd(): void {}

  // ---- Private parts.

  /** The upstream is not talked to. As in Envoy it counts as the upstream's fault. */
  #fail(text: string): void {
    this.#io.close();
    this.#owner.onAttemptFailed(this, PoolFailureReason.RemoteConnectionFailure, text);
  }

  #writeProxyHeaders(): void {
    const { proxyHeaders } = this.#host.transport;
    if (proxyHeaders.length === 0) return;
    const downstream = this.#wish.options?.downstream ?? null;
    const proxied = downstream === null ? null : proxiedConnection(downstream);
    for (const config of proxyHeaders) {
      if (proxied === null) {
        const { localAddress } = this.#io;
        this.#io.write(localProxyHeader(config.version, localAddress, this.#address));
        continue;
      }
      const { bytes, areTlvsCut } = writeProxyHeader(config, proxied);
      if (areTlvsCut) this.#cluster.stats.countCutTlvs();
      this.#io.write(bytes);
    }
  }
}

// One try to reach one address of a host, with its transport: a connection, then the PROXY header,
// if there is one. Made by UpstreamConnect, which is told once how it went; then the connection is
// its receiver's.
import { CloseReason } from "../../engine/network-engine.ts";
import type { IoEvents, IoHandle, SocketAddress } from "../../engine/network-engine.ts";
import { addressText } from "../addresses.ts";
import type { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import { localProxyHeader, proxiedConnection, writeProxyHeader } from "../proxy-header.ts";
import type { TransportOptions } from "../transport-options.ts";
import { bindFailureText, connectFailureText } from "./connect-failure.ts";
import { PoolFailureReason } from "./conn-pool.ts";

/** Who started the attempt. */
export interface AttemptOwner {
  onAttemptReady(attempt: ConnectAttempt, io: IoHandle): void;
  /** `text` is the transport's reason. */
  onAttemptFailed(attempt: ConnectAttempt, reason: PoolFailureReason, text: string): void;
}

export class ConnectAttempt implements IoEvents {
  readonly #owner: AttemptOwner;
  readonly #cluster: Cluster;
  readonly #host: Host;
  readonly #address: SocketAddress;
  readonly #options: TransportOptions | null;
  readonly #bindAddress: SocketAddress | null;
  readonly #io: IoHandle;

  constructor(
    owner: AttemptOwner,
    cluster: Cluster,
    host: Host,
    address: SocketAddress,
    options: TransportOptions | null,
  ) {
    this.#owner = owner;
    this.#cluster = cluster;
    this.#host = host;
    this.#address = address;
    this.#options = options;
    this.#bindAddress = cluster.bindAddressFor(address);
    const connect = { bindAddress: this.#bindAddress, keepAlive: cluster.config.keepAlive };
    this.#io = cluster.context.engine.connect(address, connect, this);
  }

  /** Gives up; nothing follows. */
  abandon(): void {
    this.#io.reset();
  }

  // ---- IoEvents.

  onConnect(): void {
    this.#writeProxyHeaders();
    this.#owner.onAttemptReady(this, this.#io);
  }

  onClose(reason: CloseReason, code: string): void {
    if (reason === CloseReason.BindFailed) {
      const source = this.#bindAddress;
      const text = bindFailureText(code, source === null ? "" : addressText(source));
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

  #writeProxyHeaders(): void {
    const { proxyHeaders } = this.#host.transport;
    if (proxyHeaders.length === 0) return;
    const downstream = this.#options?.downstream ?? null;
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

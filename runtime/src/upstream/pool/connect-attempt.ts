// One try to reach one address of a host. Made by UpstreamConnect, which is told once how it went;
// then the connection is its receiver's.
import type {
  CloseReason,
  IoEvents,
  IoHandle,
  SocketAddress,
} from "../../engine/network-engine.ts";
import { CloseReason as Reason } from "../../engine/network-engine.ts";
import { addressText } from "../addresses.ts";
import type { Cluster } from "../cluster.ts";
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
  readonly #address: SocketAddress;
  readonly #io: IoHandle;

  constructor(owner: AttemptOwner, cluster: Cluster, address: SocketAddress) {
    this.#owner = owner;
    this.#cluster = cluster;
    this.#address = address;
    const bindAddress = cluster.bindAddressFor(address);
    const options = { bindAddress, keepAlive: cluster.config.keepAlive };
    this.#io = cluster.context.engine.connect(address, options, this);
  }

  /** Gives up; nothing follows. */
  abandon(): void {
    this.#io.reset();
  }

  // ---- IoEvents.

  onConnect(): void {
    this.#owner.onAttemptReady(this, this.#io);
  }

  onClose(reason: CloseReason, code: string): void {
    const isUnix = this.#address.family === "unix";
    if (reason === Reason.BindFailed) {
      const source = this.#cluster.bindAddressFor(this.#address);
      const text = bindFailureText(code, source === null ? "" : addressText(source));
      this.#cluster.stats.bindErrors.inc();
      this.#owner.onAttemptFailed(this, PoolFailureReason.LocalConnectionFailure, text);
      return;
    }
    const text = connectFailureText(code, isUnix, addressText(this.#address));
    this.#owner.onAttemptFailed(this, PoolFailureReason.RemoteConnectionFailure, text);
  }

  /** Nothing is read before the owner has the connection. */
  onRead(): void {}
  onWritable(): void {}
  onEnd(): void {}
}

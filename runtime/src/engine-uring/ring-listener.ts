// A listening TCP socket on the ring. Made by uring-engine.ts.
import { getSystemErrorName } from "node:util";
import type {
  ListenEvents,
  ListenHandle,
  ListenOptions,
  SocketAddress,
} from "../engine/network-engine.ts";
import { defaultBacklog } from "../engine-node/handle-listener.ts";
import { IoState } from "../engine-node/node-io.ts";
import { errorName } from "./native.ts";
import { RingIo } from "./ring-io.ts";
import { CancelFlag, CqeFlag, Multishot, Op, QUIET_CANCEL, SOCK_CLOEXEC } from "./uring-abi.ts";
import { Kind, type UringLoop, type UringOwner } from "./uring-loop.ts";

const ACCEPT_MULTISHOT = Op.Accept | (Multishot.Accept << 16);

/** After a failure such as EMFILE: who waits in the kernel's queue would fail again at once. */
const RETRY_MS = 20;

const ECANCELED = 125;

export class RingListener implements ListenHandle, UringOwner {
  readonly #loop: UringLoop;
  readonly #events: ListenEvents;
  readonly #fd: number;
  #address: SocketAddress;
  #index: number = -1;
  #isAccepting: boolean = false;
  #isClosing: boolean = false;
  #isClosed: boolean = false;
  #retry: NodeJS.Timeout | null = null;

  constructor(
    loop: UringLoop,
    address: SocketAddress,
    options: ListenOptions,
    events: ListenEvents,
  ) {
    this.#loop = loop;
    this.#events = events;
    this.#address = address;
    this.#fd = loop.sockets.create(address.family);
    const status = this.#fd < 0 ? this.#fd : this.#listen(options);
    process.nextTick(() => this.#started(status));
  }

  get localAddress(): SocketAddress {
    return this.#address;
  }

  close(): void {
    if (this.#isClosed || this.#isClosing) return;
    this.#isClosing = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    const { sockets } = this.#loop;
    if (this.#isAccepting) this.#acceptLast();
    this.#isClosed = true;
    if (this.#index < 0) {
      if (this.#fd >= 0) sockets.close(this.#fd);
      return;
    }
    sockets.endListening(this.#fd);
    this.#loop.ring.close(this.#fd);
    this.#loop.remove(this.#index);
  }

  completed(_kind: number, result: number, flags: number): void {
    const hasEnded = (flags & CqeFlag.More) === 0;
    if (hasEnded) this.#isAccepting = false;
    if (result >= 0) this.#accepted(result);
    else if (result !== -ECANCELED) this.#failed(errorName(-result));
    if (!hasEnded || this.#isClosing) return;
    if (result >= 0) this.#accept();
    else this.#retry ??= setTimeout(() => this.#acceptAgain(), RETRY_MS);
  }

  /** Those that the kernel has accepted and nobody has heard of come before close() returns. */
  #acceptLast(): void {
    const { ring } = this.#loop;
    ring.prepare(QUIET_CANCEL, this.#fd, 0, 0, CancelFlag.All | CancelFlag.Fd, Kind.None);
    this.#loop.settle(this.#index, this, () => !this.#isAccepting);
  }

  #listen(options: ListenOptions): number {
    const { sockets } = this.#loop;
    const backlog = options.backlog || defaultBacklog;
    const status = sockets.listen(this.#fd, this.#address, options, backlog);
    if (status < 0) return status;
    this.#address = { ...this.#address, port: sockets.localOf(this.#fd).port };
    this.#index = this.#loop.add(this);
    this.#accept();
    return 0;
  }

  #started(status: number): void {
    if (this.#isClosed) return;
    if (status < 0) this.close();
    this.#loop.core.runTurn(() => {
      if (status < 0) this.#events.onError(getSystemErrorName(status));
      else this.#events.onListening();
    });
  }

  #accept(): void {
    this.#isAccepting = true;
    const userData = this.#loop.userData(this.#index, Kind.Accept);
    this.#loop.ring.prepare(ACCEPT_MULTISHOT, this.#fd, 0, 0, SOCK_CLOEXEC, userData);
  }

  #acceptAgain(): void {
    this.#retry = null;
    if (!this.#isClosing) this.#accept();
  }

  #accepted(fd: number): void {
    new RingIo(this.#loop, fd, IoState.Open, null).acceptedBy(this.#events);
  }

  #failed(code: string): void {
    // For example EMFILE: the listener goes on.
    this.#loop.core.runTurn(() => this.#events.onError(code));
  }
}

// Between the engine and a listener: bound addresses, and connections that are not served yet. Made
// by listener.ts.
import type { ListenerConfig } from "../config/snapshot.ts";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { IoEvents, IoHandle, ListenEvents, SocketAddress } from "../engine/network-engine.ts";
import type { ListenPlace } from "./addresses.ts";

/** The listener, as its acceptors see it. */
export interface Accepting {
  readonly config: ListenerConfig;
  onAccept(io: IoHandle, place: ListenPlace): IoEvents | null;
}

/** Takes the events of a connection until its listener opens. */
export class HeldConnection implements IoEvents {
  readonly io: IoHandle;
  readonly place: ListenPlace;
  isGone: boolean = false;

  constructor(io: IoHandle, place: ListenPlace) {
    this.io = io;
    this.place = place;
  }

  onConnect(): void {}

  onRead(): void {}

  onWritable(): void {}

  onEnd(): void {}

  onClose(): void {
    this.isGone = true;
  }
}

/** One bound address of a listener. */
export class Acceptor implements ListenEvents {
  readonly #listener: Accepting;
  readonly #place: ListenPlace;
  readonly #settle: (problem: string) => void;
  readonly #logger: Logger;
  #isListening: boolean = false;

  constructor(
    listener: Accepting,
    place: ListenPlace,
    settle: (problem: string) => void,
    logger: Logger,
  ) {
    this.#listener = listener;
    this.#place = place;
    this.#settle = settle;
    this.#logger = logger;
  }

  onListening(): void {
    this.#isListening = true;
    this.#settle("");
  }

  onAccept(io: IoHandle): IoEvents | null {
    return this.#listener.onAccept(io, this.#place);
  }

  onError(code: string): void {
    const { address, family, port } = this.#place.address;
    const where = family === "unix" ? address : `${address}:${port}`;
    if (this.#isListening) {
      this.#logger.log(LogLevel.Warning, `${this.#listener.config.name}: accept failed: ${code}`);
    } else {
      const isShared = this.#listener.config.reusePort;
      this.#settle(`cannot bind ${where}: ${code}${advice(code, this.#place.address, isShared)}`);
    }
  }
}

function advice(code: string, { address, family }: SocketAddress, isShared: boolean): string {
  if (code === "EADDRINUSE") return ` (${whatIsInUse(address, family === "unix", isShared)})`;
  if (code === "EACCES") return " (permission denied: ports below 1024 need privileges)";
  return code === "EADDRNOTAVAIL" ? " (this machine does not have that address)" : "";
}

/** Sockets of unix paths are replaced, and ports shared, when a process takes over. */
function whatIsInUse(address: string, isUnix: boolean, isShared: boolean): string {
  if (isUnix && address.startsWith("@")) {
    return "name already in use; abstract sockets are not shared, so whoever has it must end first";
  }
  if (isUnix) return "a file that is no socket is there";
  return isShared
    ? "address already in use"
    : "address already in use; with enable_reuse_port: false whoever has it must end first";
}

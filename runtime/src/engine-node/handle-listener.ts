// Rung 1: a listening handle. Made by node-engine.ts.
import { chmodSync } from "node:fs";
import { getSystemErrorName } from "node:util";
import type {
  ListenEvents,
  ListenHandle,
  ListenOptions,
  SocketAddress,
} from "../engine/network-engine.ts";
import { askHandle, kernelPath } from "./addresses.ts";
import { HandleIo, type HandleRung } from "./handle-io.ts";
import type { PipeHandle, ServerHandle, StreamHandle, TcpHandle } from "./node-internals.ts";
import { IoState } from "./node-io.ts";
import { UnixPlace } from "./unix-place.ts";

/** Length of the accept queue unless said otherwise; the kernel's somaxconn caps it. */
export const defaultBacklog = 4096;

export class HandleListener implements ListenHandle {
  readonly #rung: HandleRung;
  readonly #events: ListenEvents;
  readonly #handle: ServerHandle & (TcpHandle | PipeHandle);
  #address: SocketAddress;
  /** Null for TCP. */
  readonly #place: UnixPlace | null;
  #isClosed: boolean = false;

  constructor(
    rung: HandleRung,
    address: SocketAddress,
    options: ListenOptions,
    events: ListenEvents,
  ) {
    const { bare } = rung;
    this.#rung = rung;
    this.#events = events;
    this.#handle = address.family === "unix" ? bare.newPipeServer() : bare.newTcpServer();
    this.#address = address;
    const publishLater = options.publishLater === true;
    this.#place = address.family === "unix" ? new UnixPlace(address.address, publishLater) : null;
    this.#handle.onconnection = (status, client): void => this.#accepted(status, client);
    const code = this.#start(options);
    process.nextTick(() => this.#started(code));
  }

  get localAddress(): SocketAddress {
    return this.#address;
  }

  publish(): void {
    const code = this.#place?.publish() ?? "";
    if (code !== "") this.#events.onError(code);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#handle.close();
    this.#place?.remove();
  }

  /** Returns the error's name, or "". */
  #start(options: ListenOptions): string {
    const { address, port, family } = this.#address;
    if (this.#place !== null) return this.#startUnix(this.#place, options);
    const { bare } = this.#rung;
    const handle = this.#handle as TcpHandle & ServerHandle;
    const reusePort = options.reusePort ? bare.reusePort : 0;
    const ipv6Only = address === "::" && !options.ipv4Compat ? bare.ipv6Only : 0;
    let status =
      family === "ipv6"
        ? handle.bind6(address, port, reusePort | ipv6Only)
        : handle.bind(address, port, reusePort);
    if (status === 0) status = handle.listen(options.backlog || defaultBacklog);
    if (status !== 0) return getSystemErrorName(status);
    const bound = askHandle(this.#handle, "getsockname");
    this.#address = { address, port: bound.port, family };
    return "";
  }

  #startUnix(place: UnixPlace, options: ListenOptions): string {
    const inTheWay = place.check();
    if (inTheWay !== "") return inTheWay;
    const handle = this.#handle as PipeHandle & ServerHandle;
    const bound = handle.bind(kernelPath(place.bindPath));
    if (bound !== 0) return getSystemErrorName(bound);
    // Before listen(), so that nobody connects under the wrong mode.
    const code = setMode(place.bindPath, options.mode);
    if (code !== "") return code;
    const status = handle.listen(options.backlog || defaultBacklog);
    return status === 0 ? "" : getSystemErrorName(status);
  }

  #started(code: string): void {
    if (this.#isClosed) return;
    if (code !== "") this.close();
    this.#rung.core.runTurn(() => {
      if (code === "") this.#events.onListening();
      else this.#events.onError(code);
    });
  }

  #accepted(status: number, client: StreamHandle): void {
    const core = this.#rung.core;
    if (status < 0) {
      // For example EMFILE: the listener goes on.
      core.runTurn(() => this.#events.onError(getSystemErrorName(status)));
      return;
    }
    const io = new HandleIo(this.#rung, client, IoState.Open, null);
    if (this.#address.family === "unix") io.local = this.#address;
    io.acceptedBy(this.#events);
  }
}

/** Returns the error's name, or "". */
export function setMode(path: string, mode: number): string {
  if (mode === 0 || path.startsWith("@")) return "";
  try {
    chmodSync(path, mode);
  } catch (error) {
    const code: unknown = error instanceof Error ? Reflect.get(error, "code") : null;
    return typeof code === "string" ? code : "EIO";
  }
  return "";
}

// Rungs 2 and 3: listening through net.Server. Made by node-engine.ts.
import net from "node:net";
import type {
  ListenEvents,
  ListenHandle,
  ListenOptions,
  SocketAddress,
} from "../engine/network-engine.ts";
import { kernelPath } from "./addresses.ts";
import type { EngineCore } from "./engine-core.ts";
import { defaultBacklog, setMode } from "./handle-listener.ts";
import { IoState } from "./node-io.ts";
import { ReadStyle, SocketIo } from "./socket-io.ts";
import { UnixPlace } from "./unix-place.ts";

/** Makes a connection of a paused socket that a net.Server accepted. */
export type Adopt = (core: EngineCore, socket: net.Socket, isUnix: boolean) => SocketIo;

/** Rung 3's way: the socket as it is. */
export function adoptPlainSocket(
  core: EngineCore,
  accepted: net.Socket,
  isUnix: boolean,
): SocketIo {
  const io = new SocketIo(core, isUnix, ReadStyle.Data, IoState.Open, null);
  io.attach(accepted);
  return io;
}

export class SocketListener implements ListenHandle {
  readonly #core: EngineCore;
  readonly #events: ListenEvents;
  readonly #adopt: Adopt;
  readonly #server: net.Server;
  #address: SocketAddress;
  /** Null for TCP. */
  readonly #place: UnixPlace | null;
  #isListening: boolean = false;
  #isClosed: boolean = false;

  constructor(
    core: EngineCore,
    adopt: Adopt,
    address: SocketAddress,
    options: ListenOptions,
    events: ListenEvents,
  ) {
    this.#core = core;
    this.#events = events;
    this.#adopt = adopt;
    this.#address = address;
    const publishLater = options.publishLater === true;
    this.#place = address.family === "unix" ? new UnixPlace(address.address, publishLater) : null;
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
    this.#server.on("listening", () => this.#listening(options.mode));
    this.#server.on("connection", (socket) => this.#accepted(socket));
    this.#server.on("error", (error) => this.#failed(error));
    this.#listen(options);
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
    this.#server.close();
    this.#place?.remove();
  }

  #listen(options: ListenOptions): void {
    const { address, port } = this.#address;
    const backlog = options.backlog || defaultBacklog;
    if (this.#place !== null) {
      const inTheWay = this.#place.check();
      if (inTheWay !== "") {
        process.nextTick(() => this.#failed(Object.assign(new Error(), { code: inTheWay })));
        return;
      }
      this.#server.listen({ path: kernelPath(this.#place.bindPath), backlog, exclusive: true });
      return;
    }
    this.#server.listen({
      host: address,
      port,
      backlog,
      exclusive: true,
      reusePort: options.reusePort,
      ipv6Only: address === "::" && !options.ipv4Compat,
    });
  }

  #listening(mode: number): void {
    if (this.#isClosed) return;
    this.#isListening = true;
    const bound = this.#server.address();
    if (bound !== null && typeof bound === "object" && this.#address.family !== "unix") {
      this.#address = { ...this.#address, port: bound.port };
    }
    const code = this.#place === null ? "" : setMode(this.#place.bindPath, mode);
    if (code !== "") this.close();
    this.#core.runTurn(() => {
      if (code === "") this.#events.onListening();
      else this.#events.onError(code);
    });
  }

  #accepted(socket: net.Socket): void {
    const isUnix = this.#address.family === "unix";
    const io = this.#adopt(this.#core, socket, isUnix);
    if (isUnix) io.local = this.#address;
    io.acceptedBy(this.#events);
  }

  #failed(error: Error): void {
    if (this.#isClosed) return;
    // An accept that fails, for example with EMFILE, leaves the listener as it is.
    if (!this.#isListening) this.#isClosed = true;
    const code: unknown = Reflect.get(error, "code");
    this.#core.runTurn(() => this.#events.onError(typeof code === "string" ? code : "EIO"));
  }
}

// The older process' side of a takeover: waits on the base id's socket for a successor, and does
// what it asks. Made by takeover.ts.
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { ListenerAddress } from "./protocol.ts";
import { TAKEOVER_PROTOCOL, TakeoverChannel } from "./takeover-channel.ts";
import type { FromPredecessor, ToPredecessor } from "./takeover-channel.ts";
import { listenAt } from "./takeover-socket.ts";
import type { TakeoverAddress } from "./takeover-socket.ts";

/** The process that can be taken over. */
export interface TakeoverHost {
  readonly epoch: number;
  readonly firstStartMs: number;
  /** Where it listens. */
  addresses(): readonly ListenerAddress[];
  /** The successor is about to bind the admin interface's address. */
  releaseAdmin(): Promise<void>;
  /** The successor has ended before it was live, after releaseAdmin. */
  resumeAdmin(): void;
  /** The successor is live: drain, and end within `shutdownMs`. Called once. */
  onTakenOver(pid: number, shutdownMs: number): void;
  /** Somebody was sent away: another is taking over, or it does not speak as a successor does. */
  onRefused(): void;
}

export class TakeoverOffer {
  readonly #host: TakeoverHost;
  readonly #server: Server;
  #successor: Successor | null = null;
  #isTaken: boolean = false;

  /** Rejects when the socket cannot be listened on. */
  static async open(address: TakeoverAddress, host: TakeoverHost): Promise<TakeoverOffer> {
    const offer = new TakeoverOffer(host);
    await listenAt(offer.#server, address);
    offer.#server.on("error", () => {});
    offer.#server.unref();
    return offer;
  }

  private constructor(host: TakeoverHost) {
    this.#host = host;
    this.#server = createServer((socket) => this.#onConnection(socket));
  }

  /** Tells the successor how many connections are left. */
  tellProgress(connections: number): void {
    if (this.#isTaken) this.#successor?.send({ type: "progress", connections });
  }

  close(): void {
    this.#server.close();
    this.#successor?.close();
  }

  #onConnection(socket: Socket): void {
    const successor = new Successor(
      socket,
      (message) => this.#onMessage(successor, message),
      () => this.#onEnd(successor),
      () => this.#host.onRefused(),
    );
  }

  #onMessage(successor: Successor, message: Partial<ToPredecessor>): void {
    switch (message.type) {
      case "hello":
        this.#onHello(successor, message);
        return;
      case "release_admin":
        if (successor === this.#successor) this.#releaseAdmin(successor);
        return;
      case "take_over":
        if (successor !== this.#successor || this.#isTaken) return;
        this.#isTaken = true;
        // Frees the place for the successor's own offer.
        this.#server.close();
        this.#host.onTakenOver(successor.pid, milliseconds(message.shutdownMs));
        successor.send({ type: "draining" });
        return;
      default:
        successor.refuse("a message that nobody knows");
    }
  }

  #onHello(
    successor: Successor,
    { protocol, pid }: Partial<Extract<ToPredecessor, { type: "hello" }>>,
  ): void {
    if (protocol !== TAKEOVER_PROTOCOL) {
      successor.refuse(`it speaks protocol ${TAKEOVER_PROTOCOL} of takeovers, not ${protocol}`);
    } else if (this.#successor !== null) {
      successor.refuse(`process ${this.#successor.pid} is taking over from it`);
    } else {
      successor.pid = Number(pid);
      this.#successor = successor;
      const { epoch, firstStartMs } = this.#host;
      const addresses = this.#host.addresses();
      successor.send({ type: "welcome", pid: process.pid, epoch, firstStartMs, addresses });
    }
  }

  #releaseAdmin(successor: Successor): void {
    successor.hasAdmin = true;
    void this.#host.releaseAdmin().then(() => {
      // It may have ended meanwhile.
      if (successor === this.#successor) successor.send({ type: "admin_released" });
      else this.#host.resumeAdmin();
    });
  }

  #onEnd(successor: Successor): void {
    if (successor !== this.#successor) return;
    this.#successor = null;
    if (successor.hasAdmin && !this.#isTaken) this.#host.resumeAdmin();
  }
}

/** One process that wants to take over. */
class Successor {
  pid: number = 0;
  /** The admin interface's address was given to it. */
  hasAdmin: boolean = false;
  readonly #channel: TakeoverChannel;
  readonly #onRefused: () => void;

  constructor(
    socket: Socket,
    onMessage: (message: Partial<ToPredecessor>) => void,
    onEnd: () => void,
    onRefused: () => void,
  ) {
    this.#onRefused = onRefused;
    this.#channel = new TakeoverChannel(socket, {
      onMessage: (message) => onMessage(message as Partial<ToPredecessor>),
      onEnd,
      onNonsense: onRefused,
    });
    this.#channel.unref();
  }

  send(message: FromPredecessor): void {
    this.#channel.send(message);
  }

  refuse(reason: string): void {
    this.#onRefused();
    this.#channel.send({ type: "refused", reason });
    this.#channel.close();
  }

  close(): void {
    this.#channel.close();
  }
}

function milliseconds(value: unknown): number {
  return typeof value === "number" && value >= 0 ? value : 0;
}

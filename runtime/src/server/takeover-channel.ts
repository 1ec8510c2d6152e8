// What two processes say to each other when the later one takes over, and how: a JSON object a line
// on a unix socket. Used by takeover-offer.ts and predecessor.ts.
import type { Socket } from "node:net";
import type { ListenerAddress } from "./protocol.ts";

/** Raised when a message changes its meaning: processes of other protocols refuse each other. */
export const TAKEOVER_PROTOCOL = 1;

/** A longer line ends the conversation; 1 MiB is room for 10,000 addresses. */
const LINE_BYTES_MAX = 1024 * 1024;

/** From the process that starts. */
export type ToPredecessor =
  | { readonly type: "hello"; readonly protocol: number; readonly pid: number }
  /** Close the admin interface: its address is needed. */
  | { readonly type: "release_admin" }
  /** I am live: drain, and end within this time. */
  | { readonly type: "take_over"; readonly shutdownMs: number };

/** From the process that runs. */
export type FromPredecessor =
  | {
      readonly type: "welcome";
      readonly pid: number;
      readonly epoch: number;
      /** When the first process of this base id started, in milliseconds since 1970. */
      readonly firstStartMs: number;
      readonly addresses: readonly ListenerAddress[];
    }
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "admin_released" }
  /** The base id's socket is free, and clients are asked to leave. */
  | { readonly type: "draining" }
  /** Some times a second while draining. */
  | { readonly type: "progress"; readonly connections: number };

export interface ChannelEvents {
  onMessage(message: unknown): void;
  /** The peer is gone, or said what nobody understands. Last call; not after close(). */
  onEnd(): void;
  /** It said what nobody understands; onEnd follows. */
  onNonsense?(): void;
}

export class TakeoverChannel {
  readonly #socket: Socket;
  readonly #events: ChannelEvents;
  #partial: string = "";
  #isEnded: boolean = false;

  constructor(socket: Socket, events: ChannelEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#onText(text));
    socket.on("error", () => this.#end());
    socket.on("end", () => this.#end());
    socket.on("close", () => this.#end());
  }

  send(message: ToPredecessor | FromPredecessor): void {
    if (!this.#isEnded) this.#socket.write(`${JSON.stringify(message)}\n`);
  }

  /** Does not keep the process alive. */
  unref(): void {
    this.#socket.unref();
  }

  /** What was sent still leaves. */
  close(): void {
    this.#isEnded = true;
    this.#socket.end();
    this.#socket.unref();
  }

  #onText(text: string): void {
    const lines = (this.#partial + text).split("\n");
    this.#partial = lines.pop() as string;
    for (const line of lines) {
      if (this.#isEnded) return;
      const message = parsed(line);
      if (message === null) this.#giveUp();
      else this.#events.onMessage(message);
    }
    if (this.#partial.length > LINE_BYTES_MAX) this.#giveUp();
  }

  #giveUp(): void {
    if (!this.#isEnded) this.#events.onNonsense?.();
    this.#end();
  }

  #end(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#socket.destroy();
    this.#events.onEnd();
  }
}

/** Null when it is no JSON object. */
function parsed(line: string): object | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

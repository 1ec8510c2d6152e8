// Writes a connection's pieces to a proxy byte for byte and notes all that comes back.
import net from "node:net";
import type { Connection } from "./case.ts";
import { cutResponses, isInterim, type Message } from "./wire.ts";

/** What became of the connection after its last response. */
export type Fate = "open" | "closed" | "reset" | "silent";

/** All that a client saw. */
export interface ConnectionResult {
  readonly messages: readonly Message[];
  /** Bytes that are no message. */
  readonly rest: string;
  readonly fate: Fate;
}

/** Limits in milliseconds. */
export interface Waits {
  /** For the responses. */
  readonly responseMs: number;
  /** For the end of the connection behind the last response. */
  readonly closeMs: number;
}

const PIECE_GAP_MS = 25;

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

class RawClient {
  readonly #socket: net.Socket;
  readonly #isHead: boolean;
  #received: string;
  #end: "closed" | "reset" | undefined;
  #wake: () => void;

  constructor(port: number, isHead: boolean) {
    this.#isHead = isHead;
    this.#received = "";
    this.#end = undefined;
    this.#wake = () => undefined;
    this.#socket = net.connect({ port, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
    this.#socket.on("data", (part) => {
      this.#received += part.toString("latin1");
      this.#wake();
    });
    this.#socket.on("end", () => this.#ended("closed"));
    this.#socket.on("error", () => this.#ended("reset"));
    this.#socket.on("close", () => this.#ended("closed"));
  }

  #ended(how: "closed" | "reset"): void {
    this.#end ??= how;
    this.#wake();
  }

  write(bytes: string): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes, "latin1");
  }

  fin(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  hasText(text: string): boolean {
    return this.#received.includes(text);
  }

  /** Complete final responses so far. */
  finals(): number {
    const { messages } = cutResponses(this.#received, this.#isHead, this.hasEnded);
    return messages.filter((message) => message.isComplete && !isInterim(message)).length;
  }

  /** Waits until `isDone`, the connection's end or the limit. */
  async until(isDone: () => boolean, limitMs: number): Promise<void> {
    const stopAt = Date.now() + limitMs;
    while (!isDone() && this.#end === undefined) {
      const left = stopAt - Date.now();
      if (left <= 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  result(wanted: number): ConnectionResult {
    const { messages, rest } = cutResponses(this.#received, this.#isHead, this.hasEnded);
    const isSilent = this.#end === undefined && this.finals() < wanted;
    return { messages, rest, fate: this.#end ?? (isSilent ? "silent" : "open") };
  }
}

/** Plays one connection of a case. */
export async function playConnection(
  port: number,
  connection: Connection,
  waits: Waits,
): Promise<ConnectionResult> {
  const client = new RawClient(port, connection.head === true);
  const wanted = connection.responses ?? 1;
  for (const [at, piece] of connection.send.entries()) {
    if (typeof piece === "string") {
      if (at > 0 && typeof connection.send[at - 1] === "string") await delay(PIECE_GAP_MS);
      client.write(piece);
    } else if ("pauseMs" in piece) {
      await delay(piece.pauseMs);
    } else {
      await client.until(() => client.hasText(piece.awaitText), waits.responseMs);
    }
  }
  if (connection.fin === true) client.fin();
  if (connection.abort !== true) {
    await client.until(() => client.finals() >= wanted, waits.responseMs);
    await client.until(() => false, waits.closeMs);
  }
  const result = client.result(wanted);
  client.destroy();
  // The proxy must see the client's end before the upstream's, which follows.
  if (connection.abort === true) await delay(PIECE_GAP_MS);
  return result;
}

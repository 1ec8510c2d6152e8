// The newer process' side of a takeover: finds the process that runs under the same base id and
// tells it when to drain. Used by takeover.ts.
import type { ListenerAddress } from "./protocol.ts";
import { TAKEOVER_PROTOCOL, TakeoverChannel } from "./takeover-channel.ts";
import type { FromPredecessor } from "./takeover-channel.ts";
import { connectTo } from "./takeover-socket.ts";
import type { TakeoverAddress } from "./takeover-socket.ts";

/** How long the other process may take to answer. */
const ANSWER_TIMEOUT_MS = 10_000;

type Welcome = Extract<FromPredecessor, { type: "welcome" }>;

export class Predecessor {
  /** Called with the connections it still has, and with 0 when it has ended. */
  onProgress: (connections: number) => void;
  readonly #channel: TakeoverChannel;
  #welcome: Welcome | null = null;
  #isGone: boolean = false;
  #waiting: ((message: Partial<FromPredecessor> | null) => void) | null = null;

  /**
   * Null when there is no such process. Rejects when it is there and refuses, or does not answer.
   */
  static async find(address: TakeoverAddress): Promise<Predecessor | null> {
    const socket = await connectTo(address);
    if (socket === null) return null;
    const predecessor = new Predecessor((events) => new TakeoverChannel(socket, events));
    await predecessor.#greet();
    return predecessor;
  }

  private constructor(
    open: (events: ConstructorParameters<typeof TakeoverChannel>[1]) => TakeoverChannel,
  ) {
    this.onProgress = (): void => {};
    this.#channel = open({
      onMessage: (message) => this.#onMessage(message as Partial<FromPredecessor>),
      onEnd: () => this.#onEnd(),
    });
  }

  get pid(): number {
    return this.#welcome?.pid ?? 0;
  }

  get epoch(): number {
    return this.#welcome?.epoch ?? 0;
  }

  get firstStartMs(): number {
    return this.#welcome?.firstStartMs ?? Date.now();
  }

  get addresses(): readonly ListenerAddress[] {
    return this.#welcome?.addresses ?? [];
  }

  /** It has ended: there is nobody to take over from. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /** Returns when its admin address is free. Rejects when it does not answer. */
  async releaseAdmin(): Promise<void> {
    if (this.#isGone) return;
    const answer = this.#answer();
    this.#channel.send({ type: "release_admin" });
    await answer;
  }

  /** Returns when it drains, or has ended by itself. Rejects when it does not answer. */
  async takeOver(shutdownMs: number): Promise<void> {
    if (this.#isGone) return;
    const answer = this.#answer();
    this.#channel.send({ type: "take_over", shutdownMs });
    await answer;
    this.#channel.unref();
  }

  close(): void {
    this.#channel.close();
  }

  async #greet(): Promise<void> {
    const answer = this.#answer();
    this.#channel.send({ type: "hello", protocol: TAKEOVER_PROTOCOL, pid: process.pid });
    const message = await answer.catch((error: Error) => {
      this.close();
      throw error;
    });
    if (message?.type === "welcome") {
      this.#welcome = message as Welcome;
      return;
    }
    this.close();
    if (message?.type !== "refused") throw new Error("it ended the conversation");
    throw new Error(`it refuses: ${message.reason}`);
  }

  /** The next message but progress; null when the process ends instead. */
  #answer(): Promise<Partial<FromPredecessor> | null> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting = null;
        reject(new Error(`it does not answer within ${ANSWER_TIMEOUT_MS / 1000} s`));
      }, ANSWER_TIMEOUT_MS);
      this.#waiting = (message): void => {
        clearTimeout(timer);
        resolve(message);
      };
    });
  }

  #onMessage(message: Partial<FromPredecessor>): void {
    if (message.type === "progress") {
      this.onProgress(Number(message.connections));
      return;
    }
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(message);
  }

  #onEnd(): void {
    this.#isGone = true;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(null);
    this.onProgress(0);
  }
}

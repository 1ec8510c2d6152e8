// Taking over from the process of the same base id, and being taken over: both ends as server.ts
// sees them.
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { ListenerConfig } from "../config/snapshot.ts";
import type { TakeoverOptions } from "./options.ts";
import { Predecessor } from "./predecessor.ts";
import type { ListenerAddress } from "./protocol.ts";
import { TakeoverOffer } from "./takeover-offer.ts";
import type { TakeoverHost } from "./takeover-offer.ts";
import { prepareFolder, takeoverAddress } from "./takeover-socket.ts";
import type { TakeoverAddress } from "./takeover-socket.ts";

export class Takeover {
  readonly #options: TakeoverOptions;
  readonly #logger: Logger;
  readonly #address: TakeoverAddress;
  #predecessor: Predecessor | null = null;
  #offer: TakeoverOffer | null = null;

  constructor(options: TakeoverOptions, logger: Logger) {
    this.#options = options;
    this.#logger = logger;
    this.#address = takeoverAddress(options.baseId, options.socketPath, options.socketMode);
  }

  /** How many processes of this base id there were before. */
  get epoch(): number {
    if (this.#predecessor === null) return this.#options.restartEpoch;
    return Math.max(this.#options.restartEpoch, this.#predecessor.epoch + 1);
  }

  /** When the first of them started, in milliseconds since 1970; null = this is the first. */
  get firstStartMs(): number | null {
    return this.#predecessor?.firstStartMs ?? null;
  }

  /** There is a process to take over from. */
  get hasPredecessor(): boolean {
    return this.#predecessor !== null;
  }

  /** Finds the process that runs, if this one is to take over. Rejects when it may not start. */
  async find(): Promise<void> {
    const { baseId, mode, socketPath } = this.#options;
    if (mode !== "take" && mode !== "require") return;
    const problem = prepareFolder(this.#address, socketPath);
    if (problem === "") {
      try {
        this.#predecessor = await Predecessor.find(this.#address);
      } catch (error) {
        const message = (error as Error).message;
        throw new Error(`cannot take over from the process of base id ${baseId}: ${message}`);
      }
    } else this.#logger.log(LogLevel.Warning, `no takeovers: ${problem}`);
    if (this.#predecessor !== null) {
      const { pid, epoch } = this.#predecessor;
      this.#tell(`taking over from process ${pid} (base id ${baseId}, epoch ${epoch})`);
    } else if (mode === "require") {
      throw new Error(
        `--restart-epoch ${this.#options.restartEpoch}: no process of base id ${baseId} runs ` +
          "(--skip-hot-restart-on-no-parent starts nevertheless)",
      );
    }
  }

  /** Ports that the other process was given for port 0 of the same listeners. */
  inheritedAddresses(listeners: readonly ListenerConfig[]): readonly ListenerAddress[] {
    return (this.#predecessor?.addresses ?? []).filter((bound) => {
      const listener = listeners.find(({ name }) => name === bound.listener);
      if (listener === undefined || !listener.reusePort) return false;
      const address = [listener.address, ...listener.additionalAddresses][bound.index];
      return address?.kind === "ip" && address.port === 0 && address.address === bound.address;
    });
  }

  /** The admin interface's address becomes free. Rejects when the other process is stuck. */
  async releaseAdmin(): Promise<void> {
    await this.#predecessor?.releaseAdmin();
  }

  /** This process is live: the other one drains now, and this one can be taken over. */
  async complete(host: TakeoverHost, onParentConnections: (count: number) => void): Promise<void> {
    const { parentShutdownMs } = this.#options;
    const predecessor = this.#predecessor;
    if (predecessor !== null) {
      predecessor.onProgress = (connections): void => {
        onParentConnections(connections);
        if (predecessor.isGone) this.#tell(`process ${predecessor.pid} has ended`);
      };
      try {
        await predecessor.takeOver(parentShutdownMs);
        this.#tell(`process ${predecessor.pid} drains`);
      } catch (error) {
        // Both serve: better than none.
        const { message } = error as Error;
        this.#logger.log(LogLevel.Error, `process ${predecessor.pid} does not drain: ${message}`);
      }
    }
    await this.#openOffer(host);
  }

  /** Tells the successor how many connections are left here. */
  tellProgress(connections: number): void {
    this.#offer?.tellProgress(connections);
  }

  close(): void {
    this.#predecessor?.close();
    this.#offer?.close();
    this.#offer = null;
  }

  async #openOffer(host: TakeoverHost): Promise<void> {
    const { baseId, mode, socketPath } = this.#options;
    if (mode === "off") return;
    const problem = prepareFolder(this.#address, socketPath);
    const failed = (message: string): void => {
      // Nobody who gave no base id needs to know.
      const level = mode === "offer" ? LogLevel.Debug : LogLevel.Warning;
      this.#logger.log(level, `no process can take over from this one: ${message}`);
    };
    if (problem !== "") {
      failed(problem);
      return;
    }
    try {
      this.#offer = await TakeoverOffer.open(this.#address, host);
    } catch (error) {
      const isTaken = (error as NodeJS.ErrnoException).code === "EADDRINUSE";
      const message = isTaken ? `another one has base id ${baseId}` : (error as Error).message;
      failed(message);
    }
  }

  #tell(message: string): void {
    this.#logger.log(LogLevel.Info, message);
  }
}

// One worker of the simulated proxy: what the product runs, in a thread that exists in words only. It hears of main
// after a while, in order, and when it dies the kernel closes what it had.
import { SeededRandom } from "../../src/core/random.ts";
import type { TickSource } from "../../src/core/timer-wheel.ts";
import { SimEngine } from "../../src/engine-sim/sim-engine.ts";
import type { SimLoop } from "../../src/engine-sim/sim-loop.ts";
import type { SimNetwork } from "../../src/engine-sim/sim-network.ts";
import type { FilterChainFactory } from "../../src/filter/http-filter.ts";
import type { FromWorker, ToWorker, WorkerBirth } from "../../src/server/protocol.ts";
import { WorkerServer } from "../../src/server/worker.ts";
import type { ChaosContext } from "./chaos-filter.ts";
import type { LogFile } from "./log-file.ts";
import type { RunPlan } from "./plan.ts";

/** What workers have around them. */
export interface WorkerWorld {
  readonly plan: RunPlan;
  readonly loop: SimLoop;
  readonly network: SimNetwork;
  readonly log: LogFile;
  newChaos(worker: WorkerServer): ChaosContext;
  wrapFilters(filters: FilterChainFactory, chaos: () => ChaosContext): FilterChainFactory;
  wrapUpstreamFilters(
    filters: FilterChainFactory | null,
    chaos: () => ChaosContext,
  ): FilterChainFactory | null;
}

export class SimWorker {
  readonly index: number;
  readonly server: WorkerServer;
  readonly engine: SimEngine;
  readonly chaos: ChaosContext;
  /** What it has said that main has not heard. */
  readonly answers: FromWorker[];
  /** It has the version in force. */
  isUp: boolean;
  readonly #world: WorkerWorld;
  readonly #inbox: ToWorker[];
  readonly #tickers: Set<() => void>;
  #isDead: boolean;

  constructor(
    world: WorkerWorld,
    birth: WorkerBirth,
    randomSeed: number,
    hear: (message: FromWorker) => void,
  ) {
    this.#world = world;
    this.index = birth.index;
    this.answers = [];
    this.isUp = false;
    this.#inbox = [];
    this.#tickers = new Set();
    this.#isDead = false;
    const { loop, log, network, plan } = world;
    let made: SimEngine | null = null;
    this.server = new WorkerServer(birth, hear, {
      time: loop,
      ticks: this.#ticks(),
      random: new SeededRandom(randomSeed),
      files: log,
      createEngine: (clock) => {
        made = new SimEngine(network, plan.upstreamProfile, clock, plan.readBytesMax);
        return made;
      },
      nextTurn: (callback) =>
        void loop.after(0, "turn", 0, () => {
          if (!this.#isDead) callback();
        }),
      wrapFilters: (filters) => world.wrapFilters(filters, () => this.chaos),
      wrapUpstreamFilters: (filters) => world.wrapUpstreamFilters(filters, () => this.chaos),
    });
    this.engine = made as unknown as SimEngine;
    this.chaos = world.newChaos(this.server);
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Main's message, `delayMs` later but never before those that were sent earlier; null = at once. */
  tell(message: ToWorker, delayMs: number | null): void {
    if (this.#isDead) return;
    if (delayMs === null) {
      this.server.onMessage(message);
      return;
    }
    this.#inbox.push(message);
    this.#world.loop.after(delayMs, "told", this.index, () => {
      const first = this.#inbox.shift();
      if (!this.#isDead && first !== undefined) this.server.onMessage(first);
    });
  }

  /** Its thread ends in the middle. */
  die(): void {
    this.#isDead = true;
    for (const stop of this.#tickers) stop();
    this.engine.crash();
  }

  #ticks(): TickSource {
    const { loop } = this.#world;
    return {
      start: (intervalMs, tick) => {
        const stop = loop.start(intervalMs, tick);
        this.#tickers.add(stop);
        return () => {
          this.#tickers.delete(stop);
          stop();
        };
      },
    };
  }
}

// The proxy of a simulation: its workers, and as much of the main thread as they notice: versions in two phases, pushes,
// deaths and replacements, the stats of all. What main does with threads and promises (worker-pool.ts) is written anew
// here for the one loop: what is checked is that workers bear it.
import { releaseSharedCounts } from "../../src/core/shared-counts.ts";
import { Dice } from "../../src/engine-sim/dice.ts";
import { connectionCells } from "../../src/network/connection-admission.ts";
import type {
  FromWorker,
  ListenerAddress,
  PrepareMessage,
  ToWorker,
  WorkerBirth,
} from "../../src/server/protocol.ts";
import { StatsAggregate, type StatsSource } from "../../src/stats/aggregate.ts";
import { StatKind } from "../../src/stats/store.ts";
import { releaseThread } from "../../src/upstream/circuit-breaker.ts";
import { staticMembership } from "../../src/upstream/dns-resolver.ts";
import { releaseSharedStore } from "../../src/wasm/shared-store.ts";
import { newBirth, type WorkerConfig } from "../worker-for-test.ts";
import { SimWorker, type WorkerWorld } from "./sim-worker.ts";

/** Main's own stats, of which there are none. */
const mainSlotsMax = 1024;
const restartDelayMs = 100;
/** How long a message between threads takes at the most. */
export const tellMsMax = 30;

export interface ProcessWorld extends WorkerWorld {
  fail(message: string): never;
  /** A worker dies: what ended is logged, its connections are still there. */
  onDeath(worker: SimWorker): void;
}

/** The kind of a broadcast that tells a cluster's hosts. */
export function hostsOf(cluster: string): string {
  return `hosts of ${cluster}`;
}

type Version = Omit<PrepareMessage, "type" | "bound">;

export class SimProcess {
  readonly stats: StatsAggregate;
  readonly birth: WorkerBirth;
  /** By their index; one that has died stays until its successor is there. */
  readonly workers: SimWorker[];
  /** Gauges of the dead as they stood: what they counted as begun and never as ended. */
  readonly lost: Map<string, number>;
  /** All that ever lived. */
  readonly everyone: SimWorker[];
  readonly #world: ProcessWorld;
  readonly #dice: Dice;
  readonly #sources: Map<SimWorker, StatsSource>;
  /** What successors are told besides the version, by kind. */
  readonly #told: Map<string, () => ToWorker>;
  readonly #jobs: (() => void)[];
  #isBusy: boolean;
  #current: Version | null;
  #version: number;

  /** `randomSeed` is the first worker's. */
  constructor(world: ProcessWorld, randomSeed: number) {
    const { seed, workers } = world.plan;
    this.#world = world;
    this.#dice = new Dice(seed ^ 0x70726f63);
    this.stats = new StatsAggregate(mainSlotsMax);
    this.birth = newBirth(workers);
    this.lost = new Map();
    this.everyone = [];
    this.#sources = new Map();
    this.#told = new Map();
    this.#jobs = [];
    this.#isBusy = false;
    this.#current = null;
    this.#version = 0;
    this.workers = [];
    for (let index = 0; index < workers; index += 1) {
      this.workers.push(this.#create(index, index === 0 ? randomSeed : this.#dice.u32()));
    }
  }

  get living(): readonly SimWorker[] {
    return this.workers.filter((worker) => !worker.isDead);
  }

  /** Puts it in force in all workers; when another change is under way, after that. */
  apply({ modules, snapshot }: WorkerConfig): void {
    this.#do(() => {
      this.#version += 1;
      const version = this.#version;
      const memberships = snapshot.clusters.map((cluster) => staticMembership(cluster));
      const next = { version, snapshot: { ...snapshot, version }, memberships, modules };
      // A worker that dies of something else stops a change; it is tried anew.
      while (!this.#prepare(next)) this.#world.loop.step();
      const members = this.#members();
      for (const member of members) this.#tell(member, { type: "commit", version });
      for (const member of members) member.isUp = this.#await(member, "committed") !== null;
      this.#current = next;
      for (const { cluster } of memberships) this.#told.delete(hostsOf(cluster));
    });
  }

  /** To all workers, and to those that come later. */
  broadcast(kind: string, message: () => ToWorker): void {
    this.#told.set(kind, message);
    for (const worker of this.living) this.#tell(worker, message());
  }

  /** A fault of ours ends the worker's thread, as an exception does; another takes its place. */
  kill(worker: SimWorker): void {
    worker.server.onExit();
    this.#world.onDeath(worker);
    worker.die();
    this.#noteLost(worker);
    const { breakerMemory, clustersMax, connectionMemory, guestStoreMemory, listenersMax } =
      this.birth;
    releaseThread(breakerMemory, clustersMax, worker.index);
    releaseSharedCounts(connectionMemory, connectionCells(listenersMax), worker.index);
    releaseSharedStore(guestStoreMemory, worker.index);
    this.#world.loop.after(restartDelayMs, "restart", worker.index, () =>
      this.#do(() => this.#replace(worker.index)),
    );
  }

  /** Until the last stream has ended. */
  stop(): void {
    this.#do(() => {
      for (const worker of this.living) this.#tell(worker, { type: "stop" });
      for (const worker of this.living) this.#await(worker, "drained");
    });
  }

  // ---- Private parts.

  #create(index: number, randomSeed: number): SimWorker {
    const early: FromWorker[] = [];
    let worker: SimWorker | null = null;
    const hear = (message: FromWorker): void => {
      if (worker === null) early.push(message);
      else this.#hear(worker, message);
    };
    worker = new SimWorker(this.#world, { ...this.birth, index }, randomSeed, hear);
    for (const message of early) this.#hear(worker, message);
    this.everyone.push(worker);
    return worker;
  }

  #hear(worker: SimWorker, message: FromWorker): void {
    const source = this.#sources.get(worker);
    if (worker.isDead) return;
    if (message.type === "online") {
      this.#sources.set(worker, this.stats.addSource(message.statsMemory));
    } else if (message.type === "stats" && source !== undefined) {
      this.stats.define(source, message.definitions);
    } else if (message.type === "refused") {
      this.#world.fail(`a worker refused: ${JSON.stringify(message)}`);
    } else worker.answers.push(message);
  }

  /** One change after the other: those that come while one is under way wait. */
  #do(job: () => void): void {
    this.#jobs.push(job);
    if (this.#isBusy) return;
    this.#isBusy = true;
    for (let next = this.#jobs.shift(); next !== undefined; next = this.#jobs.shift()) next();
    this.#isBusy = false;
  }

  /** A lone worker hears at once: there is nothing that it could be apart from. */
  #tell(worker: SimWorker, message: ToWorker): void {
    const isAlone = this.workers.length <= 1;
    worker.tell(message, isAlone ? null : this.#dice.spread(0, tellMsMax));
  }

  /** Its answer; null = it has died. */
  #await(worker: SimWorker, type: FromWorker["type"]): FromWorker | null {
    for (let i = 0; i < 1_000_000; i += 1) {
      if (worker.isDead) return null;
      const found = worker.answers.find((answer) => answer.type === type);
      worker.answers.length = 0;
      if (found !== undefined) return found;
      this.#world.loop.step();
    }
    return this.#world.fail(`worker ${worker.index} never said ${type}`);
  }

  /** Who has what is in force; the others get it when they come up. */
  #members(): SimWorker[] {
    return this.living.filter((worker) => this.#current === null || worker.isUp);
  }

  /** False when a worker has died meanwhile: nothing of it is in force. */
  #prepare(version: Version): boolean {
    const members = this.#members();
    let bound: readonly ListenerAddress[] = [];
    for (const member of members) {
      this.#tell(member, { type: "prepare", ...version, bound });
      const answer = this.#await(member, "prepared");
      if (answer === null) {
        for (const other of members) {
          this.#tell(other, { type: "abort", version: version.version });
        }
        return false;
      }
      if (answer.type === "prepared" && bound.length === 0) bound = answer.addresses;
    }
    return members.length > 0;
  }

  #replace(index: number): void {
    const worker = this.#create(index, this.#dice.u32());
    this.workers[index] = worker;
    for (const message of this.#told.values()) this.#tell(worker, message());
    if (this.#current === null) return;
    this.#tell(worker, { type: "prepare", ...this.#current, bound: [] });
    if (this.#await(worker, "prepared") === null) return;
    this.#tell(worker, { type: "commit", version: this.#current.version });
    worker.isUp = this.#await(worker, "committed") !== null;
    for (const message of this.#told.values()) this.#tell(worker, message());
  }

  #noteLost(worker: SimWorker): void {
    const { stats } = worker.server.contextForTest;
    const values = new Float64Array(stats.memory);
    for (const { kind, name, slot } of stats.definitions) {
      if (kind !== StatKind.Gauge) continue;
      this.lost.set(name, (this.lost.get(name) ?? 0) + (values[slot] as number));
    }
    const source = this.#sources.get(worker);
    if (source !== undefined) this.stats.removeSource(source);
    this.#sources.delete(worker);
  }
}

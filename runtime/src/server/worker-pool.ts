// The main thread's side of the workers: makes them, applies versions in two phases, replaces the
// dead.
import { performance } from "node:perf_hooks";
import { Worker } from "node:worker_threads";
import { LogLevel } from "../core/logger.ts";
import type { Logger } from "../core/logger.ts";
import type { ClusterMembership } from "../config/snapshot.ts";
import type { StatDefinition } from "../stats/store.ts";
import { guestMarkText } from "../wasm/guest-mark.ts";
import { limitWorkerPhase } from "./phase-limit.ts";
import { changeMessage } from "./protocol.ts";
import type {
  ChangeMessage,
  FromGuests,
  FromWorker,
  ListenerAddress,
  PrepareMessage,
  ToWorker,
  VersionChange,
  WorkerBirth,
} from "./protocol.ts";
import { PulseMemory } from "./pulse.ts";
import { type EngineKind, newNetworkWish, settleNetwork } from "./network-wish.ts";
import type { WatchedThread } from "./watchdog.ts";

/** What is applied: everything of a prepare message but what the pool knows itself. */
export type Version = Omit<PrepareMessage, "type" | "bound">;

export interface WorkerPoolOptions {
  readonly count: number;
  /** The module that a worker runs. */
  readonly entry: URL;
  readonly birth: Omit<WorkerBirth, "index" | "pulseMemory" | "network">;
  readonly engine: EngineKind;
  readonly logger: Logger;
  readonly events: WorkerPoolEvents;
  /** Asked when a dead worker's successor comes up: what has changed since the version in force. */
  readonly catchUp: () => CatchUp;
}

export interface CatchUp {
  /** The hosts of every cluster as they are now. */
  readonly memberships: readonly ClusterMembership[];
  /** Levels, drains: told after commit. */
  readonly messages: readonly ToWorker[];
}

export interface WorkerPoolEvents {
  /** A worker's stats exist; `id` is unique among all workers that ever lived. */
  onStatsMemory(id: number, memory: SharedArrayBuffer): void;
  onStatsDefined(id: number, definitions: readonly StatDefinition[]): void;
  /** The worker is dead; its counters stay. */
  onWorkerGone(id: number, index: number): void;
  onGuests(message: FromGuests): void;
}

/** A worker that dies again and again is replaced at most so often. */
const RESTART_DELAY_MS = 100;
const RESTART_DELAY_MS_MAX = 10_000;
/** What workers get to write their access logs when the time for draining is over. */
const CUT_TIMEOUT_MS = 1000;

/** How a version is put in force. */
export interface ApplyOptions {
  /**
   * Of the version, only this is new: workers that have the version before get nothing else.
   * Default: the whole version is prepared.
   */
  readonly change?: VersionChange;
  /** Ports that another process was given for port 0: they are bound, too. */
  readonly inherited?: readonly ListenerAddress[];
  /** All workers have it; from now on `catchUp` must say what holds with it. */
  readonly onCommitted?: () => void;
}

/** Why a version did not come into force; without problems it did. */
type Refusal = Pick<Answer, "problems" | "isDeath">;

/** What a worker answered to a phase; problems are empty when it agrees. */
interface Answer {
  readonly problems: readonly string[];
  /** It died before it could answer: the problem says of what. */
  readonly isDeath?: boolean;
  readonly addresses: readonly ListenerAddress[];
}

export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #members: Member[];
  readonly #pulse: PulseMemory;
  #nextId: number = 0;
  #current: Version | null = null;
  /** On its way to the workers. */
  #preparing: Version | null = null;
  #addresses: readonly ListenerAddress[];
  #queue: Promise<unknown>;
  #isStopping: boolean = false;
  #restartDelayMs: number;
  /** Replacements to come. They hold the process: without workers nothing else may. */
  readonly #restartTimers: Set<NodeJS.Timeout>;
  readonly #waitingForWorker: (() => void)[] = [];

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
    this.#members = [];
    this.#pulse = PulseMemory.create(options.count);
    this.#addresses = [];
    this.#queue = Promise.resolve();
    this.#restartDelayMs = RESTART_DELAY_MS;
    this.#restartTimers = new Set();
    for (let index = 0; index < options.count; index += 1) this.#members.push(this.#create(index));
  }

  /** Addresses in use, of the first worker. */
  get addresses(): readonly ListenerAddress[] {
    return this.#addresses;
  }

  /** The name of the workers' engine, or their names, "" before the first is online. */
  get engineName(): string {
    const names = this.#members.map((member) => member.engineName);
    return [...new Set(names.filter((name) => name !== ""))].join("; ");
  }

  /**
   * Puts a version in force in all workers or in none. Answers with what is wrong, [] when it is in
   * force. Calls are done one after the other.
   */
  async apply(version: Version, options: ApplyOptions = {}): Promise<readonly string[]> {
    const refusal = await this.#enqueue(version, options);
    // A worker may die of something else. If it was the version, the next one dies of it, too.
    if (refusal.isDeath !== true || this.#current === null) return refusal.problems;
    return (await this.#enqueue(version, options)).problems;
  }

  broadcast(message: ToWorker): void {
    for (const member of this.#members) member.post(message);
  }

  // ---- For the watchdog.

  beatMain(): void {
    this.#pulse.beatMain();
  }

  /** How often workers beat; one ends the process when main is stuck for so long, 0 = never. */
  setWatch(beatMs: number, mainKillMs: number): void {
    this.#pulse.setWatch(beatMs, mainKillMs);
  }

  watchedThreads(): WatchedThread[] {
    return this.#members.map((member) => ({
      name: member.name,
      isWatched: member.isOnline && !member.isDead,
      ...this.#pulse.signs(member.index),
      id: member.id,
    }));
  }

  /** What runs in the worker: "plugin NAME, CALLBACK", or "" when no guest does. */
  guestOf(name: string): string {
    const member = this.#members.find((other) => other.name === name);
    if (member === undefined) return "";
    const { plugin, callback } = this.#pulse.read(member.index);
    const versions = [this.#current, this.#preparing];
    const names = versions.flatMap((v) => v?.snapshot.plugins.map((p) => p.name) ?? []);
    return guestMarkText(plugin, callback, names);
  }

  /** Ends a worker now; it is replaced. */
  kill(name: string, reason: string): void {
    this.#members.find((member) => member.name === name)?.kill(reason);
  }

  /** Drains all workers; after `deadlineMs` connections that are left are reset. */
  async stop(deadlineMs: number): Promise<void> {
    this.#endRestarts();
    const drained = Promise.all(this.#members.map((member) => member.drain()));
    if (await isInTime(drained, deadlineMs)) return;
    this.broadcast({ type: "cut" });
    await isInTime(drained, CUT_TIMEOUT_MS);
  }

  /** Ends all workers now. */
  async terminate(): Promise<void> {
    this.#endRestarts();
    await Promise.all(this.#members.map((member) => member.terminate()));
  }

  /** While no worker is up, a version waits for the first one that has come back. */
  async #enqueue(version: Version, options: ApplyOptions): Promise<Refusal> {
    for (;;) {
      const done = this.#queue.then(() => this.#apply(version, options));
      this.#queue = done.catch(() => undefined);
      const refusal = await done;
      if (refusal !== null) return refusal;
      if (this.#isStopping) return { problems: ["the process ends"] };
      await new Promise<void>((resolve) => {
        this.#waitingForWorker.push(resolve);
      });
    }
  }

  #endWaiting(): void {
    for (const resolve of this.#waitingForWorker.splice(0)) resolve();
  }

  /** Null when no worker is up. */
  async #apply(version: Version, options: ApplyOptions): Promise<Refusal | null> {
    const members = this.#membersToAsk();
    if (members.length === 0) return null;
    this.#preparing = version;
    const refusal = await this.#prepare(members, version, options);
    this.#preparing = null;
    if (refusal.problems.length > 0) {
      for (const member of members) member.post({ type: "abort", version: version.version });
      return refusal;
    }
    await Promise.all(members.map((member) => member.commit(version.version)));
    this.#current = version;
    for (const member of members) member.isUp = true;
    options.onCommitted?.();
    for (const member of members) this.#tellHosts(member, version.memberships);
    return refusal;
  }

  /** The dead, and successors that have nothing yet, get what is in force when they come up. */
  #membersToAsk(): Member[] {
    if (this.#current === null) return [...this.#members];
    return this.#members.filter((member) => member.isUp && !member.isDead);
  }

  /** The first worker goes first: it finds ports and faults; the others follow one by one. */
  async #prepare(
    members: readonly Member[],
    version: Version,
    { change, inherited = [] }: ApplyOptions,
  ): Promise<Refusal> {
    let bound: readonly ListenerAddress[] | null = change === undefined ? null : this.#addresses;
    for (const member of members) {
      const answer = await member.prepare(
        change === undefined
          ? { type: "prepare", ...version, bound: bound ?? inherited }
          : changeMessage(version.version, change, version.snapshot.server.hostname),
      );
      if (answer.problems.length > 0) return answer;
      bound ??= answer.addresses;
    }
    this.#addresses = bound ?? [];
    return { problems: [] };
  }

  #create(index: number): Member {
    const id = this.#nextId;
    this.#nextId += 1;
    const { entry, birth, engine, events } = this.#options;
    this.#pulse.clear(index);
    const data: WorkerBirth = {
      index,
      pulseMemory: this.#pulse.memory,
      network: newNetworkWish(engine),
      ...birth,
    };
    const member = new Member(id, entry, data, events, () => this.#onDeath(member));
    return member;
  }

  #onDeath(member: Member): void {
    const { logger, events } = this.#options;
    events.onWorkerGone(member.id, member.index);
    if (this.#isStopping) return;
    const index = this.#members.indexOf(member);
    if (index < 0) return;
    logger.log(
      LogLevel.Critical,
      `worker ${member.index} died: ${member.deathReason}; replacing it`,
    );
    const hasLived = performance.now() - member.bornMs > RESTART_DELAY_MS_MAX;
    const delay = hasLived ? RESTART_DELAY_MS : this.#restartDelayMs;
    this.#restartDelayMs = Math.min(delay * 2, RESTART_DELAY_MS_MAX);
    const timer = setTimeout(() => {
      this.#restartTimers.delete(timer);
      this.#replace(index, member);
    }, delay);
    this.#restartTimers.add(timer);
  }

  #endRestarts(): void {
    this.#isStopping = true;
    this.#endWaiting();
    for (const timer of this.#restartTimers) clearTimeout(timer);
    this.#restartTimers.clear();
  }

  #replace(index: number, dead: Member): void {
    if (this.#isStopping || this.#members[index] !== dead) return;
    const member = this.#create(dead.index);
    this.#members[index] = member;
    this.#queue = this.#queue.then(() => this.#bringUp(member)).catch(() => undefined);
  }

  /** A new worker gets the version in force, by the same two phases. */
  async #bringUp(member: Member): Promise<void> {
    const current = this.#current;
    if (current === null) return;
    const { memberships, messages } = this.#options.catchUp();
    const bound = this.#addresses;
    // Before it binds: addresses that /drain_listeners or a takeover has closed stay closed.
    for (const message of messages) member.post(message);
    const answer = await member.prepare({ type: "prepare", ...current, memberships, bound });
    if (answer.problems.length === 0) {
      await member.commit(current.version);
      member.isUp = true;
      this.#tellHosts(member, memberships);
      // Addresses that only the dead one had.
      const known = new Set(this.#addresses.map(({ listener }) => listener));
      const more = answer.addresses.filter(({ listener }) => !known.has(listener));
      this.#addresses = [...this.#addresses, ...more];
      this.#endWaiting();
      for (const message of this.#options.catchUp().messages) member.post(message);
      return;
    }
    const reasons = answer.problems.join("; ");
    this.#options.logger.log(
      LogLevel.Error,
      `worker ${member.index} refused its configuration: ${reasons}`,
    );
    await member.terminate();
  }

  /** Hosts that have changed between prepare and commit, when the worker did not listen yet. */
  #tellHosts(member: Member, told: readonly ClusterMembership[]): void {
    for (const membership of this.#options.catchUp().memberships) {
      if (!told.includes(membership)) member.post({ type: "membership", membership });
    }
  }
}

/** One worker thread. */
class Member {
  readonly id: number;
  readonly index: number;
  readonly bornMs: number;
  engineName: string = "";
  deathReason: string;
  readonly #pulse: PulseMemory;
  readonly #worker: Worker;
  readonly #events: WorkerPoolEvents;
  #waiting: ((answer: Answer) => void) | null = null;
  #drained: (() => void) | null = null;
  /** It has the version in force. */
  isUp: boolean = false;
  #isDead: boolean;

  constructor(
    id: number,
    entry: URL,
    workerData: WorkerBirth,
    events: WorkerPoolEvents,
    onDeath: () => void,
  ) {
    this.id = id;
    this.index = workerData.index;
    this.bornMs = performance.now();
    this.deathReason = "";
    this.#events = events;
    this.#isDead = false;
    this.#pulse = new PulseMemory(workerData.pulseMemory);
    this.#worker = new Worker(entry, { workerData, name: `wrk:${this.name}` });
    this.#worker.on("message", (message: FromWorker) => this.#onMessage(message));
    this.#worker.on("error", (error: Error) => {
      this.deathReason = error.stack ?? error.message;
    });
    this.#worker.on("exit", (code) => {
      this.#isDead = true;
      settleNetwork(workerData.network);
      this.deathReason ||= `exit code ${code}`;
      this.#answer({ problems: [this.#deathNotice()], isDeath: true, addresses: [] });
      this.#drained?.();
      onDeath();
    });
  }

  get name(): string {
    return `worker_${this.index}`;
  }

  get isDead(): boolean {
    return this.#isDead;
  }

  /** Its event loop runs. */
  get isOnline(): boolean {
    return this.engineName !== "";
  }

  kill(reason: string): void {
    if (this.#isDead) return;
    this.deathReason ||= reason;
    void this.#worker.terminate();
  }

  post(message: ToWorker): void {
    if (!this.#isDead) this.#worker.postMessage(message);
  }

  prepare(message: PrepareMessage | ChangeMessage): Promise<Answer> {
    return this.#ask(message, "prepare");
  }

  async commit(version: number): Promise<void> {
    await this.#ask({ type: "commit", version }, "commit");
  }

  drain(): Promise<void> {
    if (this.#isDead) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained = resolve;
      this.post({ type: "stop" });
    });
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  async #ask(message: ToWorker, phase: string): Promise<Answer> {
    if (this.#isDead) return { problems: [this.#deathNotice()], isDeath: true, addresses: [] };
    const answer = new Promise<Answer>((resolve) => {
      this.#waiting = resolve;
    });
    this.post(message);
    const stop = limitWorkerPhase(this.#pulse, this.index, (tookMs) => {
      const seconds = Math.round(tookMs / 1000);
      const problem = `worker ${this.index}: no answer to ${phase} in ${seconds} s`;
      this.#answer({ problems: [problem], addresses: [] });
    });
    const first = await answer;
    stop();
    return first;
  }

  #deathNotice(): string {
    return `worker ${this.index} died: ${this.deathReason}`;
  }

  #answer(answer: Answer): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.(answer);
  }

  #onMessage(message: FromWorker): void {
    switch (message.type) {
      case "online":
        this.engineName = message.engine;
        this.#events.onStatsMemory(this.id, message.statsMemory);
        return;
      case "stats":
        this.#events.onStatsDefined(this.id, message.definitions);
        return;
      case "guest_trap":
      case "shadow_difference":
      case "guest_gauges":
      case "queue_wake":
        return this.#events.onGuests(message);
      case "prepared":
        this.#answer({ problems: [], addresses: message.addresses });
        return;
      case "refused":
        this.#answer({ problems: message.problems, addresses: [] });
        return;
      case "committed":
        this.#answer({ problems: [], addresses: [] });
        return;
      case "drained":
        this.#drained?.();
        return;
    }
  }
}

async function isInTime(done: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise, timer } = timeout(ms);
  const isDone = await Promise.race([done.then(() => true), promise.then(() => false)]);
  clearTimeout(timer);
  return isDone;
}

function timeout(ms: number): { promise: Promise<void>; timer: NodeJS.Timeout } {
  let timer: NodeJS.Timeout | undefined;
  const promise = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  return { promise, timer: timer as NodeJS.Timeout };
}

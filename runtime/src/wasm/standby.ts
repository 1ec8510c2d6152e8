// The VM that waits, started and configured, to take over when the one of its slot fails. Made when
// the thread has nothing to do for it: standby-queue.ts says when. Used by vm-slot.ts.
import type { StandbyPolicy } from "../config/wasm-policy.ts";
import { LogLevel } from "../core/logger.ts";
import type { Counter, Gauge } from "../stats/store.ts";
import type { ReloadBackoff } from "./failure-policy.ts";
import type { GuestLog, HeldLine } from "./guest-log.ts";
import type { Plugin } from "./plugin.ts";
import type { RootContext } from "./root-context.ts";
import type { StandbyQueue } from "./standby-queue.ts";
import type { VmFailure } from "./vm-failure.ts";
import type { Vm, VmOwner } from "./vm.ts";

export interface StandbyStats {
  /** VMs that wait. */
  readonly ready: Gauge;
  readonly made: Counter;
  readonly used: Counter;
  /** Those that did not start, or failed while they waited. */
  readonly failed: Counter;
}

/** Whom it stands by for. */
export interface StandbySlot {
  /** A VM of its plugins' module, with nothing started on it. */
  makeVm(owner: VmOwner): Vm;
  readonly moduleName: string;
  /** In the order in which they start. */
  readonly plugins: readonly Plugin[];
}

/** A VM on which all plugins are started. */
export interface ReadyStandby {
  readonly vm: Vm;
  readonly roots: ReadonlyMap<Plugin, RootContext>;
  /** What its guest said so far. */
  readonly lines: readonly HeldLine[];
}

/**
 * A standby starts at a time that nobody chose, perhaps for nothing, so nobody may see it: a guest
 * whose start calls out, or touches what it shares with others, has none, unless its policy says
 * so. States: absent -> wanted -> ready -> absent; refused is for good.
 */
export class Standby implements VmOwner {
  readonly #slot: StandbySlot;
  readonly #policy: StandbyPolicy;
  readonly #queue: StandbyQueue;
  readonly #backoff: ReloadBackoff;
  readonly #stats: StandbyStats;
  readonly #log: GuestLog;
  #ready: ReadyStandby | null = null;
  #isRefused: boolean = false;

  constructor(
    slot: StandbySlot,
    policy: StandbyPolicy,
    queue: StandbyQueue,
    backoff: ReloadBackoff,
    stats: StandbyStats,
    log: GuestLog,
  ) {
    this.#slot = slot;
    this.#policy = policy;
    this.#queue = queue;
    this.#backoff = backoff;
    this.#stats = stats;
    this.#log = log;
  }

  get isReady(): boolean {
    return this.#ready !== null;
  }

  /** Monotonic milliseconds: not to be made earlier. */
  get notBeforeMs(): number {
    return this.#backoff.notBeforeMs;
  }

  /** The slot's plugins are others now, or it has none. */
  renew(): void {
    this.drop();
    if (!this.#isRefused && this.#policy !== "off") this.#queue.add(this);
  }

  /** Nobody needs it any more. */
  drop(): void {
    this.#queue.remove(this);
    const ready = this.#setReady(null);
    if (ready === null) return;
    for (const root of ready.roots.values()) root.stopEvents();
    ready.vm.release();
  }

  /** For the slot, which makes its VM the one that serves. */
  take(): ReadyStandby | null {
    const ready = this.#setReady(null);
    if (ready !== null) this.#stats.used.inc();
    return ready;
  }

  /** A start of the slot's own VM did what others see; whether it may. */
  noteOutwardCall(name: string): void {
    if (this.#policy === "always" || this.#isRefused) return;
    this.#isRefused = true;
    this.drop();
    const what = `wasm module ${this.#slot.moduleName} has no standby`;
    this.#log.host(LogLevel.Debug, `${what}: its start calls ${name}`);
  }

  /** From the queue: the thread has time. */
  make(): void {
    this.#backoff.onMade();
    this.#log.startHolding();
    const made = this.#start();
    const lines = this.#log.stopHolding();
    if (typeof made !== "string") {
      this.#stats.made.inc();
      this.#setReady({ ...made, lines });
    } else if (!this.#isRefused) this.#onFailed([made, ...lines.map(({ message }) => message)]);
  }

  #start(): Pick<ReadyStandby, "vm" | "roots"> | string {
    const vm = this.#slot.makeVm(this);
    const roots = new Map<Plugin, RootContext>();
    for (const plugin of this.#slot.plugins) {
      const root = vm.failure === null ? plugin.startRoot(vm, true) : vm.failure.summary;
      if (typeof root !== "string") {
        roots.set(plugin, root);
        continue;
      }
      for (const started of roots.values()) started.stopEvents();
      return root;
    }
    return { vm, roots };
  }

  #onFailed(reasons: readonly string[]): void {
    this.#stats.failed.inc();
    this.#backoff.onFailure();
    this.#queue.add(this);
    const who = `a standby of plugin ${this.#slot.plugins[0]?.name ?? ""}`;
    this.#log.host(LogLevel.Warning, `wasm ${who} could not be started: ${reasons.join("; ")}`);
  }

  /** While it starts, `make` goes on; while it waits, an answer to a call of its start came. */
  onVmFailure(vm: Vm, failure: VmFailure): void {
    if (this.#ready?.vm !== vm) return;
    this.drop();
    this.#onFailed([failure.summary]);
  }

  onOutwardCall(name: string): boolean {
    if (this.#policy === "always") return true;
    this.noteOutwardCall(name);
    return false;
  }

  #setReady(next: ReadyStandby | null): ReadyStandby | null {
    const before = this.#ready;
    this.#ready = next;
    if (before === null && next !== null) this.#stats.ready.inc();
    if (before !== null && next === null) this.#stats.ready.dec();
    return before;
  }
}

// What guests of all threads share, as the main thread has it: the memory, the gauges among its
// stats, messages to consumers of queues in other threads, and the end of a thread. server.ts.
import type { StatsAggregate, StatsSource } from "../stats/aggregate.ts";
import type { StatDefinition } from "../stats/store.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";
import { sharedGaugesMemory } from "../wasm/shared-gauges.ts";
import type { ShadowDifference } from "../wasm/shadow/shadow.ts";
import { releaseSharedStore, SharedStore, sharedStoreMemory } from "../wasm/shared-store.ts";
import type { FromGuests, ToWorker, WorkerBirth } from "./protocol.ts";

/** Numbers of threads that have a part in it: workers, then main. */
export class GuestShares {
  readonly #stats: StatsAggregate;
  readonly #broadcast: (message: ToWorker) => void;
  readonly #onTrap: (trap: GuestTrap) => void;
  readonly #onDifference: (difference: ShadowDifference) => void;
  readonly #storeMemory: SharedArrayBuffer;
  readonly #gaugesMemory: SharedArrayBuffer;
  readonly #gauges: StatsSource;
  /** Gauges that are known, by name: each worker tells of those that it uses. */
  readonly #known: Set<string>;
  readonly #store: SharedStore;
  #refused: number = 0;

  constructor(
    stats: StatsAggregate,
    workers: number,
    broadcast: (message: ToWorker) => void,
    onTrap: (trap: GuestTrap) => void,
    onDifference: (difference: ShadowDifference) => void,
  ) {
    this.#onDifference = onDifference;
    this.#onTrap = onTrap;
    this.#stats = stats;
    this.#broadcast = broadcast;
    this.#storeMemory = sharedStoreMemory();
    this.#gaugesMemory = sharedGaugesMemory(workers);
    this.#gauges = stats.addSource(this.#gaugesMemory);
    this.#known = new Set();
    this.#store = new SharedStore({ memory: this.#storeMemory, thread: workers });
  }

  get birth(): Pick<WorkerBirth, "guestStoreMemory" | "guestGaugesMemory"> {
    return { guestStoreMemory: this.#storeMemory, guestGaugesMemory: this.#gaugesMemory };
  }

  onMessage(message: FromGuests): void {
    if (message.type === "guest_trap") this.#onTrap(message.trap);
    else if (message.type === "shadow_difference") this.#onDifference(message.difference);
    else if (message.type === "guest_gauges") this.#define(message.definitions);
    else this.#broadcast(message);
  }

  #define(definitions: readonly StatDefinition[]): void {
    const fresh = definitions.filter(({ name }) => !this.#known.has(name));
    for (const { name } of fresh) this.#known.add(name);
    this.#stats.define(this.#gauges, fresh);
  }

  /** A worker is dead: what it had locked is free. What its guests kept stays. */
  release(worker: number): void {
    releaseSharedStore(this.#storeMemory, worker);
  }

  /** What guests keep in spaces of that prefix is forgotten; see SharedStore.drop. */
  dropSpace(prefix: string): void {
    this.#store.drop(prefix);
  }

  /** For a scrape. */
  updateStats(): void {
    const { refused, usedBytes } = this.#store;
    if (usedBytes === 0) return;
    this.#stats.store.gauge("wasm.shared_store.used_bytes").set(usedBytes);
    this.#stats.store.counter("wasm.shared_store.refused").add(refused - this.#refused);
    this.#refused = refused;
  }
}

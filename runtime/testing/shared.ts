// Shared data, queues and metrics as a test reads and sets them.
import { Status } from "proxy-wasm-types";
import { type Histogram, StatKind, type StatsStore } from "../src/stats/store.ts";
import type { SharedStore } from "../src/wasm/shared-store.ts";
import { misuse } from "./errors.ts";

/** What proxy_get_shared_data and proxy_set_shared_data see. Text is UTF-8. */
export class SharedData {
  readonly #store: SharedStore;
  readonly #vmId: string;

  constructor(store: SharedStore, vmId: string) {
    this.#store = store;
    this.#vmId = vmId;
  }

  /** Undefined = there is none. `vmId` is by default that of the test's (first) filter. */
  get(key: string, vmId: string = this.#vmId): Buffer | undefined {
    return this.#store.get(vmId, keyOf(key))?.value;
  }

  text(key: string, vmId: string = this.#vmId): string | undefined {
    return this.get(key, vmId)?.toString();
  }

  /** The number that a guest must give to change it. */
  cas(key: string, vmId: string = this.#vmId): number | undefined {
    return this.#store.get(vmId, keyOf(key))?.cas;
  }

  set(key: string, value: string | Uint8Array, vmId: string = this.#vmId): void {
    const status = this.#store.set(vmId, keyOf(key), Buffer.from(value as Uint8Array), 0);
    if (status !== Status.Ok) throw misuse(`shared data has no room for ${key}`);
  }
}

/** Queues by name. Items come to a guest's on_queue_ready with the next t.advance(). */
export class SharedQueues {
  readonly #store: SharedStore;
  readonly #vmId: string;

  constructor(store: SharedStore, vmId: string) {
    this.#store = store;
    this.#vmId = vmId;
  }

  /** Makes the queue, for guests that resolve it: the test is who reads it. */
  register(name: string, vmId: string = this.#vmId): void {
    this.#store.registerQueue(vmId, keyOf(name), null);
  }

  push(name: string, item: string | Uint8Array, vmId: string = this.#vmId): void {
    this.#store.enqueue(this.#token(name, vmId), Buffer.from(item as Uint8Array));
  }

  /** Undefined = it is empty. */
  pop(name: string, vmId: string = this.#vmId): Buffer | undefined {
    return this.#store.dequeue(this.#token(name, vmId));
  }

  #token(name: string, vmId: string): number {
    const token = this.#store.resolveQueue(vmId, keyOf(name));
    if (token !== 0) return token;
    const hint = "a guest registers it, or the test by t.queues.register()";
    throw misuse(`no queue ${JSON.stringify(name)} of vm_id ${JSON.stringify(vmId)}: ${hint}`);
  }
}

/** Guests' names are bytes, one character each. */
function keyOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}

const PREFIX = "wasmcustom.";

/** Metrics that guests define, by their own names. Undefined = no guest has defined it. */
export class TestMetrics {
  readonly #stats: StatsStore;
  readonly #process: StatsStore;

  /** Counters and gauges are those of the process. */
  constructor(stats: StatsStore, process: StatsStore) {
    this.#stats = stats;
    this.#process = process;
  }

  /** Of the process, as guests read it: what all workers have added. */
  counter(name: string): number | undefined {
    const isKnown = has(this.#process, name, StatKind.Counter);
    return isKnown ? this.#process.counter(PREFIX + name).value : undefined;
  }

  /** Of the process. */
  gauge(name: string): number | undefined {
    const isKnown = has(this.#process, name, StatKind.Gauge);
    return isKnown ? this.#process.gauge(PREFIX + name).value : undefined;
  }

  /** Of this worker. */
  histogram(name: string): { readonly count: number; readonly sum: number } | undefined {
    if (!has(this.#stats, name, StatKind.Histogram)) return undefined;
    const { count, sum }: Histogram = this.#stats.histogram(PREFIX + name);
    return { count, sum };
  }

  get names(): readonly string[] {
    const all = [...this.#stats.definitions, ...this.#process.definitions];
    const own = all.filter(({ name }) => name.startsWith(PREFIX));
    return [...new Set(own.map(({ name }) => name.slice(PREFIX.length)))].sort();
  }
}

function has(stats: StatsStore, name: string, kind: number): boolean {
  return stats.definitions.some((one) => one.name === PREFIX + name && one.kind === kind);
}

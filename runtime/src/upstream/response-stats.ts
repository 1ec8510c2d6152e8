// Counters and times by response code, as Envoy's CodeStats: made when a code is first seen.
// The router charges them, for the cluster as a whole and for internal or external requests.
import type { Counter, Histogram, StatsStore } from "../stats/store.ts";

const CODES = 600;

/** "<scope>upstream_rq_completed", "..._2xx", "..._200" and "..._time". */
class CodeGroup {
  readonly #store: StatsStore;
  readonly #scope: string;
  readonly #classes: (Counter | null)[];
  readonly #codes: (Counter | null)[];
  #completed: Counter | null = null;
  #time: Histogram | null = null;

  constructor(store: StatsStore, scope: string) {
    this.#store = store;
    this.#scope = scope;
    this.#classes = [null, null, null, null, null, null];
    this.#codes = Array.from({ length: CODES }, (): Counter | null => null);
  }

  charge(code: number): void {
    this.#completed ??= this.#store.counter(`${this.#scope}upstream_rq_completed`);
    this.#completed.inc();
    const kind = (code / 100) | 0;
    if (kind >= 1 && kind <= 5) (this.#classes[kind] ?? this.#makeClass(kind)).inc();
    // Codes that HTTP does not know share one counter, as in Envoy.
    const slot = code >= 100 && code < CODES ? code : 0;
    (this.#codes[slot] ?? this.#makeCode(slot)).inc();
  }

  #makeCode(slot: number): Counter {
    const name = slot === 0 ? "unknown" : String(slot);
    const counter = this.#store.counter(`${this.#scope}upstream_rq_${name}`);
    this.#codes[slot] = counter;
    return counter;
  }

  #makeClass(kind: number): Counter {
    const counter = this.#store.counter(`${this.#scope}upstream_rq_${kind}xx`);
    this.#classes[kind] = counter;
    return counter;
  }

  recordTime(ms: number): void {
    this.#time ??= this.#store.histogram(`${this.#scope}upstream_rq_time`);
    this.#time.record(ms);
  }
}

export class ResponseStats {
  readonly #all: CodeGroup;
  readonly #internal: CodeGroup;
  readonly #external: CodeGroup;

  /** `scope` is "cluster.<name>.". */
  constructor(store: StatsStore, scope: string) {
    this.#all = new CodeGroup(store, scope);
    this.#internal = new CodeGroup(store, `${scope}internal.`);
    this.#external = new CodeGroup(store, `${scope}external.`);
  }

  charge(code: number, isInternal: boolean): void {
    this.#all.charge(code);
    (isInternal ? this.#internal : this.#external).charge(code);
  }

  /** Milliseconds from the request's end to the response's. */
  recordTime(ms: number, isInternal: boolean): void {
    this.#all.recordTime(ms);
    (isInternal ? this.#internal : this.#external).recordTime(ms);
  }
}

// What guests of all threads share, and what is told to main of them, as one worker has it. Used by
// worker.ts.
import type { StatDefinition } from "../stats/store.ts";
import type { GuestTrap } from "../wasm/trap-report.ts";
import { ProcessGauges } from "../wasm/shared-gauges.ts";
import type { ShadowDifference } from "../wasm/shadow/shadow.ts";
import { SharedStore } from "../wasm/shared-store.ts";
import type { FromWorker, GuestTraceRules, WorkerBirth } from "./protocol.ts";

export class GuestLinks {
  readonly store: SharedStore;
  readonly gauges: ProcessGauges;
  /** What the admin interface's switch says: for the host, when it is made. */
  traces: GuestTraceRules;
  readonly #index: number;
  readonly #send: (message: FromWorker) => void;
  readonly #nextTurn: (callback: () => void) => void;
  readonly #definitions: StatDefinition[];

  constructor(
    birth: WorkerBirth,
    send: (message: FromWorker) => void,
    nextTurn: (callback: () => void) => void,
  ) {
    this.#index = birth.index;
    this.#send = send;
    this.#nextTurn = nextTurn;
    this.#definitions = [];
    this.traces = new Map();
    this.store = new SharedStore({
      memory: birth.guestStoreMemory,
      thread: birth.index,
      wake: (thread, token) => send({ type: "queue_wake", thread, token }),
    });
    this.gauges = new ProcessGauges({
      memory: birth.guestGaugesMemory,
      store: this.store,
      thread: birth.index,
      onDefine: (definition) => this.#onDefine(definition),
    });
  }

  /** Main tells all workers: it is meant for one. */
  onWake(thread: number, token: number): void {
    if (thread === this.#index) this.store.onWake(token);
  }

  /** Main may know the guest's sources. */
  reportTrap(trap: GuestTrap): void {
    this.#send({ type: "guest_trap", trap });
  }

  reportDifference(difference: ShadowDifference): void {
    this.#send({ type: "shadow_difference", difference });
  }

  /** Those of one turn go together. */
  #onDefine(definition: StatDefinition): void {
    this.#definitions.push(definition);
    if (this.#definitions.length > 1) return;
    this.#nextTurn(() => {
      this.#send({ type: "guest_gauges", definitions: this.#definitions.splice(0) });
    });
  }
}

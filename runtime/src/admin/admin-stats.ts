// The admin interface's own stats, named as those of Envoy's admin listener and connection manager.
import type { Counter, Gauge, StatsStore } from "../stats/store.ts";

export class AdminStats {
  readonly #cxTotal: readonly Counter[];
  readonly #cxActive: readonly Gauge[];
  readonly #cxDestroy: readonly Counter[];
  readonly #rqTotal: readonly Counter[];
  readonly #rqActive: Gauge;
  readonly #rqCompleted: readonly Counter[];
  /** Index = first digit of the status less 1. */
  readonly #rqClasses: readonly (readonly Counter[])[];

  constructor(store: StatsStore) {
    const http = "http.admin.downstream_";
    const listener = "listener.admin.downstream_";
    const both = "listener.admin.http.admin.downstream_";
    const counters = (...names: string[]): Counter[] => names.map((name) => store.counter(name));
    const gauges = (...names: string[]): Gauge[] => names.map((name) => store.gauge(name));
    this.#cxTotal = counters(
      `${http}cx_total`,
      `${http}cx_http1_total`,
      `${listener}cx_total`,
      "listener.admin.main_thread.downstream_cx_total",
    );
    this.#cxActive = gauges(
      `${http}cx_active`,
      `${http}cx_http1_active`,
      `${listener}cx_active`,
      "listener.admin.main_thread.downstream_cx_active",
    );
    this.#cxDestroy = counters(`${http}cx_destroy`, `${listener}cx_destroy`);
    this.#rqTotal = counters(`${http}rq_total`, `${http}rq_http1_total`);
    this.#rqActive = store.gauge(`${http}rq_active`);
    this.#rqCompleted = counters(`${http}rq_completed`, `${both}rq_completed`);
    this.#rqClasses = [1, 2, 3, 4, 5].map((digit) =>
      counters(`${http}rq_${digit}xx`, `${both}rq_${digit}xx`),
    );
  }

  onConnection(): void {
    for (const counter of this.#cxTotal) counter.inc();
    for (const gauge of this.#cxActive) gauge.inc();
  }

  onConnectionClosed(): void {
    for (const counter of this.#cxDestroy) counter.inc();
    for (const gauge of this.#cxActive) gauge.dec();
  }

  onRequest(): void {
    for (const counter of this.#rqTotal) counter.inc();
    this.#rqActive.inc();
  }

  /** `status` 0 = the client left before the answer. */
  onRequestDone(status: number): void {
    this.#rqActive.dec();
    if (status === 0) return;
    for (const counter of this.#rqCompleted) counter.inc();
    for (const counter of this.#rqClasses[Math.floor(status / 100) - 1] ?? []) counter.inc();
  }
}

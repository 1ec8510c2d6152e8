// What the main thread would say of overloads: actions and load shed points at some level for a while, then that it is
// over. The configuration to it, and what clients may feel of it.
import { Dice } from "../../src/engine-sim/dice.ts";
import type { OverloadLevels } from "../../src/overload/overload-manager.ts";
import { StatKind } from "../../src/stats/store.ts";
import type { Exchange } from "./exchange.ts";
import { tellMsMax } from "./sim-process.ts";
import type { Simulation } from "./simulation.ts";

export interface OverloadPlan {
  /** Downstream connections; Infinity = no limit. */
  readonly connectionsMax: number;
  /** Whether idle timeouts become short, too. */
  readonly reducesTimeouts: boolean;
}

const targets = [
  "stop_accepting_requests",
  "disable_http_keepalive",
  "stop_accepting_connections",
  "reject_incoming_connections",
  "tcp_listener_accept",
  "hcm_ondata_creating_codec",
  "http_connection_manager_decode_headers",
] as const;

export function newOverloadPlan(dice: Dice, clients: number): OverloadPlan {
  const connectionsMax = dice.chance(0.5) ? dice.between(1, clients) : Number.POSITIVE_INFINITY;
  return { connectionsMax, reducesTimeouts: dice.chance(0.4) };
}

/** Overloads come and go; the last one goes before the clients' patience does. */
export function planOverloads(run: Simulation, plan: OverloadPlan): void {
  // Dice of their own: runs without overloads are what they were.
  const dice = new Dice(run.seed ^ 0x73746f72);
  // Only one that lasts lets connections be idle for too long.
  const isLasting = plan.reducesTimeouts && dice.chance(0.6);
  for (let i = isLasting ? 1 : dice.between(1, 4); i > 0; i -= 1) {
    const from = isLasting ? dice.between(0, 3000) : dice.spread(0, 2500);
    const levels = { ...drawLevels(dice, plan), ...(isLasting ? { reduce_timeouts: 1 } : {}) };
    run.later(from, "overload", i, () => run.storms.tell(run, levels));
    // Long enough for whole requests, half of the time.
    const someMs = dice.chance(0.5) ? dice.between(300, 2500) : dice.spread(1, 1500);
    const lastsMs = isLasting ? 6000 : someMs;
    for (const afterMs of isLasting ? [3300, 4300] : [])
      run.later(from + afterMs, "look", i, () => judgeIdle(run));
    run.later(from + lastsMs, "calm", i, () => {
      judgeIdle(run);
      run.storms.tell(run, {});
    });
  }
}

/** What workers were told, and when: what must, and what may, have been so at some time. */
export class Storms {
  readonly #told: { readonly atMs: number; readonly levels: OverloadLevels }[];

  constructor() {
    this.#told = [{ atMs: Number.NEGATIVE_INFINITY, levels: {} }];
  }

  tell(run: Simulation, levels: OverloadLevels): void {
    this.#told.push({ atMs: run.loop.nowMs, levels });
    run.process.broadcast("overload", () => ({ type: "overload", levels }));
  }

  /** In all workers, all the time. */
  isSaturated(target: string, fromMs: number, toMs: number): boolean {
    return this.#levels(target, fromMs, toMs).every((level) => level >= 1);
  }

  /** In some worker, at some moment. */
  mayOccur(target: string, fromMs: number, toMs: number): boolean {
    return this.#levels(target, fromMs, toMs).some((level) => level > 0);
  }

  #levels(target: string, fromMs: number, toMs: number): number[] {
    const told = this.#told;
    const inForce = told.filter(({ atMs }, at) => {
      const untilMs = (told[at + 1]?.atMs ?? Number.POSITIVE_INFINITY) + tellMsMax;
      return atMs <= toMs && untilMs >= fromMs;
    });
    return inForce.map(({ levels }) => (levels as Record<string, number>)[target] ?? 0);
  }
}

/** Whoever answers in the middle of an overload does what it asks for. */
export function judgeAnswer(run: Simulation, exchange: Exchange, answer: AnswerSeen): void {
  const { loop, storms } = run;
  const during = (target: string): boolean =>
    storms.isSaturated(target, exchange.sentMs, loop.nowMs);
  const { isLocal, saysClose, connectMs } = answer;
  if (!saysClose && during("disable_http_keepalive"))
    run.fail("an answer keeps the connection, and none shall be kept", exchange);
  if (!isLocal && requestSheds.some(during)) run.fail("a request that must be shed", exchange);
  const shed = connectionSheds.find((target) => storms.isSaturated(target, connectMs, loop.nowMs));
  if (shed !== undefined) run.fail(`an answer in spite of ${shed}`, exchange);
}

/** What a client knows of the head of an answer. */
export interface AnswerSeen {
  /** When the connection was asked for. */
  readonly connectMs: number;
  readonly saysClose: boolean;
  readonly isLocal: boolean;
}

const requestSheds = ["stop_accepting_requests", "http_connection_manager_decode_headers"];
const connectionSheds = [
  "stop_accepting_connections",
  "reject_incoming_connections",
  "tcp_listener_accept",
  "hcm_ondata_creating_codec",
];

/** The reduced timeout, a second each of draining and of closing, and what late ticks may add. */
const idleMsMax = 3200;

/** Nobody is idle for longer than the reduced timeout. */
function judgeIdle(run: Simulation): void {
  const { loop, plan, storms } = run;
  const isCalm = !plan.isChoppy && !plan.has("stalledClients");
  const sinceMs = loop.nowMs - idleMsMax;
  if (!isCalm || !storms.isSaturated("reduce_timeouts", sinceMs, loop.nowMs)) return;
  const idle = run.idleClients(sinceMs);
  if (idle.length > 0) run.fail(`idle for too long: ${idle.join("; ")}`);
}

function drawLevels(dice: Dice, plan: OverloadPlan): OverloadLevels {
  const levels: Record<string, number> = {};
  for (const target of targets) if (dice.chance(0.3)) levels[target] = dice.pick([1, 1, 0.6, 0.2]);
  if (plan.reducesTimeouts) levels["reduce_timeouts"] = dice.pick([1, 0.5]);
  return levels;
}

const MONITORS = "type.googleapis.com/envoy.extensions.resource_monitors";
const HEAP = "envoy.resource_monitors.fixed_heap";

/** Names and limits; when levels change, the run says. */
export function overloadYaml({ connectionsMax, reducesTimeouts }: OverloadPlan): string {
  const limit =
    connectionsMax === Number.POSITIVE_INFINITY
      ? ""
      : `
  - name: envoy.resource_monitors.global_downstream_max_connections
    typed_config: { "@type": ${MONITORS}.downstream_connections.v3.DownstreamConnectionsConfig, max_active_downstream_connections: ${connectionsMax} }`;
  const timers = !reducesTimeouts
    ? ""
    : `
  actions:
  - name: envoy.overload_actions.reduce_timeouts
    triggers: [ { name: ${HEAP}, scaled: { scaling_threshold: 0.5, saturation_threshold: 0.9 } } ]
    typed_config:
      "@type": type.googleapis.com/envoy.config.overload.v3.ScaleTimersOverloadActionConfig
      timer_scale_factors:
      - { timer: HTTP_DOWNSTREAM_CONNECTION_IDLE, min_timeout: 0.5s }
      - { timer: HTTP_DOWNSTREAM_STREAM_IDLE, min_scale: { value: 25 } }`;
  const points = targets.slice(4).map(
    (point) => `
  - name: envoy.load_shed_points.${point}
    triggers: [ { name: ${HEAP}, threshold: { value: 0.9 } } ]`,
  );
  return `
overload_manager:
  resource_monitors:
  - name: ${HEAP}
    typed_config: { "@type": ${MONITORS}.fixed_heap.v3.FixedHeapConfig, max_heap_size_bytes: 1000000000 }${limit}${timers}
  loadshed_points:${points.join("")}
`;
}

/** Never more connections than the limit. */
export function checkConnections(run: Simulation, { connectionsMax }: OverloadPlan): void {
  if (connectionsMax === Number.POSITIVE_INFINITY) return;
  const active = run.stat("http.main.downstream_cx_active");
  if (active > connectionsMax) run.fail(`${active} connections, where ${connectionsMax} may be`);
}

const codecShed = "overload.envoy.load_shed_points.hcm_ondata_creating_codec.shed_load_count";

/** Connections that were turned away: each may break what its client wanted of it. */
export function refusals(run: Simulation): number {
  let count = run.stat(codecShed);
  for (const [name, value] of run.statsOf(StatKind.Counter)) {
    if (/^listener\..*\.downstream_(cx_overload_reject|global_cx_overflow)$/.test(name))
      count += value;
  }
  return count;
}

/** Requests are shed in a storm only. */
export function mayBeShed(run: Simulation, { sentMs, endedMs }: Exchange): boolean {
  return requestSheds.some((target) => run.storms.mayOccur(target, sentMs, endedMs));
}

/** What is counted as shed was answered so, and the other way round. */
export function judgeSheds(run: Simulation): void {
  const counted = run.stat("http.main.downstream_rq_overload_close") - run.stat(codecShed);
  const answered = run.log.lines.filter(({ details }) => details === "overload").length;
  const lost = run.process.lost.get("http.main.downstream_rq_active") ?? 0;
  if (counted < answered || counted > answered + lost)
    run.fail(`${counted} requests counted as shed, ${answered} logged`);
}

// What the main thread would say of overloads: actions and load shed points at some level for a while, then that it is
// over. The configuration to it, and what clients may feel of it.
import { Dice } from "../../src/engine-sim/dice.ts";
import type { OverloadLevels } from "../../src/overload/overload-manager.ts";
import { StatKind } from "../../src/stats/store.ts";
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
  for (let i = dice.between(1, 4); i > 0; i -= 1) {
    const from = dice.spread(0, 2500);
    const levels = drawLevels(dice, plan);
    const tell = (told: OverloadLevels): void =>
      run.process.broadcast("overload", () => ({ type: "overload", levels: told }));
    run.later(from, "overload", i, () => tell(levels));
    run.later(from + dice.spread(1, 1500), "calm", i, () => tell({}));
  }
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

/** What is counted as shed was answered so, and the other way round. */
export function judgeSheds(run: Simulation): void {
  const counted = run.stat("http.main.downstream_rq_overload_close") - run.stat(codecShed);
  const answered = run.log.lines.filter(({ details }) => details === "overload").length;
  const lost = run.process.lost.get("http.main.downstream_rq_active") ?? 0;
  if (counted < answered || counted > answered + lost)
    run.fail(`${counted} requests counted as shed, ${answered} logged`);
}

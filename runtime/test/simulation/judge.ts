// What must hold when a run has come to rest: every request has one fit end, every end has a cause, the log and the
// stats tell the same story, and nothing is left.
import { StatKind } from "../../src/stats/store.ts";
import { recordBytesMax } from "../../src/engine-sim/sim-records.ts";
import type { SimCore } from "../../src/engine-sim/sim-core.ts";
import { proxyPort } from "./bootstrap-yaml.ts";
import { workerDied } from "./casualties.ts";
import type { Exchange } from "./exchange.ts";
import type { LogLine } from "./log-file.ts";
import { judgeSheds, mayBeShed, refusals } from "./overload-storm.ts";
import type { SimWorker } from "./sim-worker.ts";
import type { Simulation } from "./simulation.ts";

/** What a message may add to its bytes: a head, the frames of chunks. */
const headBytesMax = 1024;
/** Small pieces that an engine may gather before anybody hears that they wait. */
const gatherBytesMax = 16 * 1024;

/** Nobody asks for anything: streams are over; idle connections of pools may be left. */
export function judge(run: Simulation): void {
  for (const { server } of run.process.living) server.contextForTest.sinks.flush();
  const byId = groupLines(run);
  run.refusalsLeft = refusals(run);
  for (const exchange of run.exchanges.values())
    judgeExchange(run, exchange, byId.get(String(exchange.id)) ?? []);
  judgeCounters(run);
  judgeSheds(run);
  judgeMemory(run);
  for (const name of [
    "downstream_rq_active",
    "downstream_cx_active",
    "downstream_cx_http1_active",
  ]) {
    expectStat(run, `http.main.${name}`, 0);
  }
  // Those, too, that never got to the connection manager.
  expectStat(run, `listener.127.0.0.1_${proxyPort}.downstream_cx_active`, 0);
  for (const name of [
    "downstream_rq_active",
    "downstream_cx_active",
    "downstream_cx_upgrades_active",
  ]) {
    expectStat(run, `http.tunnels.${name}`, 0);
  }
  for (const cluster of ["a", "b", "c", "raw", "tunnels"]) {
    for (const name of ["upstream_rq_active", "upstream_rq_pending_active"]) {
      expectStat(run, `cluster.${cluster}.${name}`, 0);
    }
  }
}

/**
 * No stream is active: a timer that is left is a connection's, which has one at the most, or brings
 * back a VM that has trapped, or makes its standby.
 */
export function judgeTimers(run: Simulation): void {
  // A connect that its client has given up may have come meanwhile.
  if (run.stat("http.main.downstream_cx_active") > 0) return;
  for (const { engine, server } of run.process.living) {
    const { timers, wasmHost } = server.contextForTest;
    const { openConnections } = engine.core;
    const ofVms = wasmHost?.timerCount ?? 0;
    if (timers.size > openConnections + ofVms)
      run.fail(`${timers.size} timers for ${openConnections} connections, ${ofVms} of VMs`);
  }
}

/** The configuration is gone, the workers have stopped. */
export function judgeEnd(run: Simulation): void {
  for (const [name, value] of run.statsOf(StatKind.Gauge)) {
    if (!mayStay(name)) run.fail(`gauge ${name} is ${value} at the end`);
  }
  for (const worker of run.process.living) judgeEndOf(run, worker);
  const { breakerMemory, connectionMemory } = run.process.birth;
  for (const memory of [breakerMemory, connectionMemory]) {
    if (new Int32Array(memory).some((count) => count !== 0))
      run.fail("connections or requests are still counted");
  }
}

function judgeEndOf(run: Simulation, { chaos, engine, server }: SimWorker): void {
  const { core } = engine;
  if (core.open.size > 0)
    run.fail(`connections are left: ${[...core.open].map(String).join("; ")}`);
  const { timers, clusterManager } = server.contextForTest;
  if (timers.size !== 0) run.fail(`${timers.size} timers are left`);
  if (clusterManager.clusters.size !== 0) run.fail("clusters are left");
  if (chaos.live !== 0) run.fail(`${chaos.live} filters were not destroyed`);
}

/** Limits that are full when nobody uses them; what is buffered for the log's next flush. */
function mayStay(name: string): boolean {
  return /\.circuit_breakers\..*\.remaining_/.test(name);
}

// ---- One exchange.

function groupLines(run: Simulation): Map<string, LogLine[]> {
  const byId = new Map<string, LogLine[]>();
  for (const line of run.log.lines) {
    const others = byId.get(line.id);
    if (others === undefined) byId.set(line.id, [line]);
    else others.push(line);
  }
  return byId;
}

function judgeExchange(run: Simulation, exchange: Exchange, lines: readonly LogLine[]): void {
  if (lines.length > 1) run.fail(`${lines.length} log lines: ${JSON.stringify(lines)}`, exchange);
  const line = lines[0];
  const { outcome } = exchange;
  if (outcome === "open") run.fail("no end", exchange);
  if (line === undefined) {
    // A head that did not arrive whole has no number; whoever got an answer of an upstream has.
    const isDue = outcome === "answered" || exchange.attempts > 0;
    if (isDue && !exchange.excuses.has(workerDied)) run.fail("no log line", exchange);
  } else {
    const isWhole = outcome === "answered" || outcome === "local-reply";
    if (isWhole && line.code !== exchange.status) {
      run.fail(`logged as ${JSON.stringify(line)}`, exchange);
    }
    const isMiscounted =
      (isWhole && line.bytesSent !== exchange.clientBytes) ||
      (outcome === "answered" &&
        !exchange.hasExcuse &&
        line.bytesReceived !== exchange.request.bodyBytes);
    if (isMiscounted) run.fail(`bytes are logged as ${JSON.stringify(line)}`, exchange);
    if (outcome === "answered" && line.flags !== "-" && !exchange.hasExcuse) {
      run.fail(`answered, and logged as ${JSON.stringify(line)}`, exchange);
    }
    judgeFlags(run, exchange, line);
    judgeRouteFlags(run, exchange, line);
  }
  if (outcome !== "answered" && !isExpectedLocal(exchange) && !isExcused(run, exchange, line)) {
    run.fail(`not answered without a cause; log ${JSON.stringify(line ?? null)}`, exchange);
  }
}

/** Routes that answer by themselves, and upgrades, which nobody configured. */
function isExpectedLocal(exchange: Exchange): boolean {
  const { request, outcome, status } = exchange;
  if (outcome !== "local-reply") return false;
  if (request.isUpgrade && status === 403) return true;
  if (request.path === "/direct") return status === 418;
  if (request.path === "/redirect") return status === 301;
  if (request.path === "/nowhere") return status === 404;
  return request.path === "/lost" && status === 503;
}

/** A route that is not there, a cluster that is not there: the log says so. */
function judgeRouteFlags(run: Simulation, exchange: Exchange, line: LogLine): void {
  const wanted = { "/nowhere": "NR", "/lost": "NC" }[exchange.request.path];
  const isOurs = exchange.outcome === "local-reply" && !exchange.hasExcuse;
  if (wanted === undefined || !isOurs || exchange.request.isUpgrade) return;
  const isSeen =
    exchange.status === (wanted === "NR" ? 404 : 503) && line.details.endsWith("not_found");
  if (isSeen && line.flags !== wanted)
    run.fail(`flag ${wanted} is missing: ${line.flags}`, exchange);
}

/** Causes that no single exchange can be charged with: the log's flags say which one it was. */
function isExcused(run: Simulation, exchange: Exchange, line: LogLine | undefined): boolean {
  if (exchange.hasExcuse) return true;
  const { plan } = run;
  // What the guest does, and what its failure does to the streams that it has.
  const isOfGuest = /^(guest|wasm_fail_stream)$/.test(line?.details ?? "");
  if (plan.has("wasmTraps") && isOfGuest) return true;
  // The guest never frees: a run of very many pieces may fill its memory.
  if (isOfGuest && run.stat("wasm.guest.stopped.memory") > 0) return true;
  if (plan.overload !== null && isShed(run, exchange, line)) return true;
  const answersItself = ["/direct", "/redirect", "/nowhere", "/lost"].includes(
    exchange.request.path,
  );
  // A request that crosses the proxy's own close of a kept connection.
  const closesKept =
    plan.has("shortLives") ||
    plan.has("newVersions") ||
    plan.has("healthcheckFail") ||
    plan.overload?.reducesTimeouts === true;
  if (line === undefined && exchange.outcome === "broken" && closesKept) return true;
  // A response that travels for longer than the delayed close waits is cut.
  if (exchange.outcome === "broken" && isSlow(run)) return true;
  // Envoy flags neither of these.
  if (line === undefined && exchange.status === 408 && isSlow(run)) return true;
  if (/^request_(overall|header)_timeout$/.test(line?.details ?? "") && isSlow(run)) return true;
  // The connection is closed behind an answer that came before the request's end.
  if (exchange.outcome === "broken" && (answersItself || exchange.request.isUpgrade)) {
    return exchange.request.framing !== "none";
  }
  const flags = line?.flags ?? "-";
  if (plan.has("filters") && plan.has("smallBuffers") && /too_large/.test(line?.details ?? ""))
    return true;
  return flags.split(",").some((flag) => hasCause(run, flag));
}

/** An overload answered it, or turned its connection away, which breaks one exchange. */
function isShed(run: Simulation, exchange: Exchange, line: LogLine | undefined): boolean {
  if (line !== undefined) return line.details === "overload" && mayBeShed(run, exchange);
  if (exchange.outcome !== "broken" || run.refusalsLeft === 0) return false;
  run.refusalsLeft -= 1;
  return true;
}

function hasCause(run: Simulation, flag: string): boolean {
  const { plan } = run;
  const isUpstreamBad = plan.upstream === "broken";
  switch (flag) {
    case "UF":
      return (
        isUpstreamBad ||
        plan.has("hostsDown") ||
        plan.has("memberships") ||
        // A handshake, too, must be over within connect_timeout.
        (plan.tls.upstream && (plan.tls.hasTroubles || plan.upstream === "choppy"))
      );
    case "UPE":
      // A head or a body that ends in the middle.
      return isUpstreamBad || plan.has("upstreamSurplus");
    case "UC":
      // Whoever goes down resets what stands in its accept queue.
      return (
        isUpstreamBad ||
        plan.has("upstreamSurplus") ||
        run.idleCloses > 0 ||
        plan.has("memberships") ||
        plan.has("hostsDown")
      );
    case "UO":
      return plan.has("smallBreakers");
    case "UT":
    case "SI":
    case "DT":
      return isSlow(run);
    case "DC":
      // A replaced filter chain cuts what has not ended when the drain time is over.
      return run.downstreamFaults > 0 || (plan.has("newVersions") && isSlow(run));
    default:
      return false;
  }
}

/** Things that take longer than timeouts allow. */
function isSlow({ plan }: Simulation): boolean {
  if (plan.overload?.reducesTimeouts === true) return true;
  const moods = [plan.upstream, plan.downstream];
  const isBadNetwork = moods.includes("choppy") || moods.includes("broken");
  // A response that drains through a narrow pipe is no activity of its stream, as in Envoy.
  if (moods.includes("narrow") && plan.has("slowReaders")) return true;
  // Whoever waits for the connection of a silent upstream waits as long.
  // ... or for that of a client that stopped in the middle of its body.
  const holdsConnections = plan.has("upstreamSilence") || plan.has("stalledClients");
  return isBadNetwork || (plan.has("smallBreakers") && holdsConnections);
}

/** A flag tells a cause that the run must have had. */
function judgeFlags(run: Simulation, exchange: Exchange, line: LogLine): void {
  for (const flag of line.flags.split(",")) {
    if (flag === "-" || exchange.hasExcuse || hasCause(run, flag)) continue;
    if (flag === "NR" && exchange.request.path === "/nowhere") continue;
    if (flag === "NC" && exchange.request.path === "/lost") continue;
    run.fail(`flag ${flag} without a cause: ${JSON.stringify(line)}`, exchange);
  }
}

/**
 * What no filter holds waits at its source: who was told to stop may write what it has in its hands,
 * which is a read. Filters let go of what they held in a later turn.
 */
function judgeMemory(run: Simulation): void {
  for (const { engine } of run.process.everyone) judgeMemoryOf(run, engine.core);
}

function judgeMemoryOf(run: Simulation, core: SimCore): void {
  const { acceptedQueueMax, connectedQueueMax, acceptedExcessMax, connectedExcessMax } = core;
  const { readBytesMax, bufferBytes, tls } = run.plan;
  // What one read completes of records is read at once.
  const decoded = tls.downstream || tls.upstream ? recordBytesMax : 0;
  const oneRead = readBytesMax + decoded + headBytesMax;
  const held = run.plan.has("filters") ? 2 * bufferBytes + readBytesMax : 0;
  const excess = Math.max(acceptedExcessMax, connectedExcessMax);
  if (excess > oneRead + held)
    run.fail(`${excess} bytes were written after write() had said to stop`);
  // Filters add bytes of their own.
  if (run.plan.has("filters")) return;
  const queueMax = gatherBytesMax + 2 * oneRead;
  // While it waits for a connection, a request may hold as much as the cluster's buffer limit.
  if (acceptedQueueMax > queueMax || connectedQueueMax > queueMax + bufferBytes)
    run.fail(`${acceptedQueueMax}, ${connectedQueueMax} bytes waited for the kernel`);
}

// ---- Stats.

function judgeCounters(run: Simulation): void {
  const count = (name: string): number => run.stat(`http.main.downstream_${name}`);
  const lost = (name: string): number => run.process.lost.get(`http.main.downstream_${name}`) ?? 0;
  const { lines } = run.log;
  expectStat(run, "http.main.downstream_rq_total", lines.length + lost("rq_active"));
  const answered = count("rq_2xx") + count("rq_3xx") + count("rq_4xx") + count("rq_5xx");
  const withCode = lines.filter((line) => line.code >= 200).length;
  // A response that a filter holds is logged with its status when the stream breaks, and not counted.
  const surplus = answered - withCode;
  if (surplus > lost("rq_active") || (surplus < 0 && !run.plan.has("filters")))
    run.fail(`${answered} responses counted, ${withCode} logged`);
  const ended = count("cx_total") - lost("cx_active");
  expectStat(run, "http.main.downstream_cx_destroy", ended);
  expectStat(run, "http.main.downstream_cx_destroy_local", ended - count("cx_destroy_remote"));
  // A connection may end while its reading is paused.
  const unresumed =
    count("flow_control_paused_reading_total") - count("flow_control_resumed_reading_total");
  if (unresumed < 0 || unresumed > count("cx_total")) {
    run.fail(`${unresumed} pauses of reading were not ended`);
  }
  expectStat(run, "filesystem.write_dropped", 0);
  for (const cluster of ["a", "b", "c"]) judgeCluster(run, `cluster.${cluster}.upstream_`);
}

function judgeCluster(run: Simulation, prefix: string): void {
  const count = (name: string): number => run.stat(prefix + name);
  const lost = run.process.lost.get(`${prefix}cx_active`) ?? 0;
  expectStat(run, `${prefix}cx_destroy`, count("cx_total") - count("cx_active") - lost);
  expectStat(run, `${prefix}cx_destroy_local`, count("cx_destroy") - count("cx_destroy_remote"));
  const paused =
    count("flow_control_paused_reading_total") - count("flow_control_resumed_reading_total");
  if (paused < 0 || paused > lost) run.fail(`${prefix}: ${paused} pauses were not ended`);
  expectStat(run, `${prefix}cx_http1_total`, count("cx_total"));
}

function expectStat(run: Simulation, name: string, expected: number): void {
  const value = run.stat(name);
  if (value !== expected) run.fail(`${name} is ${value}, expected ${expected}`);
}

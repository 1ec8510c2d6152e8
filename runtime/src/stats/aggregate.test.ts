import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { Regex } from "../core/regex.ts";
import { StatsAggregate } from "./aggregate.ts";
import { statsJson } from "./json.ts";
import { PrometheusWriter, ProcessMetrics } from "./prometheus.ts";
import { ServerState, ServerStats } from "./server-stats.ts";
import { defaultStatsQuery } from "./stats-query.ts";
import type { StatsQuery } from "./stats-query.ts";
import { StatKind, StatsStore } from "./store.ts";
import { extractTags } from "./tag-extraction.ts";
import { statsText } from "./text.ts";

const fixtures = new URL("./fixtures/", import.meta.url);
const envoyText = readFileSync(new URL("envoy-stats.txt", fixtures), "utf8");
const envoyPrometheus = readFileSync(new URL("envoy-stats.prom", fixtures), "utf8");
const envoyJson = readFileSync(new URL("envoy-stats.json", fixtures), "utf8");

const cumulative: StatsQuery = { ...defaultStatsQuery, histogramMode: "cumulative" };

/** A worker: its store's definitions reach the aggregate as they would by messages. */
function addWorker(aggregate: StatsAggregate): {
  store: StatsStore;
  source: ReturnType<StatsAggregate["addSource"]>;
} {
  const store = new StatsStore({
    slotsMax: 20_000,
    onDefine: (definition) => {
      aggregate.define(source, [definition]);
    },
  });
  const source = aggregate.addSource(store.memory);
  return { store, source };
}

/** The stats of Envoy's page, made in a store of ours. Kinds are told by the Prometheus page. */
function likeEnvoy(): StatsAggregate {
  const aggregate = new StatsAggregate(60_000);
  const gauges = new Set([...envoyPrometheus.matchAll(/^# TYPE (\S+) gauge/gm)].map((m) => m[1]));
  for (const [, name = "", value = ""] of envoyText.matchAll(/^(\S+): (.*)$/gm)) {
    const metric = `envoy_${extractTags(name).extracted.replace(/\W/g, "_")}`;
    if (!/^\d+$/.test(value)) {
      const histogram = aggregate.store.histogram(name);
      if (value.startsWith("P0(0,0)")) histogram.record(0);
      if (value.startsWith("P0(12.5")) histogram.record(12);
      if (!value.startsWith("P0(1.03")) continue;
      histogram.record(1);
      histogram.record(1);
    } else if (gauges.has(metric)) aggregate.store.gauge(name).set(Number(value));
    else aggregate.store.counter(name).add(Number(value));
  }
  // Two requests of 0 ms print as one does.
  aggregate.store.histogram("http.ingress.downstream_rq_time").record(0);
  aggregate.flushHistograms();
  return aggregate;
}

test("the text page is Envoy's, byte for byte", () => {
  expect(statsText(likeEnvoy(), defaultStatsQuery)).toBe(envoyText);
});

/** The three pages were fetched one after the other: what the fetching changed is left out. */
const volatileName = /admin|server_uptime|server\.uptime|memory|recent_lookups|write_|flushed/;

test("the Prometheus page has Envoy's groups, order, labels and values", () => {
  const page = new PrometheusWriter().write(likeEnvoy(), cumulative, false);
  const stable = (text: string): string[] =>
    text.split("\n").map((line) => (volatileName.test(line) ? line.replace(/ \d+$/, "") : line));
  expect(stable(page)).toEqual(stable(envoyPrometheus));
});

test("the JSON page is Envoy's", () => {
  const stable = (text: string): string[] =>
    text
      .replaceAll("},{", "},\n{")
      .split("\n")
      .map((line) => (volatileName.test(line) ? line.replace(/"value":\d+/, "") : line));
  expect(stable(statsJson(likeEnvoy(), defaultStatsQuery))).toEqual(stable(envoyJson));
});

test("each histogram mode is Envoy's, as text and as JSON", () => {
  const recorded = JSON.parse(
    readFileSync(new URL("envoy-histogram-modes.json", fixtures), "utf8"),
  ) as Record<string, string> & { before: number[]; interval: number[] };
  const aggregate = new StatsAggregate(20_000);
  const histogram = aggregate.store.histogram("cluster.up.upstream_rq_body_size");
  for (const value of recorded.before) histogram.record(value);
  aggregate.flushHistograms();
  for (const value of recorded.interval) histogram.record(value);
  aggregate.flushHistograms();
  for (const histogramMode of ["cumulative", "disjoint", "detailed", "summary"] as const) {
    const query: StatsQuery = { ...defaultStatsQuery, histogramMode };
    const text = histogramMode === "summary" ? recorded["text"] : recorded[histogramMode];
    expect(statsText(aggregate, query)).toBe(text);
    expect(statsJson(aggregate, query)).toBe(recorded[`${histogramMode}_json`]);
  }
  expect(new PrometheusWriter().write(aggregate, cumulative, false)).toBe(recorded["prom"]);
});

test("counters, gauges and histograms are summed over threads", () => {
  const aggregate = new StatsAggregate(20_000);
  const one = addWorker(aggregate);
  const two = addWorker(aggregate);
  for (const { store } of [one, two]) {
    store.counter("c").add(2);
    store.gauge("g").inc();
    store.histogram("h").record(7);
  }
  aggregate.store.counter("c").inc();
  expect(aggregate.value("c")).toBe(5);
  expect(aggregate.value("g")).toBe(2);
  expect(aggregate.histograms()[0]?.cumulative[0]).toBe(2);
  expect(aggregate.value("none")).toBe(0);
});

test("a dead worker's counters and histograms stay, its gauges go", () => {
  const aggregate = new StatsAggregate(20_000);
  const dying = addWorker(aggregate);
  dying.store.counter("c").add(3);
  dying.store.gauge("g").set(4);
  dying.store.histogram("h").record(5);
  aggregate.removeSource(dying.source);
  const next = addWorker(aggregate);
  next.store.counter("c").inc();
  next.store.gauge("g").inc();
  next.store.histogram("h").record(5);
  dying.store.counter("c").inc();
  expect(aggregate.value("c")).toBe(4);
  expect(aggregate.value("g")).toBe(1);
  expect(aggregate.histograms()[0]?.cumulative[0]).toBe(2);
});

test("a reset sets counters to 0 and leaves gauges, histograms and the owners' memory", () => {
  const aggregate = new StatsAggregate(20_000);
  const worker = addWorker(aggregate);
  const counter = worker.store.counter("c");
  counter.add(3);
  worker.store.counter("@host.up|1.2.3.4:5|cx_total").inc();
  worker.store.gauge("g").set(2);
  worker.store.histogram("h").record(1);
  aggregate.resetCounters();
  expect(aggregate.value("c")).toBe(0);
  expect(aggregate.value("g")).toBe(2);
  expect(aggregate.value("@host.up|1.2.3.4:5|cx_total")).toBe(1);
  expect(aggregate.histograms()[0]?.cumulative[0]).toBe(1);
  counter.inc();
  expect(aggregate.value("c")).toBe(1);
  expect(counter.value).toBe(4);
  aggregate.removeSource(worker.source);
  expect(aggregate.value("c")).toBe(1);
  expect(statsText(aggregate, { ...defaultStatsQuery, usedOnly: true })).toContain("c: 1\n");
});

test("hidden names are counted and not shown", () => {
  const aggregate = new StatsAggregate(20_000);
  aggregate.store.counter("@host.up|1.2.3.4:5|rq_total").inc();
  aggregate.store.counter("shown").inc();
  expect(aggregate.scalars().map((stat) => stat.name)).toEqual(["shown"]);
  expect(aggregate.value("@host.up|1.2.3.4:5|rq_total")).toBe(1);
});

test("usedonly keeps what was ever seen different from 0", () => {
  const aggregate = new StatsAggregate(20_000);
  aggregate.store.counter("untouched");
  aggregate.store.counter("counted").inc();
  const gauge = aggregate.store.gauge("was_up");
  gauge.set(1);
  aggregate.flushHistograms();
  gauge.set(0);
  aggregate.store.histogram("empty");
  expect(statsText(aggregate, { ...defaultStatsQuery, usedOnly: true })).toBe(
    "counted: 1\nwas_up: 0\n",
  );
});

test("filters match a part of the name, types choose kinds", () => {
  const aggregate = new StatsAggregate(20_000);
  aggregate.store.counter("a.b.c");
  aggregate.store.gauge("a.b.g");
  aggregate.store.histogram("a.b.h");
  aggregate.setTextReadout("a.b.t", "v");
  const names = (query: Partial<StatsQuery>): string =>
    statsText(aggregate, { ...defaultStatsQuery, ...query }).replace(/:.*\n/g, " ");
  expect(names({})).toBe("a.b.t a.b.c a.b.g a.b.h ");
  expect(names({ filter: Regex.compile("b\\.[cg]$") })).toBe("a.b.c a.b.g ");
  expect(names({ filter: Regex.compile("b\\.[cg]$"), invertFilter: true })).toBe("a.b.t a.b.h ");
  expect(names({ type: "Counters" })).toBe("a.b.c ");
  expect(names({ type: "Gauges" })).toBe("a.b.g ");
  expect(names({ type: "Histograms" })).toBe("a.b.h ");
  expect(names({ type: "TextReadouts" })).toBe("a.b.t ");
  const page = new PrometheusWriter().write(aggregate, cumulative, true);
  expect(page).toContain('# TYPE envoy_a_b_t gauge\nenvoy_a_b_t{text_value="v"} 0\n');
});

test("guests' metrics have no prefix in Prometheus, and none without a valid name", () => {
  const aggregate = new StatsAggregate(20_000);
  aggregate.store.counter("wasmcustom.my.requests-total").add(2);
  aggregate.store.counter("wasmcustom.9lives").add(2);
  expect(new PrometheusWriter().write(aggregate, cumulative, false)).toBe(
    "# TYPE my_requests_total counter\nmy_requests_total{} 2\n",
  );
});

test.each([
  ["cluster.a.upstream_rq_total", "cluster.upstream_rq_total", "cluster_name=a"],
  ["cluster.a.upstream_rq_503", "cluster.upstream_rq", "response_code=503 cluster_name=a"],
  [
    "listener.[__1]_80.http.p.downstream_rq_2xx",
    "listener.http.downstream_rq_xx",
    "response_code_class=2 http_conn_manager_prefix=p listener_address=[__1]_80",
  ],
  ["listener.admin.downstream_cx_total", "listener.admin.downstream_cx_total", ""],
  [
    "listener.0.0.0.0_80.worker_3.downstream_cx_total",
    "listener.worker_downstream_cx_total",
    "worker_id=3 listener_address=0.0.0.0_80",
  ],
  [
    "vhost.v.vcluster.c.upstream_rq_2xx",
    "vhost.vcluster.upstream_rq_xx",
    "response_code_class=2 virtual_cluster=c virtual_host=v",
  ],
  ["vhost.v.route.r.upstream_rq_total", "vhost.route.upstream_rq_total", "virtual_host=v route=r"],
  [
    "http.p.rds.my.route-1.config_reload",
    "http.rds.config_reload",
    "http_conn_manager_prefix=p rds_route_config=my.route-1",
  ],
  ["tcp.t.downstream_cx_total", "tcp.downstream_cx_total", "tcp_prefix=t"],
  ["p.http_local_rate_limit.ok", "http_local_rate_limit.ok", "local_http_ratelimit_prefix=p"],
  ["server.live", "server.live", ""],
])("%s is %s with tags %s", (name, extracted, tags) => {
  const found = extractTags(name);
  expect(found.extracted).toBe(extracted);
  const text = found.tags.map((tag) => `${tag.name.replace("envoy.", "")}=${tag.value}`).join(" ");
  expect(text).toBe(tags);
});

test("label values are escaped", () => {
  const aggregate = new StatsAggregate(20_000);
  aggregate.store.counter('cluster.a"b\\c\nd.x');
  expect(new PrometheusWriter().write(aggregate, cumulative, false)).toContain(
    'envoy_cluster_x{envoy_cluster_name="a\\"b\\\\c\\nd"} 0\n',
  );
});

test("5,000 series are written in well under a second, each once", () => {
  const aggregate = new StatsAggregate(100_000);
  for (let cluster = 0; cluster < 100; cluster += 1) {
    for (let i = 0; i < 50; i += 1) aggregate.store.counter(`cluster.c${cluster}.stat_${i}`).add(i);
  }
  const writer = new PrometheusWriter();
  writer.write(aggregate, cumulative, false);
  const start = performance.now();
  const page = writer.write(aggregate, cumulative, false);
  expect(performance.now() - start).toBeLessThan(500);
  expect(page.match(/^envoy_cluster_stat_\d+\{/gm)?.length).toBe(5000);
  expect(page.match(/^# TYPE/gm)?.length).toBe(50);
});

test("a store that is full counts what found no room and goes on", () => {
  const aggregate = new StatsAggregate(1100);
  for (let i = 0; i < 200; i += 1) aggregate.store.counter(`c${i}`).inc();
  aggregate.store.histogram("h").record(3);
  expect(aggregate.value("c96")).toBe(1);
  expect(aggregate.scalars().length).toBe(98);
  expect(aggregate.value("stats.overflow")).toBe(104);
  // Names that found no room are not kept either.
  aggregate.store.counter("c150").inc();
  expect(aggregate.value("stats.overflow")).toBe(105);
});

test("the same name is the same stat, and definitions tell kind and slot", () => {
  const store = new StatsStore({ slotsMax: 10_000 });
  expect(store.counter("a")).toBe(store.counter("a"));
  expect(store.gauge("g")).toBe(store.gauge("g"));
  expect(store.histogram("h")).toBe(store.histogram("h"));
  store.counter("b");
  expect(store.definitions.map((d) => d.kind)).toEqual([
    StatKind.Counter,
    StatKind.Gauge,
    StatKind.Histogram,
    StatKind.Counter,
  ]);
  const [a, g, h, b] = store.definitions.map((d) => d.slot);
  expect([(g ?? 0) - (a ?? 0), (h ?? 0) - (g ?? 0)]).toEqual([1, 1]);
  expect((b ?? 0) - (h ?? 0)).toBe(1002);
  const gauge = store.gauge("g");
  gauge.inc();
  gauge.add(5);
  gauge.dec();
  expect(gauge.value).toBe(5);
});

test("fractions of recorded values are dropped, as Envoy's milliseconds are", () => {
  const aggregate = new StatsAggregate(20_000);
  aggregate.store.histogram("h").record(0.9);
  aggregate.flushHistograms();
  expect(statsText(aggregate, defaultStatsQuery)).toMatch(/^h: P0\(0,0\)/);
});

test("the process' stats stand under Envoy's names", () => {
  const aggregate = new StatsAggregate(20_000);
  const server = new ServerStats(aggregate.store, { concurrency: 2, version: 0x9e5580 });
  expect(aggregate.value("server.state")).toBe(ServerState.PreInitializing);
  const memory = { rss: 30, heapTotal: 20, heapUsed: 10, external: 1 };
  server.update({
    state: ServerState.Live,
    uptimeSeconds: 1.9,
    totalConnections: 7,
    daysUntilCertificateExpiry: null,
    secondsUntilOcspExpiry: null,
    memory,
  });
  server.clusterManager.cluster_added.inc();
  expect(aggregate.value("server.live")).toBe(1);
  expect(aggregate.value("server.uptime")).toBe(1);
  expect(aggregate.value("server.version")).toBe(10376576);
  expect(aggregate.value("server.memory_allocated")).toBe(11);
  expect(aggregate.value("server.total_connections")).toBe(7);
  expect(aggregate.value("cluster_manager.cluster_added")).toBe(1);
  const known = new Set([...envoyText.matchAll(/^([^:\n]+):/gm)].map((m) => m[1]));
  const ours = [...aggregate.scalars(), ...aggregate.histograms()].map((stat) => stat.name);
  expect(ours.filter((name) => !known.has(name))).toEqual([]);
});

test("the process' own metrics follow under headgate_", async () => {
  const text = await new ProcessMetrics().write();
  expect(text).toMatch(/^headgate_process_cpu_user_seconds_total /m);
  expect(text).toMatch(/^headgate_nodejs_eventloop_lag_seconds /m);
  expect(text.match(/^(?!#)(?!headgate_(process|nodejs)_).+/gm)).toBeNull();
});

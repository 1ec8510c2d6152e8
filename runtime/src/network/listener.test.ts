import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type {
  AddressConfig,
  ListenerConfig,
  ListenerFilterConfig,
  ListenerPredicateConfig,
} from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { silentLogger } from "../core/logger.ts";
import { OverloadState } from "../core/overload-state.ts";
import { SeededRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { openSharedCounts, sharedCountsMemory } from "../core/shared-counts.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { createNodeEngine } from "../engine-node/node-engine.ts";
import type { NetworkFilterFactory } from "../filter/network-filter.ts";
import { StatsStore } from "../stats/store.ts";
import { ListenPlace } from "./addresses.ts";
import { FakeIo } from "./fake-io-for-test.ts";
import { matchAll } from "./filter-chain-matcher.ts";
import { Listener } from "./listener.ts";
import type { NetworkChain } from "./listener.ts";
import { Echo, listenerConfig, loopback } from "./listener-world-for-test.ts";

function echo(name: string): NetworkFilterFactory {
  return { createFilter: (callbacks) => new Echo(name, callbacks) };
}

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

interface Place {
  readonly listener: Listener;
  readonly stats: StatsStore;
  readonly overload: OverloadState;
  readonly runtime: Runtime;
}

function make(more: Partial<ListenerConfig> = {}): Place {
  const clock = new Clock();
  const engine = createNodeEngine({ clock });
  const timers = new TimerWheel(clock, (callback) => engine.runTurn(callback));
  const stats = new StatsStore();
  const overload = new OverloadState(new SeededRandom(1));
  const runtime = new Runtime();
  let id = 0;
  const listener = new Listener(listenerConfig(more), {
    engine,
    clock,
    timers,
    stats,
    workerIndex: 3,
    heldMax: 16,
    nextConnectionId: () => {
      id += 1;
      return id;
    },
    logger: silentLogger,
    overload,
    runtime,
    connectionCounts: openSharedCounts(sharedCountsMemory(1, 2), 2, 0),
  });
  cleanups.push(() => {
    listener.stopListening();
    listener.closeConnections();
    timers.stop();
  });
  return { listener, stats, overload, runtime };
}

function setChain(listener: Listener, factory: NetworkFilterFactory, name: string): void {
  listener.setChains([{ name, match: null, isDefault: false, factory }]);
}

function listen(listener: Listener): Promise<string> {
  listener.open();
  return listenClosed(listener);
}

/** As before commit: the addresses are bound, and connections wait. */
function listenClosed(listener: Listener): Promise<string> {
  return new Promise((resolve) => listener.listen([], resolve));
}

function dial(port: number | string, host = "127.0.0.1"): Socket {
  const socket = typeof port === "string" ? connect(port) : connect(port, host);
  cleanups.push(() => socket.destroy());
  socket.on("error", () => {});
  return socket;
}

function ask(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    socket.once("data", (data) => resolve(data.toString("latin1")));
    socket.once("close", () => resolve("closed"));
    socket.write(text);
  });
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.resume();
    socket.once("close", () => resolve());
  });
}

function portOf(listener: Listener, at = 0): number {
  return listener.addresses[at]?.port ?? 0;
}

test("holds connections until the version is in force", async () => {
  const { listener, stats } = make();
  expect(await listenClosed(listener)).toBe("");
  const early = dial(portOf(listener));
  const answer = ask(early, "x");
  // One more than are held.
  const extra = Array.from({ length: 16 }, () => dial(portOf(listener)));
  await Promise.race(extra.map(closed));
  expect(stats.counter("listener.here.downstream_cx_overflow").value).toBe(1);
  expect(stats.counter("listener.here.downstream_cx_total").value).toBe(0);
  setChain(listener, echo("new"), "");
  listener.open();
  expect(await answer).toBe("new:x");
  expect(stats.gauge("listener.here.downstream_cx_active").value).toBe(16);
});

test("holds new connections while an overload stops them, and serves them afterwards", async () => {
  const { listener, stats, overload } = make();
  setChain(listener, echo("e"), "");
  await listen(listener);
  const old = dial(portOf(listener));
  expect(await ask(old, "x")).toBe("e:x");
  overload.stopConnections.level = 1;
  listener.onOverloadChanged();
  const late = dial(portOf(listener));
  const answer = ask(late, "y");
  // Refused ones tell that the ones before were accepted, and are held.
  const extra = Array.from({ length: 16 }, () => dial(portOf(listener)));
  await Promise.race(extra.map(closed));
  expect(await ask(old, "z")).toBe("e:z");
  expect(stats.counter("listener.here.downstream_cx_total").value).toBe(1);
  expect(stats.counter("listener.here.downstream_cx_overflow").value).toBe(1);
  overload.stopConnections.level = 0;
  listener.onOverloadChanged();
  expect(await answer).toBe("e:y");
  expect(stats.counter("listener.here.downstream_cx_total").value).toBe(17);
});

test("resets what an overload holds when it stops listening", async () => {
  const { listener, overload } = make();
  setChain(listener, echo("e"), "");
  await listen(listener);
  overload.stopConnections.level = 1;
  const held = dial(portOf(listener));
  await new Promise((resolve) => held.once("connect", resolve));
  const answer = ask(held, "x");
  // One more than are held: when it is refused, the first one is.
  const extra = Array.from({ length: 256 }, () => dial(portOf(listener)));
  await Promise.race(extra.map(closed));
  listener.stopListening();
  expect(await answer).toBe("closed");
});

test("refuses connections over its limit, and takes one when another has left", async () => {
  const { listener, stats, runtime } = make();
  const one = { text: "1", number: 1, ppm: null };
  const values = new Map([["envoy.resource_limits.listener.l.connection_limit", one]]);
  runtime.setLayers([{ name: "s", kind: "static", values }]);
  setChain(listener, echo("e"), "");
  await listen(listener);
  const first = dial(portOf(listener));
  expect(await ask(first, "x")).toBe("e:x");
  expect(await ask(dial(portOf(listener)), "x")).toBe("closed");
  expect(stats.counter("listener.here.downstream_cx_overflow").value).toBe(1);
  expect(stats.counter("listener.here.downstream_cx_total").value).toBe(1);
  const gone = closed(first);
  first.end();
  await gone;
  expect(await ask(dial(portOf(listener)), "y")).toBe("e:y");
});

test("resets held connections when the version is given up", async () => {
  const { listener, stats } = make();
  await listenClosed(listener);
  const waits = dial(portOf(listener));
  await new Promise((resolve) => waits.once("connect", resolve));
  const gone = closed(waits);
  listener.stopListening();
  listener.closeConnections();
  await gone;
  listener.open();
  expect(stats.counter("listener.here.downstream_cx_total").value).toBe(0);
});

test("accepts, counts, and serves the chain of the day", async () => {
  const { listener, stats } = make();
  setChain(listener, echo("one"), "first");
  expect(await listen(listener)).toBe("");
  const a = dial(portOf(listener));
  expect(await ask(a, "x")).toBe("one:x");
  setChain(listener, echo("two"), "second");
  const b = dial(portOf(listener));
  expect(await ask(b, "x")).toBe("two:x");
  expect(await ask(a, "y")).toBe("one:y");
  expect(listener.connectionCount).toBe(2);
  const value = (name: string): number => stats.counter(`listener.here.${name}`).value;
  expect(value("downstream_cx_total")).toBe(2);
  expect(value("worker_3.downstream_cx_total")).toBe(2);
  expect(stats.gauge("listener.here.downstream_cx_active").value).toBe(2);
  const gone = closed(a);
  a.end();
  await gone;
  expect(stats.gauge("listener.here.downstream_cx_active").value).toBe(1);
  expect(value("downstream_cx_destroy")).toBe(1);
  expect(stats.histogram("listener.here.downstream_cx_length_ms").count).toBe(1);
});

test("closes connections that no chain takes", async () => {
  const { listener, stats } = make();
  expect(await listen(listener)).toBe("");
  await closed(dial(portOf(listener)));
  expect(stats.counter("listener.here.no_filter_chain_match").value).toBe(1);
  expect(listener.connectionCount).toBe(0);
});

test("listens on all its addresses, a unix socket among them", async () => {
  const path = join(tmpdir(), `headgate-${process.pid}-listener.sock`);
  const pipe: AddressConfig = { ...loopback, kind: "pipe", address: path };
  const { listener } = make({ additionalAddresses: [loopback, pipe] });
  setChain(listener, echo("e"), "");
  expect(await listen(listener)).toBe("");
  expect(portOf(listener)).not.toBe(portOf(listener, 1));
  expect(await ask(dial(portOf(listener, 1)), "b")).toBe("e:b");
  expect(await ask(dial(path), "c")).toBe("e:c");
});

test("says which address is taken, and keeps none", async () => {
  const first = make().listener;
  expect(await listen(first)).toBe("");
  const taken: AddressConfig = { ...loopback, port: portOf(first) };
  const { listener } = make({ additionalAddresses: [taken] });
  const words = `cannot bind 127.0.0.1:${taken.port}: EADDRINUSE (address already in use`;
  expect(await listen(listener)).toContain(words);
  expect(listener.addresses.length).toBe(0);
  const alone = make({ address: taken, reusePort: false }).listener;
  expect(await listen(alone)).toContain(`${words}; with enable_reuse_port: false whoever has it`);
});

test("shuts down: refuses new connections and tells when the last is gone", async () => {
  const { listener } = make();
  setChain(listener, echo("e"), "");
  await listen(listener);
  const port = portOf(listener);
  const socket = dial(port);
  await ask(socket, "x");
  listener.stopListening();
  const gone = closed(socket);
  const empty = new Promise<void>((resolve) => listener.shutdownConnections(resolve));
  await empty;
  await gone;
  expect(listener.connectionCount).toBe(0);
  expect(await ask(dial(port), "x")).toBe("closed");
});

test("gives each connection to the chain that matches, and keeps those of chains that stay", async () => {
  const other: AddressConfig = { ...loopback, address: "127.0.0.2" };
  const { listener, stats } = make({ additionalAddresses: [other] });
  const here = chainAt("here", "127.0.0.1/32");
  const there = chainAt("there", "127.0.0.2/32");
  listener.setChains([here, there]);
  await listen(listener);
  const a = dial(portOf(listener));
  const b = dial(portOf(listener, 1), "127.0.0.2");
  expect(await ask(a, "x")).toBe("here:x");
  expect(await ask(b, "x")).toBe("there:x");
  const fallback = { name: "d", match: null, isDefault: true, factory: echo("default") };
  const left = listener.setChains([here, fallback]);
  expect([...left.keys()]).toEqual([there]);
  left.get(there)?.closeNow();
  await closed(b);
  expect(await ask(a, "y")).toBe("here:y");
  expect(await ask(dial(portOf(listener, 1), "127.0.0.2"), "x")).toBe("default:x");
  listener.setChains([here]);
  expect(await ask(dial(portOf(listener, 1), "127.0.0.2"), "x")).toBe("closed");
  expect(stats.counter("listener.here.no_filter_chain_match").value).toBe(1);
  expect(stats.counter("listener.here.downstream_cx_total").value).toBe(3);
});

function chainAt(name: string, range: string): NetworkChain {
  const match = { ...matchAll, prefixRanges: [range] };
  return { name, match, isDefault: false, factory: echo(name) };
}

const proxyProtocol: ListenerFilterConfig = {
  kind: "proxy_protocol",
  statPrefix: "",
  isOptional: false,
  passThroughTlvs: "none",
  allowsV1: true,
  allowsV2: true,
  rules: [],
};

test("listener filters see the first bytes before a chain is chosen by what they find", async () => {
  const { listener, stats } = make({
    listenerFilters: [proxyProtocol, { kind: "http_inspector" }],
  });
  const match = {
    ...matchAll,
    applicationProtocols: ["http/1.1"],
    sourcePrefixRanges: ["192.0.2.0/24"],
    directSourcePrefixRanges: ["127.0.0.0/8"],
    destinationPort: 8443,
  };
  listener.setChains([{ name: "m", match, isDefault: false, factory: echo("m") }]);
  await listen(listener);
  const socket = dial(portOf(listener));
  socket.setNoDelay(true);
  const request = "GET / HTTP/1.1\r\n";
  const answer = ask(socket, "PROXY TCP4 192.0.2.7 198.51.100.1 1000 8443\r");
  socket.write(`\n${request}`);
  expect(await answer).toBe(`m:${request}`);
  expect(await ask(socket, "more")).toBe("m:more");
  const other = "PROXY TCP4 203.0.113.7 198.51.100.1 1000 8443\r\n";
  expect(await ask(dial(portOf(listener)), other + request)).toBe("closed");
  expect(await ask(dial(portOf(listener)), request)).toBe("closed");
  const value = (name: string): number => stats.counter(name).value;
  expect(value("listener.here.no_filter_chain_match")).toBe(1);
  expect(value("proxy_proto.versions.v1.found")).toBe(2);
  expect(value("proxy_proto.not_found_disallowed")).toBe(1);
  expect(value("downstream_cx_proxy_proto_error")).toBe(1);
  expect(value("listener.here.downstream_cx_total")).toBe(1);
  expect(stats.gauge("listener.here.downstream_pre_cx_active").value).toBe(0);
});

test("connections have the keep-alive of the address that they came to", async () => {
  const keepAlive = { idleSeconds: 60, intervalSeconds: 10, probes: 4 };
  const { listener } = make({
    keepAlive,
    additionalKeepAlives: [null, { ...keepAlive, probes: 9 }],
  });
  setChain(listener, echo("e"), "");
  listener.open();
  const keepAlives = [0, 1, 2].map((index) => {
    const io = new FakeIo();
    listener.onAccept(io, new ListenPlace(io.localAddress, index));
    return io.keepAlive;
  });
  expect(keepAlives).toEqual([keepAlive, null, { ...keepAlive, probes: 9 }]);
});

test("connections read as much at once as the configuration of the day lets them hold", () => {
  const { listener } = make({ perConnectionBufferBytesMax: 300_000 });
  setChain(listener, echo("e"), "");
  listener.open();
  const accepted = (): number => {
    const io = new FakeIo();
    listener.onAccept(io, new ListenPlace(io.localAddress, 0));
    return io.readBytesMax;
  };
  expect(accepted()).toBe(300_000);
  listener.update(listenerConfig({ perConnectionBufferBytesMax: 32_768 }));
  setChain(listener, echo("e"), "");
  expect(accepted()).toBe(32_768);
});

test("a listener filter that is switched off waits for nothing", async () => {
  const filter: ListenerFilterConfig = { kind: "http_inspector" };
  const ports = { kind: "ports", start: 9999, end: 10_001 } as const;
  const accept = (when: ListenerPredicateConfig): number => {
    const { listener, stats } = make({ listenerFilters: [{ kind: "disabled", when, filter }] });
    setChain(listener, echo("e"), "");
    listener.open();
    const io = new FakeIo();
    listener.onAccept(io, new ListenPlace(io.localAddress));
    return stats.counter("listener.here.downstream_cx_total").value;
  };
  expect(accept(ports)).toBe(1);
  expect(accept({ kind: "not", rule: ports })).toBe(0);
  expect(accept({ kind: "ports", start: 9999, end: 10_000 })).toBe(0);
  expect(accept({ kind: "or", rules: [{ kind: "not", rule: ports }, { kind: "any" }] })).toBe(1);
  expect(accept({ kind: "and", rules: [{ kind: "not", rule: ports }, { kind: "any" }] })).toBe(0);
});

test("a client that sends its first bytes too slowly is closed, and gives its place back", async () => {
  const { listener, stats, runtime } = make({
    listenerFilters: [proxyProtocol],
    listenerFiltersTimeoutMs: 20,
  });
  const one = { text: "1", number: 1, ppm: null };
  const values = new Map([["envoy.resource_limits.listener.l.connection_limit", one]]);
  runtime.setLayers([{ name: "s", kind: "static", values }]);
  setChain(listener, echo("e"), "");
  await listen(listener);
  expect(await ask(dial(portOf(listener)), "PROXY TCP4 ")).toBe("closed");
  listener.update(listenerConfig({ listenerFilters: [proxyProtocol] }));
  expect(await ask(dial(portOf(listener)), "PROXY UNKNOWN\r\nx")).toBe("e:x");
  const value = (name: string): number => stats.counter(`listener.here.${name}`).value;
  expect(value("downstream_pre_cx_timeout")).toBe(1);
  expect(value("downstream_cx_overflow")).toBe(0);
  expect(value("downstream_cx_total")).toBe(1);
});

test("connections whose listener filters wait count against the listener's limit", async () => {
  const { listener, stats, runtime } = make({ listenerFilters: [proxyProtocol] });
  const two = { text: "2", number: 2, ppm: null };
  const values = new Map([["envoy.resource_limits.listener.l.connection_limit", two]]);
  runtime.setLayers([{ name: "s", kind: "static", values }]);
  setChain(listener, echo("e"), "");
  await listen(listener);
  dial(portOf(listener)).write("P");
  // Its answer tells that the one before was accepted.
  const served = dial(portOf(listener));
  expect(await ask(served, "PROXY UNKNOWN\r\nx")).toBe("e:x");
  expect(stats.gauge("listener.here.downstream_pre_cx_active").value).toBe(1);
  expect(await ask(dial(portOf(listener)), "PROXY UNKNOWN\r\nx")).toBe("closed");
  expect(stats.counter("listener.here.downstream_cx_overflow").value).toBe(1);
});

test("goes on after the time of listener filters when told so, with all bytes", async () => {
  const { listener, stats } = make({
    listenerFilters: [{ kind: "tls_inspector", helloBytesMax: 16_384 }],
    listenerFiltersTimeoutMs: 20,
    continuesOnListenerFiltersTimeout: true,
  });
  setChain(listener, echo("e"), "");
  await listen(listener);
  expect(await ask(dial(portOf(listener)), "\x16\x03")).toBe("e:\x16\x03");
  expect(stats.counter("listener.here.downstream_pre_cx_timeout").value).toBe(1);
});

test("counts clients that leave before listener filters are done", async () => {
  const { listener, stats } = make({ listenerFilters: [proxyProtocol] });
  setChain(listener, echo("e"), "");
  await listen(listener);
  const socket = dial(portOf(listener));
  const gone = closed(socket);
  socket.end("PRO");
  await gone;
  const scope = "listener.here.downstream_listener_filter_remote_close";
  expect(stats.counter(scope).value).toBe(1);
  expect(stats.gauge("listener.here.downstream_pre_cx_active").value).toBe(0);
});

test("resets clients whose listener filters wait when connections are closed", async () => {
  const { listener, stats } = make({ listenerFilters: [proxyProtocol, proxyProtocol] });
  setChain(listener, echo("e"), "");
  await listen(listener);
  const waits = dial(portOf(listener));
  const gone = closed(waits);
  waits.write("PROXY UNKNOWN\r\n");
  // A later one whose end tells that the first one was read.
  expect(await ask(dial(portOf(listener)), "x")).toBe("closed");
  listener.closeConnections();
  await gone;
  expect(stats.gauge("listener.here.downstream_pre_cx_active").value).toBe(0);
});

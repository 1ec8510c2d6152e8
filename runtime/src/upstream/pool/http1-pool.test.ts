import { expect, test } from "vitest";
import { HeaderMap } from "../../core/header-map.ts";
import { Cluster } from "../cluster.ts";
import type { Host } from "../host.ts";
import { clusterConfig, FakeThread, hostConfig, limits, membership } from "../upstream-for-test.ts";
import {
  PoolFailureReason,
  type PendingStream,
  type PoolCallbacks,
  type PooledConnection,
  type RequestEncoder,
  type ResponseDecoder,
  StreamResetReason,
} from "./conn-pool.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** Asks for a stream and writes down what happens. */
class Asker implements PoolCallbacks, ResponseDecoder {
  readonly events: string[] = [];
  readonly headers = new HeaderMap();
  encoder: RequestEncoder | null = null;
  connection: PooledConnection | null = null;
  sendsAtOnce = true;
  onReset: () => void = () => {};

  get decoder(): ResponseDecoder {
    return this;
  }
  onPoolReady(encoder: RequestEncoder, _host: Host, connection: PooledConnection): void {
    this.encoder = encoder;
    this.connection = connection;
    this.events.push(`ready ${connection.streamsBefore}`);
    if (this.sendsAtOnce) encoder.encodeHeaders(getRequest(), true);
  }
  onPoolFailure(reason: PoolFailureReason, _host: Host, transportFailure: string): void {
    this.events.push(`failure ${reason} ${transportFailure}`);
  }
  responseHeaders(): HeaderMap {
    return this.headers;
  }
  decodeInformational(headers: HeaderMap): void {
    this.events.push(`info ${headers.status}`);
  }
  decodeHeaders(headers: HeaderMap, end: boolean): void {
    this.events.push(`headers ${headers.status} ${end}`);
  }
  decodeData(buffer: Buffer, from: number, to: number, end: boolean): void {
    this.events.push(`data ${buffer.toString("latin1", from, to)} ${end}`);
  }
  decodeTrailers(trailers: HeaderMap): void {
    this.events.push(`trailers ${trailers.size}`);
  }
  onResetStream(reason: StreamResetReason): void {
    this.events.push(`reset ${reason}`);
    this.onReset();
  }
  onEncodeWritable(): void {
    this.events.push("writable");
  }
}

function getRequest(): HeaderMap {
  const headers = new HeaderMap();
  headers.method = "GET";
  headers.path = "/";
  headers.authority = "a";
  return headers;
}

class World extends FakeThread {
  readonly cluster: Cluster;
  readonly host: Host;

  constructor(overrides: Parameters<typeof clusterConfig>[0] = {}) {
    super();
    this.cluster = new Cluster(clusterConfig(overrides), this.context);
    this.cluster.setMembership(membership("up", [hostConfig(80)]));
    this.host = this.cluster.hostSet.hosts[0] as Host;
  }

  ask(asker: Asker, avoidIdle = false): PendingStream | null {
    return this.cluster.newStream(this.host, null, asker, false, avoidIdle);
  }

  up(name: string): number {
    return this.counter(`cluster.up.upstream_${name}`);
  }

  hostCounter(name: string): number {
    return this.counter(`@host.up|127.0.0.1:80|${name}`);
  }

  /** Asks, connects and answers. */
  serve(index: number): Asker {
    const asker = new Asker();
    this.ask(asker);
    if (this.engine.ios.length > index && this.up("cx_total") === index + 1) {
      if (asker.encoder === null) this.engine.io(index).connect();
    }
    this.engine.io(index).receive(OK);
    return asker;
  }
}

function expectEmpty(world: World): void {
  world.cluster.close();
  expect(world.openGauges()).toEqual([]);
  expect(world.host.activeRequests).toBe(0);
  expect(world.timers.size).toBe(0);
  for (const io of world.engine.ios) expect(io.end).not.toBe("open");
  for (const io of world.engine.ios) expect(io.readDisables).toBe(0);
}

test("connects, sends, answers and keeps the connection for the next request", () => {
  const world = new World();
  const first = new Asker();
  const pending = world.ask(first);
  expect(pending).not.toBeNull();
  expect(world.gauge("cluster.up.upstream_rq_pending_active")).toBe(1);
  world.pass(10);
  world.engine.io(0).connect();
  expect(world.engine.io(0).sent).toBe("GET / HTTP/1.1\r\nhost: a\r\n\r\n");
  expect(world.gauge("cluster.up.upstream_rq_active")).toBe(1);
  expect(world.host.activeRequests).toBe(1);
  world.engine.io(0).receive(OK);
  expect(first.events).toEqual(["ready 0", "headers 200 false", "data ok true"]);
  expect(first.connection?.localAddress).toBe("127.0.0.1:40000");
  const second = new Asker();
  expect(world.ask(second)).toBeNull();
  expect(second.events).toEqual(["ready 1"]);
  world.engine.io(0).receive(OK);
  expect(world.engine.ios.length).toBe(1);
  expect(world.up("cx_total")).toBe(1);
  expect(world.up("cx_http1_total")).toBe(1);
  expect(world.up("rq_total")).toBe(2);
  expect(world.up("rq_pending_total")).toBe(1);
  expect(world.up("cx_rx_bytes_total")).toBe(2 * OK.length);
  expect(world.up("cx_tx_bytes_total")).toBe(2 * "GET / HTTP/1.1\r\nhost: a\r\n\r\n".length);
  expect(world.stats.histogram("cluster.up.upstream_cx_connect_ms").count).toBe(1);
  expect(world.hostCounter("rq_total")).toBe(2);
  expectEmpty(world);
  expect(world.stats.histogram("cluster.up.upstream_rq_per_cx").count).toBe(1);
});

test("gives out the connection that was used last", () => {
  const world = new World();
  const [a, b] = [new Asker(), new Asker()];
  world.ask(a);
  world.ask(b);
  expect(world.engine.ios.length).toBe(2);
  world.engine.io(0).connect();
  world.engine.io(1).connect();
  world.engine.io(1).receive(OK);
  world.engine.io(0).receive(OK);
  const third = new Asker();
  world.ask(third);
  world.engine.io(0).receive(OK);
  expect(third.events).toEqual(["ready 1", "headers 200 false", "data ok true"]);
  expectEmpty(world);
});

test("a refused connection fails all who wait, with the system's reason", () => {
  const world = new World();
  const [a, b] = [new Asker(), new Asker()];
  world.ask(a);
  world.ask(b);
  world.engine.io(0).refuse();
  const failed = "failure 1 delayed connect error: Connection refused";
  expect(a.events).toEqual([failed]);
  expect(b.events).toEqual([failed]);
  expect(world.up("rq_pending_failure_eject")).toBe(2);
  expect(world.up("cx_connect_fail")).toBe(1);
  expect(world.up("cx_destroy_remote")).toBe(1);
  expect(world.up("cx_destroy_with_active_rq")).toBe(0);
  expect(world.hostCounter("cx_connect_fail")).toBe(1);
  expectEmpty(world);
});

test("a request that asks again while the others fail does not fail with them", () => {
  const world = new World();
  const again = new Asker();
  const first = new Asker();
  const failing: PoolCallbacks = {
    decoder: first,
    onPoolReady: () => {},
    onPoolFailure: () => void world.ask(again),
  };
  world.cluster.newStream(world.host, null, failing, false, false);
  world.engine.io(0).refuse();
  expect(again.events).toEqual([]);
  expect(world.engine.ios.length).toBe(2);
  world.engine.io(1).connect();
  expect(again.events).toEqual(["ready 0"]);
  expectEmpty(world);
});

test("a unix socket's failure is immediate and names the path", () => {
  const world = new World();
  const address = { kind: "pipe", address: "/tmp/x", port: 0, ipv4Compat: false, pipeMode: 0 };
  world.cluster.setMembership(
    membership("up", [hostConfig(0, { address: address as { kind: "pipe" } & typeof address })]),
  );
  const asker = new Asker();
  world.cluster.newStream(world.cluster.hostSet.hosts[0] as Host, null, asker, false, false);
  world.engine.io(0).refuse("ENOENT");
  expect(asker.events).toEqual([
    "failure 1 immediate connect error: No such file or directory|remote address:/tmp/x",
  ]);
});

test("gives up connecting after connect_timeout", () => {
  const world = new World({ connectTimeoutMs: 300 });
  const asker = new Asker();
  world.ask(asker);
  world.pass(250);
  expect(asker.events).toEqual([]);
  world.pass(100);
  expect(asker.events).toEqual(["failure 3 "]);
  expect(world.up("cx_connect_timeout")).toBe(1);
  expect(world.up("cx_connect_fail")).toBe(1);
  expect(world.up("cx_destroy_local")).toBe(1);
  expect(world.engine.io(0).end).toBe("reset");
  expectEmpty(world);
});

test("a request that is given up leaves the queue and is counted", () => {
  const world = new World();
  const asker = new Asker();
  const pending = world.ask(asker);
  pending?.cancel();
  pending?.cancel();
  expect(world.up("rq_cancelled")).toBe(1);
  expect(world.gauge("cluster.up.upstream_rq_pending_active")).toBe(0);
  world.engine.io(0).connect();
  expect(asker.events).toEqual([]);
  const next = new Asker();
  world.ask(next);
  expect(next.events).toEqual(["ready 0"]);
  expectEmpty(world);
});

test("max_pending_requests 0 refuses when no connection is free", () => {
  const world = new World({ circuitBreakers: limits({ maxPendingRequests: 0 }) });
  const asker = new Asker();
  expect(world.ask(asker)).toBeNull();
  expect(asker.events).toEqual(["failure 0 "]);
  expect(world.up("rq_pending_overflow")).toBe(1);
  expect(world.up("rq_pending_total")).toBe(0);
  expect(world.engine.ios.length).toBe(0);
  expectEmpty(world);
});

test("max_pending_requests lets exactly that many wait", () => {
  const world = new World({ circuitBreakers: limits({ maxPendingRequests: 2 }) });
  const askers = [new Asker(), new Asker(), new Asker()];
  for (const asker of askers) world.ask(asker);
  expect(askers.map((asker) => asker.events)).toEqual([[], [], ["failure 0 "]]);
  expect(world.cluster.breaker(false).pending.isOpen).toBe(true);
  world.engine.io(0).connect();
  expect(world.cluster.breaker(false).pending.isOpen).toBe(false);
  expectEmpty(world);
});

test("max_requests refuses a request that has a connection", () => {
  const world = new World({ circuitBreakers: limits({ maxRequests: 1 }) });
  const [a, b] = [new Asker(), new Asker()];
  world.ask(a);
  world.ask(b);
  world.engine.io(0).connect();
  expect(world.cluster.breaker(false).requests.isOpen).toBe(true);
  world.engine.io(1).connect();
  expect(a.events).toEqual(["ready 0"]);
  expect(b.events).toEqual(["failure 0 "]);
  expect(world.up("rq_active_overflow")).toBe(1);
  expect(world.up("rq_pending_overflow")).toBe(0);
  const c = new Asker();
  expect(world.ask(c)).toBeNull();
  expect(c.events).toEqual(["failure 0 "]);
  world.engine.io(0).receive(OK);
  const d = new Asker();
  world.ask(d);
  expect(d.events).toEqual(["ready 1"]);
  expectEmpty(world);
});

test("max_connections queues the second request and counts the overflow", () => {
  const world = new World({ circuitBreakers: limits({ maxConnections: 1 }) });
  const [a, b] = [new Asker(), new Asker()];
  world.ask(a);
  expect(world.cluster.breaker(false).connections.isOpen).toBe(true);
  world.ask(b);
  expect(world.engine.ios.length).toBe(1);
  expect(world.up("cx_overflow")).toBe(1);
  world.engine.io(0).connect();
  world.engine.io(0).receive(OK);
  expect(b.events).toEqual(["ready 1"]);
  world.engine.io(0).receive(OK);
  expect(a.events.at(-1)).toBe("data ok true");
  expect(b.events.at(-1)).toBe("data ok true");
  expectEmpty(world);
  expect(world.cluster.breaker(false).connections.isOpen).toBe(false);
});

test("a host without any connection may make one although the limit is reached", () => {
  const world = new World({ circuitBreakers: limits({ maxConnections: 0 }) });
  const asker = new Asker();
  world.ask(asker);
  expect(world.up("cx_overflow")).toBe(1);
  world.engine.io(0).connect();
  expect(asker.events).toEqual(["ready 0"]);
  expectEmpty(world);
});

test("high priority has limits and connections of its own", () => {
  const world = new World({ circuitBreakers: limits({ maxConnections: 1 }) });
  const [a, b] = [new Asker(), new Asker()];
  world.ask(a);
  world.cluster.newStream(world.host, null, b, true, false);
  expect(world.engine.ios.length).toBe(2);
  expect(world.up("cx_overflow")).toBe(0);
  expectEmpty(world);
});

test("closes an idle connection after its idle timeout, counted from its last use", () => {
  const world = new World({ idleTimeoutMs: 60_000 });
  world.serve(0);
  world.pass(40_000);
  world.serve(0);
  world.pass(59_000);
  expect(world.engine.io(0).end).toBe("open");
  world.pass(2000);
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.up("cx_idle_timeout")).toBe(1);
  expect(world.up("cx_destroy_local")).toBe(1);
  expectEmpty(world);
});

test("a busy connection has no idle timeout", () => {
  const world = new World({ idleTimeoutMs: 1000 });
  world.serve(0);
  const asker = new Asker();
  world.ask(asker);
  world.pass(10_000);
  expect(world.engine.io(0).end).toBe("open");
  world.engine.io(0).receive(OK);
  expect(asker.events.at(-1)).toBe("data ok true");
  world.pass(1200);
  expect(world.engine.io(0).end).toBe("closed");
  expectEmpty(world);
});

test("max_connection_duration closes at once when idle, after the response when busy", () => {
  const world = new World({ maxConnectionDurationMs: 5000 });
  world.serve(0);
  world.pass(5200);
  expect(world.engine.io(0).end).toBe("closed");
  world.serve(1);
  const asker = new Asker();
  world.ask(asker);
  world.pass(5200);
  expect(world.engine.io(1).end).toBe("open");
  world.engine.io(1).receive(OK);
  expect(asker.events.at(-1)).toBe("data ok true");
  expect(world.engine.io(1).end).toBe("closed");
  expect(world.up("cx_max_duration_reached")).toBe(2);
  expectEmpty(world);
});

test("max_requests_per_connection closes after the last of them", () => {
  const world = new World({ maxRequestsPerConnection: 2 });
  world.serve(0);
  expect(world.engine.io(0).end).toBe("open");
  world.serve(0);
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.up("cx_max_requests")).toBe(1);
  expectEmpty(world);
});

test("a peer that closes before it answers resets the stream", () => {
  const world = new World();
  const asker = new Asker();
  world.ask(asker);
  world.engine.io(0).connect();
  world.engine.io(0).fin();
  expect(asker.events).toEqual(["ready 0", `reset ${StreamResetReason.ConnectionTermination}`]);
  expect(world.up("cx_destroy_remote_with_active_rq")).toBe(1);
  expect(world.up("cx_destroy_with_active_rq")).toBe(1);
  expect(world.up("cx_protocol_error")).toBe(0);
  expectEmpty(world);
});

test("a peer that closes in the middle of a body broke the protocol", () => {
  for (const how of ["fin", "die"] as const) {
    const world = new World();
    const asker = new Asker();
    world.ask(asker);
    world.engine.io(0).connect();
    world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    world.engine.io(0)[how]("ECONNRESET");
    expect(asker.events.at(-1)).toBe(`reset ${StreamResetReason.ProtocolError}`);
    expect(world.up("cx_protocol_error")).toBe(1);
    expect(world.up("cx_destroy_remote_with_active_rq")).toBe(1);
    expectEmpty(world);
  }
});

test("garbage closes the connection from our side", () => {
  const world = new World();
  const asker = new Asker();
  world.ask(asker);
  world.engine.io(0).connect();
  world.engine.io(0).receive("GARBAGE\r\n\r\n");
  expect(asker.events.at(-1)).toBe(`reset ${StreamResetReason.ProtocolError}`);
  expect(world.up("cx_protocol_error")).toBe(1);
  expect(world.up("cx_destroy_local_with_active_rq")).toBe(1);
  expect(world.engine.io(0).end).toBe("closed");
  expectEmpty(world);
});

test("a body that the close delimits ends with it, and the connection is not kept", () => {
  const world = new World();
  const asker = new Asker();
  world.ask(asker);
  world.engine.io(0).connect();
  world.engine.io(0).receive("HTTP/1.0 200 OK\r\n\r\nabc");
  world.engine.io(0).fin();
  expect(asker.events).toEqual(["ready 0", "headers 200 false", "data abc false", "data  true"]);
  expect(world.up("cx_destroy_remote")).toBe(1);
  expect(world.up("cx_destroy_with_active_rq")).toBe(0);
  expectEmpty(world);
});

test("a connection that the peer announces to close is not kept", () => {
  const world = new World();
  const asker = new Asker();
  world.ask(asker);
  world.engine.io(0).connect();
  world.engine.io(0).receive(`HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
  expect(asker.events.at(-1)).toBe("headers 200 true");
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.up("cx_close_notify")).toBe(1);
  expect(world.up("cx_destroy_local")).toBe(1);
  expectEmpty(world);
});

test("a connection that got bytes beyond the response is not kept", () => {
  const world = new World();
  const asker = new Asker();
  const waiting = new Asker();
  world.ask(asker);
  world.engine.io(0).connect();
  world.ask(waiting);
  world.engine.io(0).receive(`${OK}HTTP/1.1 200 OK\r\n`);
  expect(asker.events.at(-1)).toBe("data ok true");
  expect(waiting.events).toEqual([]);
  expect(world.engine.io(0).end).toBe("closed");
  expectEmpty(world);
});

test("bytes and FIN on an idle connection remove it", () => {
  const world = new World();
  world.serve(0);
  world.engine.io(0).receive("HTTP/1.1 408 Request Timeout\r\n\r\n");
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.up("cx_protocol_error")).toBe(0);
  world.serve(1);
  world.engine.io(1).receive("HTTP/1.1 200 OK\r\n\r\n");
  expect(world.engine.io(1).end).toBe("closed");
  expect(world.up("cx_protocol_error")).toBe(1);
  world.serve(2);
  world.engine.io(2).fin();
  expect(world.engine.io(2).end).toBe("closed");
  expect(world.up("cx_destroy_remote")).toBe(1);
  expect(world.host.pools.connectionCount).toBe(0);
  expectEmpty(world);
});

test("a reset by the router closes the connection and tells nobody", () => {
  const world = new World();
  const asker = new Asker();
  world.ask(asker);
  world.engine.io(0).connect();
  asker.encoder?.resetStream(StreamResetReason.LocalReset);
  expect(asker.events).toEqual(["ready 0"]);
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.up("cx_destroy_local_with_active_rq")).toBe(1);
  expectEmpty(world);
});

test("a reset with unsent bytes does not wait for them", () => {
  const world = new World();
  const asker = new Asker();
  world.ask(asker);
  world.engine.io(0).connect();
  world.engine.io(0).writeQueueBytes = 100;
  asker.encoder?.resetStream(StreamResetReason.LocalReset);
  expect(world.engine.io(0).end).toBe("reset");
  expectEmpty(world);
});

test("the rest of a request that was answered is not waited for", () => {
  const world = new World();
  const asker = new Asker();
  world.ask(asker);
  world.engine.io(0).connect();
  world.engine.io(0).writeQueueBytes = 100;
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
  expect(asker.events.at(-1)).toBe("headers 200 true");
  expect(world.engine.io(0).end).toBe("reset");
  expectEmpty(world);
});

test("the last bytes of a tunnel have time to leave as long as some of them do", () => {
  const world = new World();
  const asker = new Asker();
  world.ask(asker);
  const io = world.engine.io(0);
  io.connect();
  io.writeQueueBytes = 100;
  asker.encoder?.endTunnel();
  expect(io.end).toBe("closed");
  io.writeQueueBytes = 40;
  world.pass(1200);
  expect(io.end).toBe("closed");
  expect(world.up("cx_flush_timeout")).toBe(0);
  world.pass(1200);
  expect(io.end).toBe("reset");
  expect(world.up("cx_flush_timeout")).toBe(1);
  expectEmpty(world);
});

test("who asks again from a reset gets another connection at the limit of one", () => {
  const world = new World({ circuitBreakers: limits({ maxConnections: 1 }) });
  const asker = new Asker();
  const again = new Asker();
  asker.onReset = () => void world.ask(again, true);
  world.ask(asker);
  world.engine.io(0).connect();
  world.engine.io(0).die("ECONNRESET");
  expect(world.engine.ios.length).toBe(2);
  expect(world.up("cx_overflow")).toBe(0);
  world.engine.io(1).connect();
  expect(again.events).toEqual(["ready 0"]);
  expectEmpty(world);
});

test("avoiding idle connections closes them", () => {
  const world = new World();
  world.serve(0);
  const asker = new Asker();
  world.ask(asker, true);
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.engine.ios.length).toBe(2);
  expectEmpty(world);
});

test("back-pressure both ways, and reading goes on for the next stream", () => {
  const world = new World();
  const asker = new Asker();
  asker.sendsAtOnce = false;
  world.ask(asker);
  world.engine.io(0).connect();
  const headers = getRequest();
  headers.method = "POST";
  asker.encoder?.encodeHeaders(headers, false);
  world.engine.io(0).isFlowing = false;
  expect(asker.encoder?.encodeData(Buffer.from("abc"), 0, 3, false)).toBe(false);
  expect(world.up("flow_control_backed_up_total")).toBe(1);
  world.engine.io(0).drainWrites();
  expect(asker.events).toEqual(["ready 0", "writable"]);
  expect(world.up("flow_control_drained_total")).toBe(1);
  asker.encoder?.encodeData(Buffer.from(""), 0, 0, true);
  asker.encoder?.readDisable(true);
  asker.encoder?.readDisable(true);
  expect(world.engine.io(0).readDisables).toBe(2);
  expect(world.up("flow_control_paused_reading_total")).toBe(1);
  world.engine.io(0).receive(OK);
  expect(world.engine.io(0).readDisables).toBe(0);
  expect(world.up("flow_control_resumed_reading_total")).toBe(1);
  expectEmpty(world);
});

test("drain closes what is idle, lets the busy and the queue finish, takes no more", () => {
  const world = new World({ circuitBreakers: limits({ maxConnections: 2 }) });
  world.serve(0);
  const [busy, waiting, late] = [new Asker(), new Asker(), new Asker()];
  world.ask(busy);
  world.ask(waiting);
  world.host.drain();
  world.ask(late);
  expect(late.events).toEqual(["failure 2 "]);
  world.engine.io(0).receive(OK);
  expect(busy.events.at(-1)).toBe("data ok true");
  expect(waiting.events).toEqual(["ready 2"]);
  world.engine.io(0).receive(OK);
  expect(world.engine.io(0).end).toBe("closed");
  world.engine.io(1).connect();
  expect(world.engine.io(1).end).toBe("closed");
  expect(world.host.pools.connectionCount).toBe(0);
  expectEmpty(world);
});

test("close ends everything at once", () => {
  const world = new World();
  const [busy, waiting] = [new Asker(), new Asker()];
  world.ask(busy);
  world.engine.io(0).connect();
  world.ask(waiting);
  expect(world.host.pools.activeStreams).toBe(1);
  world.host.close();
  expect(busy.events.at(-1)).toBe(`reset ${StreamResetReason.ConnectionTermination}`);
  expect(waiting.events).toEqual(["failure 2 "]);
  expectEmpty(world);
});

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { ClusterConfig, TcpProxyConfig, TunnelingConfig } from "../config/snapshot.ts";
import { responseFlagsText } from "../core/response-flags.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import { connectionInfoOf, ListenPlace } from "../network/addresses.ts";
import { Connection } from "../network/connection.ts";
import { FakeIo } from "../network/fake-io-for-test.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import {
  clusterConfig,
  FakeThread,
  type FakeIo as UpstreamIo,
  hostConfig,
  limits,
  membership,
} from "../upstream/upstream-for-test.ts";
import { TunnelOpener } from "./http-tunnel.ts";
import { ProxyTlvs } from "./proxy-tlvs.ts";
import { TcpProxyFactory } from "./tcp-proxy.ts";
import { TcpProxyStats } from "./tcp-proxy-stats.ts";

const HOUR_MS = 3_600_000;
const CONNECT_MS = 5000;
const up = [{ name: "up", weight: 1 }];
const defaults: TcpProxyConfig = {
  statPrefix: "t",
  clusters: up,
  totalWeight: 1,
  idleTimeoutMs: HOUR_MS,
  maxDownstreamConnectionDurationMs: 0,
  maxDownstreamConnectionDurationJitter: 0,
  maxConnectAttempts: 1,
  connectBackOff: null,
  proxyTlvs: null,
  tunneling: null,
  accessLogs: [],
  logMoments: { atStart: false, whenConnected: false, everyMs: 0 },
};

interface Parts {
  readonly config?: Partial<TcpProxyConfig>;
  readonly clusters?: readonly Partial<ClusterConfig>[];
  /** Of the first cluster. */
  readonly ports?: readonly number[];
}

class World {
  readonly thread = new FakeThread();
  readonly manager: ClusterManager;
  /** Flags of each finished connection. */
  readonly logged: string[] = [];
  readonly infos: StreamInfo[] = [];
  readonly types: string[] = [];
  readonly #factory: TcpProxyFactory;
  #connections = 0;

  constructor(parts: Parts = {}) {
    const { thread } = this;
    this.manager = new ClusterManager(thread.context);
    const clusters = (parts.clusters ?? [{}]).map((c, at) =>
      clusterConfig({ sharedIndex: at, ...c }),
    );
    const hosts = (parts.ports ?? [7001]).map((port) => hostConfig(port));
    const memberships = clusters.map(({ name }) => membership(name, hosts));
    this.manager.commit(this.manager.prepare(clusters, memberships));
    const log = (info: StreamInfo): void => {
      this.logged.push(responseFlagsText(info.responseFlags));
      this.types.push(info.accessLogType);
      this.infos.push(info);
    };
    const config = { ...defaults, ...parts.config };
    const { proxyTlvs, tunneling } = config;
    this.#factory = new TcpProxyFactory({
      config,
      clock: thread.clock,
      timers: thread.timers,
      random: thread.context.random,
      clusterManager: this.manager,
      stats: new TcpProxyStats(thread.stats, "t"),
      accessLoggers: [{ log }],
      proxyTlvs: proxyTlvs === null ? null : new ProxyTlvs(proxyTlvs, "me", thread.clock),
      tunnels: tunneling === null ? null : new TunnelOpener(tunneling, "me", thread.clock),
      nextStreamId: () => 1,
    });
  }

  accept(): Downstream {
    this.#connections += 1;
    return new Downstream(this, this.#factory, this.#connections);
  }

  upstream(index = 0): UpstreamIo {
    return this.thread.engine.io(index);
  }

  stat(name: string): number {
    return this.thread.counter(name);
  }
}

class Downstream {
  readonly io = new FakeIo();
  readonly connection: Connection;

  constructor(world: World, factory: TcpProxyFactory, id: number) {
    const { clock, timers } = world.thread;
    const place = new ListenPlace(this.io.localAddress);
    const info = connectionInfoOf(this.io, place, id, clock.nowMs);
    const owner = { onConnectionClosed: (): void => {} };
    this.connection = new Connection(info, this.io, owner, timers, () => clock.nowMs);
    this.connection.setFilter(factory.createFilter(this.connection));
    this.connection.start();
  }

  send(text: string): void {
    this.connection.onRead(Buffer.from(text, "latin1"), text.length);
  }
}

let w: World;
beforeEach(() => {
  w = new World();
});
afterEach(() => {
  // Whatever happened, the end of the process leaves nothing behind.
  w.manager.close();
  w.thread.pass(100);
  const open = w.thread.openGauges();
  if (open.length > 0) throw new Error(`left behind: ${open.join(", ")}`);
});

function connected(): { down: Downstream; up: UpstreamIo } {
  const down = w.accept();
  const io = w.upstream();
  io.connect();
  return { down, up: io };
}

test("reads nothing before the upstream is there, then passes bytes both ways", () => {
  const down = w.accept();
  expect(down.io.readDisables).toBe(1);
  w.upstream().connect();
  expect(down.io.readDisables).toBe(0);
  down.send("abc");
  w.upstream().receive("defg");
  expect(w.upstream().sent).toBe("abc");
  expect(down.io.sent).toBe("defg");
  expect(w.stat("tcp.t.downstream_cx_rx_bytes_total")).toBe(3);
  expect(w.stat("tcp.t.downstream_cx_tx_bytes_total")).toBe(4);
  expect(w.stat("cluster.up.upstream_cx_tx_bytes_total")).toBe(3);
  expect(w.stat("cluster.up.upstream_cx_rx_bytes_total")).toBe(4);
  expect(w.stat("cluster.up.upstream_rq_total")).toBe(1);
});

describe("half-close", () => {
  test("the downstream's FIN goes up, and the answer still comes down", () => {
    const { down, up: io } = connected();
    down.send("q");
    down.connection.onEnd();
    expect(io.isShutdown).toBe(true);
    expect(down.io.fate).toBe("open");
    io.receive("answer");
    expect(down.io.sent).toBe("answer");
    io.fin();
    expect([down.io.fate, io.end]).toEqual(["closed", "closed"]);
    expect(w.logged).toEqual(["-"]);
    expect(w.stat("cluster.up.upstream_cx_destroy_remote_with_active_rq")).toBe(1);
    expect(w.infos[0]?.bytesSent).toBe(6);
  });

  test("the upstream's FIN goes down, and bytes still go up", () => {
    const { down, up: io } = connected();
    io.fin();
    expect(down.io.isShutdown).toBe(true);
    down.send("late");
    expect(io.sent).toBe("late");
    down.connection.onEnd();
    expect([down.io.fate, io.end]).toEqual(["closed", "closed"]);
    expect(w.stat("cluster.up.upstream_cx_destroy_local_with_active_rq")).toBe(1);
  });

  test("a FIN from before the upstream was there is passed on", () => {
    const down = w.accept();
    down.connection.onEnd();
    w.upstream().connect();
    expect(w.upstream().isShutdown).toBe(true);
  });
});

describe("back-pressure", () => {
  test("an upstream that takes nothing stops the downstream", () => {
    const { down, up: io } = connected();
    io.isFlowing = false;
    io.writeQueueBytes = 5;
    down.send("12345");
    down.send("6");
    expect(down.io.readDisables).toBe(1);
    expect(w.thread.gauge("cluster.up.upstream_cx_tx_bytes_buffered")).toBe(5);
    io.drainWrites();
    expect(down.io.readDisables).toBe(0);
    expect(w.stat("tcp.t.downstream_flow_control_paused_reading_total")).toBe(1);
    expect(w.stat("tcp.t.downstream_flow_control_resumed_reading_total")).toBe(1);
    expect(w.stat("cluster.up.upstream_flow_control_backed_up_total")).toBe(1);
    expect(w.stat("cluster.up.upstream_flow_control_drained_total")).toBe(1);
  });

  test("a downstream that takes nothing stops the upstream", () => {
    const { down, up: io } = connected();
    down.io.isFast = false;
    down.io.writeQueueBytes = 4;
    io.receive("1234");
    io.receive("5");
    expect(io.readDisables).toBe(1);
    expect(w.thread.gauge("tcp.t.downstream_cx_tx_bytes_buffered")).toBe(4);
    down.io.isFast = true;
    down.io.writeQueueBytes = 0;
    down.connection.onWritable();
    expect(io.readDisables).toBe(0);
    expect(w.thread.gauge("tcp.t.downstream_cx_tx_bytes_buffered")).toBe(0);
    expect(w.stat("cluster.up.upstream_flow_control_paused_reading_total")).toBe(1);
    expect(w.stat("cluster.up.upstream_flow_control_resumed_reading_total")).toBe(1);
  });
});

describe("bytes that the upstream has not taken when both sides have ended", () => {
  function ended(): UpstreamIo {
    const { down, up: io } = connected();
    io.isFlowing = false;
    io.writeQueueBytes = 3;
    down.send("abc");
    io.fin();
    down.connection.onEnd();
    expect(io.end).toBe("open");
    expect(io.isShutdown).toBe(true);
    expect(w.thread.gauge("tcp.t.upstream_flush_active")).toBe(1);
    return io;
  }

  test("still leave", () => {
    const io = ended();
    io.drainWrites();
    expect(io.end).toBe("closed");
    expect(w.thread.gauge("tcp.t.upstream_flush_active")).toBe(0);
    expect(w.stat("tcp.t.upstream_flush_total")).toBe(1);
  });

  test("are dropped when nobody takes them for the idle timeout", () => {
    const io = ended();
    w.thread.pass(HOUR_MS / 2);
    expect(io.end).toBe("open");
    w.thread.pass(HOUR_MS / 2 + 200);
    expect(io.end).toBe("reset");
    expect(w.thread.gauge("tcp.t.upstream_flush_active")).toBe(0);
  });

  test("are dropped when the upstream breaks", () => {
    ended().die("ECONNRESET");
    expect(w.thread.gauge("tcp.t.upstream_flush_active")).toBe(0);
  });
});

describe("resets", () => {
  test("of the upstream reach the downstream", () => {
    const { down, up: io } = connected();
    io.die("ECONNRESET");
    expect(down.io.fate).toBe("reset");
    expect(w.logged).toEqual(["UR"]);
    expect(w.stat("cluster.up.upstream_cx_destroy_remote_with_active_rq")).toBe(1);
  });

  test("of the downstream reach the upstream", () => {
    const { down, up: io } = connected();
    down.connection.onClose();
    expect(io.end).toBe("reset");
    expect(w.logged).toEqual(["-"]);
    expect(w.stat("cluster.up.upstream_cx_destroy_local_with_active_rq")).toBe(1);
  });

  test("of a downstream end a connect that is under way", () => {
    const down = w.accept();
    down.connection.onClose();
    expect(w.upstream().end).toBe("reset");
    expect(w.stat("cluster.up.upstream_rq_cancelled")).toBe(1);
  });
});

describe("no upstream", () => {
  test("refused: UF,URX after the only attempt", () => {
    const down = w.accept();
    w.upstream().refuse();
    w.thread.pass(100);
    expect(down.io.fate).toBe("closed");
    expect(w.logged).toEqual(["UF,URX"]);
    expect(w.infos[0]?.upstreamTransportFailureReason).toBe(
      "delayed connect error: Connection refused",
    );
    expect(w.infos[0]?.attemptCount).toBe(1);
    for (const name of ["cx_connect_fail", "cx_connect_attempts_exceeded", "cx_destroy_remote"]) {
      expect(w.stat(`cluster.up.upstream_${name}`)).toBe(1);
    }
    expect(w.stat("cluster.up.upstream_rq_pending_failure_eject")).toBe(1);
  });

  test("no answer: the same after the connect timeout", () => {
    const down = w.accept();
    w.thread.pass(CONNECT_MS + 200);
    expect(w.upstream().end).toBe("reset");
    expect(down.io.fate).toBe("closed");
    expect(w.logged).toEqual(["UF,URX"]);
    expect(w.stat("cluster.up.upstream_cx_connect_timeout")).toBe(1);
  });

  test("no host: UH", () => {
    w = new World({ ports: [] });
    const down = w.accept();
    w.thread.pass(100);
    expect(down.io.fate).toBe("closed");
    expect(w.logged).toEqual(["UH"]);
    expect(w.infos[0]?.attemptCount).toBe(0);
    expect(w.stat("cluster.up.upstream_cx_none_healthy")).toBe(1);
  });

  test("no cluster: NC", () => {
    w = new World({ config: { clusters: [{ name: "missing", weight: 1 }] } });
    w.accept();
    w.thread.pass(100);
    expect(w.logged).toEqual(["NC"]);
    expect(w.stat("tcp.t.downstream_cx_no_route")).toBe(1);
  });

  test("circuit breaker of connections: UO, and the first connection is not touched", () => {
    w = new World({ clusters: [{ circuitBreakers: limits({ maxConnections: 1 }) }] });
    const { down } = connected();
    const second = w.accept();
    w.thread.pass(100);
    expect([down.io.fate, second.io.fate]).toEqual(["open", "closed"]);
    expect(w.logged).toEqual(["UO"]);
    expect(w.stat("cluster.up.upstream_cx_overflow")).toBe(1);
    expect(w.stat("cluster.up.upstream_cx_total")).toBe(1);
  });

  test("circuit breaker of pending requests: as many attempts as there may be, then URX", () => {
    const clusters = [{ circuitBreakers: limits({ maxPendingRequests: 0 }) }];
    w = new World({ clusters, config: { maxConnectAttempts: 3 } });
    w.accept();
    // Not within one another: their number is the configuration's to choose.
    expect(w.stat("cluster.up.upstream_rq_pending_overflow")).toBe(1);
    w.thread.pass(300);
    expect(w.logged).toEqual(["URX"]);
    expect(w.infos[0]?.upstreamHost).toBe("");
    expect(w.stat("cluster.up.upstream_rq_pending_overflow")).toBe(3);
    expect(w.stat("cluster.up.upstream_cx_connect_attempts_exceeded")).toBe(1);
  });
});

test("the next attempt goes to another host; the flag of the first stays", () => {
  w = new World({ config: { maxConnectAttempts: 3 }, ports: [7001, 7002] });
  const down = w.accept();
  w.upstream(0).refuse();
  const second = w.upstream(1);
  expect(second.remoteAddress.port).not.toBe(w.upstream(0).remoteAddress.port);
  second.connect();
  down.send("x");
  expect(second.sent).toBe("x");
  down.connection.onClose();
  expect(w.logged).toEqual(["UF"]);
  expect(w.infos[0]?.attemptCount).toBe(2);
});

test("never makes more attempts than it may", () => {
  w = new World({ config: { maxConnectAttempts: 3 } });
  w.accept();
  for (let i = 0; i < 3; i += 1) w.upstream(i).refuse();
  w.thread.pass(100);
  expect(w.thread.engine.ios.length).toBe(3);
  expect(w.logged).toEqual(["UF,URX"]);
});

describe("connect attempts with a back-off", () => {
  const connectBackOff = { baseMs: 200, maxMs: 300 };

  test("wait a while between them, and not after the last", () => {
    w = new World({ config: { maxConnectAttempts: 3, connectBackOff } });
    const down = w.accept();
    for (const limitMs of [200, 300]) {
      const made = w.thread.engine.ios.length;
      w.upstream(made - 1).refuse();
      expect(w.thread.engine.ios.length).toBe(made);
      w.thread.pass(limitMs + 50);
      expect(w.thread.engine.ios.length).toBe(made + 1);
    }
    w.upstream(2).refuse();
    w.thread.pass(50);
    expect([down.io.fate, w.logged]).toEqual(["closed", ["UF,URX"]]);
  });

  test("a client that leaves in between is forgotten", () => {
    w = new World({ config: { maxConnectAttempts: 3, connectBackOff } });
    const down = w.accept();
    w.upstream(0).refuse();
    down.connection.onClose();
    w.thread.pass(1000);
    expect(w.thread.engine.ios.length).toBe(1);
    expect(w.logged).toEqual(["UF"]);
  });

  test("the longest duration ends the wait", () => {
    const maxDownstreamConnectionDurationMs = 100;
    const slow = { baseMs: 3_600_000, maxMs: 3_600_000 };
    const config = {
      maxConnectAttempts: 2,
      connectBackOff: slow,
      maxDownstreamConnectionDurationMs,
    };
    w = new World({ config });
    const down = w.accept();
    w.upstream(0).refuse();
    w.thread.pass(250);
    expect([down.io.fate, w.logged]).toEqual(["closed", ["UF,DT"]]);
  });

  test("a cluster that has gone meanwhile ends it", () => {
    w = new World({ config: { maxConnectAttempts: 2, connectBackOff } });
    const down = w.accept();
    w.upstream(0).refuse();
    w.manager.commit(w.manager.prepare([], []));
    w.thread.pass(300);
    expect([down.io.fate, w.logged]).toEqual(["closed", ["UF,NC"]]);
  });
});

describe("timeouts", () => {
  test("bytes of either side, and bytes that leave, put the idle timeout off", () => {
    const { down, up: io } = connected();
    const part = HOUR_MS * 0.6;
    w.thread.pass(part);
    down.send("a");
    w.thread.pass(part);
    io.receive("b");
    w.thread.pass(part);
    down.connection.onWritable();
    w.thread.pass(part);
    io.drainWrites();
    w.thread.pass(part);
    expect(down.io.fate).toBe("open");
    w.thread.pass(HOUR_MS - part + 200);
    expect([down.io.fate, io.end]).toEqual(["closed", "closed"]);
    expect(w.stat("tcp.t.idle_timeout")).toBe(1);
    expect(w.logged).toEqual(["-"]);
    expect(w.stat("cluster.up.upstream_cx_destroy_local_with_active_rq")).toBe(1);
  });

  test("idle_timeout 0 is none", () => {
    w = new World({ config: { idleTimeoutMs: 0 } });
    const { down } = connected();
    w.thread.pass(3 * HOUR_MS);
    expect(down.io.fate).toBe("open");
  });

  test("what a slow peer has not taken is dropped at the idle timeout", () => {
    const { down, up: io } = connected();
    down.io.isFast = false;
    down.io.writeQueueBytes = 4;
    io.receive("1234");
    w.thread.pass(HOUR_MS + 200);
    expect(down.io.fate).toBe("reset");
  });

  test("max_downstream_connection_duration ends a busy connection: DT", () => {
    w = new World({ config: { maxDownstreamConnectionDurationMs: 1000 } });
    const { down } = connected();
    w.thread.pass(900);
    down.send("a");
    expect(down.io.fate).toBe("open");
    w.thread.pass(200);
    expect(down.io.fate).toBe("closed");
    expect(w.logged).toEqual(["DT"]);
    expect(w.stat("tcp.t.max_downstream_connection_duration")).toBe(1);
  });
});

test("weighted clusters get their shares", () => {
  const clusters = [
    { name: "a", weight: 1 },
    { name: "b", weight: 3 },
  ];
  w = new World({
    config: { clusters, totalWeight: 4 },
    clusters: [
      { name: "a", statName: "a" },
      { name: "b", statName: "b" },
    ],
  });
  for (let i = 0; i < 400; i += 1) w.accept();
  const share = w.stat("cluster.a.upstream_cx_total");
  expect(share + w.stat("cluster.b.upstream_cx_total")).toBe(400);
  expect(share).toBeGreaterThan(60);
  expect(share).toBeLessThan(140);
});

describe("the configuration changes", () => {
  test("a cluster that is gone keeps its connections, and takes no new ones", () => {
    const { down, up: io } = connected();
    w.manager.commit(w.manager.prepare([], []));
    down.send("on");
    expect(io.sent).toBe("on");
    w.accept();
    w.thread.pass(100);
    expect(w.logged).toEqual(["NC"]);
    down.connection.onClose();
  });

  test("shutdown lets a connection go on; closing its listener cuts both sides", () => {
    const { down, up: io } = connected();
    down.connection.shutdown();
    down.send("on");
    expect(io.sent).toBe("on");
    down.connection.closeNow();
    expect([down.io.fate, io.end]).toEqual(["reset", "closed"]);
  });

  test("a filter in front that closes ends the upstream without a reset", () => {
    const { down, up: io } = connected();
    down.connection.closeAfterFlush(0);
    expect([down.io.fate, io.end]).toEqual(["closed", "closed"]);
  });

  test("the end of the clusters ends connections, in whatever state", () => {
    const { down } = connected();
    const connecting = w.accept();
    w.manager.close();
    w.thread.pass(100);
    expect([down.io.fate, connecting.io.fate]).toEqual(["reset", "closed"]);
  });
});

describe("through a tunnel", () => {
  const tunneling: TunnelingConfig = {
    hostname: "%DOWNSTREAM_LOCAL_PORT%.example:443",
    usesPost: false,
    postPath: "/",
    headersToAdd: [],
  };
  const HEAD = "CONNECT 10000.example:443 HTTP/1.1\r\nhost: 10000.example:443\r\n\r\n";
  const OK = "HTTP/1.1 200 OK\r\n\r\n";

  test("a tunnel that is refused at once is closed at once, whatever its longest duration", () => {
    const clusters = [{ circuitBreakers: limits({ maxPendingRequests: 0 }) }];
    const config = { tunneling, maxDownstreamConnectionDurationMs: HOUR_MS };
    w = new World({ clusters, config });
    const down = w.accept();
    w.thread.pass(100);
    expect([down.io.fate, w.logged]).toEqual(["closed", ["URX"]]);
  });

  /** Connected to the proxy, which has not answered. */
  function asking(config: Partial<TcpProxyConfig> = {}): { down: Downstream; up: UpstreamIo } {
    w = new World({ config: { tunneling, ...config } });
    return connected();
  }

  test("nothing is read before the answer, then bytes pass both ways", () => {
    const { down, up: io } = asking();
    expect(io.sent).toBe(HEAD);
    expect(down.io.readDisables).toBe(1);
    io.receive(`${OK}first`);
    expect(down.io.readDisables).toBe(0);
    expect(down.io.sent).toBe("first");
    down.send("abc");
    expect(io.sent).toBe(`${HEAD}abc`);
    down.connection.onClose();
    expect(io.end).toBe("closed");
    expect(w.logged).toEqual(["-"]);
    expect(w.infos[0]).toMatchObject({ bytesReceived: 3, bytesSent: 5 });
    expect(w.infos[0]?.upstreamBytes?.bytes.sent).toBe(HEAD.length + 3);
    expect(w.infos[0]?.upstreamBytes?.bytes.received).toBe(OK.length + 5);
  });

  test("POST frames the bytes, and its headers are the configuration's", () => {
    const action = "append_if_exists_or_add" as const;
    const header = { name: "x-a", format: "%PROTOCOL%a", action, keepEmptyValue: false };
    const post = { ...tunneling, usesPost: true, postPath: "/in", headersToAdd: [header] };
    const { down, up: io } = asking({ tunneling: post });
    const head =
      "POST /in HTTP/1.1\r\nhost: 10000.example:443\r\nx-a: a\r\ntransfer-encoding: chunked\r\n\r\n";
    expect(io.sent).toBe(head);
    io.receive("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n");
    down.send("abc");
    expect(io.sent).toBe(`${head}3\r\nabc\r\n`);
    expect(down.io.sent).toBe("hi");
    io.receive("0\r\n\r\n");
    expect([down.io.fate, io.end]).toEqual(["closed", "closed"]);
  });

  test.each([
    ["fin", "closed"],
    ["break", "closed"],
  ] as const)("the proxy's %s ends the client, who gets what came", (what, fate) => {
    const { down, up: io } = asking();
    io.receive(`${OK}last`);
    if (what === "fin") io.fin();
    else io.die("ECONNRESET");
    expect(down.io.sent).toBe("last");
    expect(down.io.fate).toBe(fate);
    expect(w.logged).toEqual(["-"]);
  });

  test("the client's FIN ends the tunnel when all bytes have left", () => {
    const { down, up: io } = asking();
    io.receive(OK);
    io.isFlowing = false;
    down.send("abc");
    down.connection.onEnd();
    expect([down.io.fate, io.end]).toEqual(["open", "open"]);
    io.drainWrites();
    expect([down.io.fate, io.end]).toEqual(["closed", "closed"]);
  });

  test("another answer is a failed attempt, with its status as the reason", () => {
    const { down, up: io } = asking({ maxConnectAttempts: 2 });
    io.receive("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
    expect(io.end).toBe("closed");
    const second = w.upstream(1);
    second.connect();
    second.receive(OK);
    down.send("x");
    expect(second.sent).toBe(`${HEAD}x`);
    down.connection.onClose();
    expect(w.logged).toEqual(["UF"]);
    expect(w.infos[0]?.upstreamTransportFailureReason).toBe("tunnel_response:403");
    expect(w.infos[0]?.attemptCount).toBe(2);
  });

  test.each(["HTTP/1.1 500 No\r\n\r\n", "nonsense\r\n\r\n", ""])(
    "%j ends the last attempt",
    (answer) => {
      const { down, up: io } = asking();
      if (answer === "") io.fin();
      else io.receive(answer);
      w.thread.pass(100);
      expect(down.io.fate).toBe("closed");
      expect(w.logged).toEqual(["UF,URX"]);
    },
  );

  test("a proxy that does not answer is waited for as long as idle_timeout says", () => {
    const { down, up: io } = asking({ idleTimeoutMs: 500 });
    w.thread.pass(1000);
    expect(down.io.fate).toBe("closed");
    expect(io.end).toBe("closed");
    expect(w.logged).toEqual(["UF"]);
    expect(w.stat("tcp.t.idle_timeout")).toBe(1);
  });

  test("a client that leaves takes the question back", () => {
    const { down, up: io } = asking();
    down.connection.onClose();
    expect(io.end).toBe("closed");
    w = new World({ config: { tunneling } });
    const waiting = w.accept();
    waiting.connection.onClose();
    expect(w.logged).toEqual(["-"]);
    w.upstream().connect();
    expect(w.upstream().sent).toBe("");
  });

  test("a slow side holds the other one up", () => {
    const { down, up: io } = asking();
    io.receive(OK);
    io.isFlowing = false;
    down.send("abc");
    expect(down.io.readDisables).toBe(1);
    io.drainWrites();
    expect(down.io.readDisables).toBe(0);
    down.io.isFast = false;
    io.receive("x");
    expect(io.readDisables).toBe(1);
    down.connection.onWritable();
    expect(io.readDisables).toBe(0);
    down.connection.onClose();
  });
});

describe("lines of the access log besides the last", () => {
  test("at the start, when connected, and again and again", () => {
    const logMoments = { atStart: true, whenConnected: true, everyMs: 1000 };
    w = new World({ config: { logMoments } });
    const { down, up: io } = connected();
    expect(w.types).toEqual(["TcpConnectionStart", "TcpUpstreamConnected"]);
    io.receive("abc");
    w.thread.pass(2100);
    down.connection.onClose();
    w.thread.pass(2000);
    expect(w.types.slice(2)).toEqual(["TcpPeriodic", "TcpPeriodic", "TcpConnectionEnd"]);
  });
});

test("the jitter makes a connection live longer by chance", () => {
  const jitter = { maxDownstreamConnectionDurationJitter: 0.5 };
  w = new World({ config: { maxDownstreamConnectionDurationMs: 10_000, ...jitter } });
  const downs = Array.from({ length: 20 }, () => w.accept());
  for (let i = 0; i < downs.length; i += 1) w.upstream(i).connect();
  const openAfter = (ms: number): number => {
    w.thread.pass(ms);
    return downs.filter((down) => down.io.fate === "open").length;
  };
  expect(openAfter(9900)).toBe(20);
  const left = openAfter(2600);
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(20);
  expect(openAfter(2700)).toBe(0);
});

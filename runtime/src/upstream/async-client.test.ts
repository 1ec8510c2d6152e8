import { describe, expect, test } from "vitest";
import { HeaderMap } from "../core/header-map.ts";
import { FilterHeadersStatus } from "../filter/filter-status.ts";
import { type FilterScript, ScriptedFilter } from "../filter/testing.ts";
import { AsyncClient, type AsyncCall, type AsyncCallbacks, AsyncFailure } from "./async-client.ts";
import { ClusterManager } from "./cluster-manager.ts";
import { clusterConfig, FakeThread, hostConfig, limits, membership } from "./upstream-for-test.ts";

const RESET = "upstream connect error or disconnect/reset before headers. reset reason: ";
const TOO_LARGE = "http.async-client.rs_too_large";

class World extends FakeThread implements AsyncCallbacks {
  readonly manager: ClusterManager;
  readonly client: AsyncClient;
  readonly answers: string[] = [];

  constructor(overrides: Parameters<typeof clusterConfig>[0] = {}, hosts = [hostConfig(80)]) {
    super();
    this.manager = new ClusterManager(this.context);
    const prepared = this.manager.prepare([clusterConfig(overrides)], [membership("up", hosts)]);
    this.manager.commit(prepared);
    this.client = new AsyncClient(this.manager, this.context, 10);
  }
  onSuccess(headers: HeaderMap, body: Buffer, trailers: HeaderMap | null): void {
    const sum = trailers === null ? "" : ` ${trailers.get("sum")}`;
    this.answers.push(`${headers.status} ${body.toString("latin1")}${sum}`);
  }
  onFailure(failure: AsyncFailure, message: string): void {
    this.answers.push(`failure ${failure} ${message}`);
  }
  up(name: string): number {
    return this.counter(`cluster.up.upstream_${name}`);
  }
  send(body: string | null = null, cluster = "up"): AsyncCall {
    const headers = new HeaderMap();
    headers.method = body === null ? "GET" : "POST";
    headers.path = "/auth";
    headers.authority = "up";
    const bytes = body === null ? null : Buffer.from(body, "latin1");
    return this.client.send(cluster, headers, bytes, null, 1000, this);
  }
}

function expectEmpty(world: World): void {
  world.manager.close();
  expect(world.openGauges()).toEqual([]);
  expect(world.timers.size).toBe(0);
}

test("sends a request with a body and answers with the whole response", () => {
  const world = new World();
  world.send("hello");
  world.engine.io(0).connect();
  expect(world.engine.io(0).sent).toContain("POST /auth HTTP/1.1\r\nhost: up\r\n");
  expect(world.engine.io(0).sent).toContain("hello");
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
  world.engine.io(0).receive("cd");
  expect(world.answers).toEqual(["200 abcd"]);
  expect(world.counter("cluster.up.internal.upstream_rq_200")).toBe(1);
  expect(world.counter("@host.up|127.0.0.1:80|rq_success")).toBe(1);
  expectEmpty(world);
});

test("an empty answer, trailers, and informational ones before", () => {
  const world = new World();
  world.send();
  world.engine.io(0).connect();
  world.engine.io(0).receive("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n");
  world.engine.io(0).receive("HTTP/1.1 500 Bad\r\ncontent-length: 0\r\n\r\n");
  expect(world.answers).toEqual(["500 "]);
  expect(world.counter("@host.up|127.0.0.1:80|rq_error")).toBe(1);
  world.send();
  world.engine
    .io(0)
    .receive("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nsum: 7\r\n\r\n");
  expect(world.answers[1]).toBe("200 x 7");
  expectEmpty(world);
});

test("failures: no cluster, no host, overflow, refused, reset, garbage", () => {
  const world = new World();
  world.send(null, "nope");
  expect(world.answers.pop()).toBe("failure 0 unknown cluster 'nope'");
  world.send();
  world.engine.io(0).refuse();
  expect(world.answers.pop()).toBe(`failure 3 ${RESET}remote connection failure`);
  world.send();
  world.engine.io(1).connect();
  world.engine.io(1).fin();
  expect(world.answers.pop()).toBe(`failure 4 ${RESET}connection termination`);
  world.send();
  world.engine.io(2).connect();
  world.engine.io(2).receive("nonsense\r\n\r\n");
  expect(world.answers.pop()).toBe(`failure 7 ${RESET}protocol error`);
  expect(world.counter("cluster.up.upstream_rq_502")).toBe(1);
  expectEmpty(world);
  const empty = new World({}, []);
  empty.send();
  expect(empty.answers).toEqual(["failure 1 no healthy upstream"]);
  const full = new World({ circuitBreakers: limits({ maxPendingRequests: 0 }) });
  full.send();
  expect(full.answers).toEqual([`failure 2 ${RESET}overflow`]);
});

test("gives up after the timeout, while connecting and while waiting for the end", () => {
  const world = new World();
  world.send();
  world.pass(1100);
  expect(world.answers).toEqual(["failure 5 upstream request timeout"]);
  world.engine.io(0).connect();
  world.send();
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
  world.pass(1100);
  expect(world.answers[1]).toBe("failure 8 upstream request timeout");
  expect(world.counter("cluster.up.upstream_rq_timeout")).toBe(2);
  expect(world.engine.io(0).end).toBe("closed");
  expectEmpty(world);
});

test("refuses an answer that is longer than the limit", () => {
  const world = new World();
  world.send();
  world.engine.io(0).connect();
  world.engine.io(0).receive("HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n0123456789");
  expect(world.answers).toEqual([]);
  expect(world.counter(TOO_LARGE)).toBe(0);
  world.engine.io(0).receive("A");
  expect(world.answers).toEqual(["failure 6 response body is too large"]);
  expect(world.counter(TOO_LARGE)).toBe(1);
  expectEmpty(world);
});

test("a cancelled call says nothing more", () => {
  const world = new World();
  const waiting = world.send();
  waiting.cancel();
  waiting.cancel();
  world.engine.io(0).connect();
  const sending = world.send();
  sending.cancel();
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.answers).toEqual([]);
  expectEmpty(world);
});

describe("a call to a cluster with filters", () => {
  const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

  /** A world whose cluster has this filter; what it is asked is noted in `events`. */
  function filtered(script: FilterScript): {
    readonly world: World;
    readonly events: string[];
    readonly filter: () => ScriptedFilter;
  } {
    const world = new World();
    const events: string[] = [];
    const made: ScriptedFilter[] = [];
    const createFilters = (): ScriptedFilter[] => {
      const filter = new ScriptedFilter("a", script, events);
      made.push(filter);
      return [filter];
    };
    const cluster = world.manager.getCluster("up");
    if (cluster !== undefined) cluster.filters = { createFilters };
    return { world, events, filter: () => made.at(-1) as ScriptedFilter };
  }

  test("passes them both ways, before its connection is there and afterwards", () => {
    const { world, events } = filtered({
      decodeHeaders: (_filter, headers) => {
        headers.append("x-c", "1");
        return FilterHeadersStatus.Continue;
      },
    });
    for (const at of [0, 1]) {
      world.send("hello");
      if (at === 0) world.engine.io(0).connect();
      expect(world.engine.io(0).sent.split("x-c: 1").length - 1).toBe(at + 1);
      expect(world.engine.io(0).sent).toMatch(/hello\r\n0\r\n\r\n$/);
      world.engine.io(0).receive(answer);
      expect(events.splice(0)).toEqual([
        "a.dh",
        "a.dd(hello).",
        "a.eh",
        "a.ed(ok)",
        "a.ed().",
        "a.destroy",
      ]);
    }
    expect(world.answers).toEqual(["200 ok", "200 ok"]);
    expect(world.up("rq_200")).toBe(2);
    expectEmpty(world);
  });

  test("waits for one that holds it, and goes on; held answers do not hold the connection", () => {
    const hold = FilterHeadersStatus.StopAllIterationAndBuffer;
    const { world, filter } = filtered({ decodeHeaders: hold, encodeHeaders: hold });
    world.send("hello");
    world.engine.io(0).connect();
    expect(world.engine.io(0).sent).toBe("");
    filter().callbacks.continueDecoding(0);
    expect(world.engine.io(0).sent).toMatch(/hello\r\n0\r\n\r\n$/);
    world.engine.io(0).receive(answer);
    expect(world.answers).toEqual([]);
    expect(world.gauge("cluster.up.upstream_rq_active")).toBe(0);
    filter().callbacks.continueEncoding(0);
    expect(world.answers).toEqual(["200 ok"]);
    expectEmpty(world);
  });

  test("is answered by one that replies, and nobody is charged", () => {
    const { world, events } = filtered({
      decodeHeaders: (filter) => {
        filter.callbacks.sendLocalReply({
          status: 403,
          body: "no",
          headers: ["x-why", "guest"],
          grpcStatus: -1,
          details: "guarded",
          responseFlags: 0,
        });
        return FilterHeadersStatus.StopIteration;
      },
    });
    world.send();
    expect(world.answers).toEqual(["403 no"]);
    expect(events).toEqual(["a.dh.", "a.destroy"]);
    expect(world.up("rq_403")).toBe(0);
    expect(world.up("rq_cancelled")).toBe(1);
    expectEmpty(world);
  });

  test("fails when one breaks it off, or when time is up while it waits", () => {
    const broken = filtered({});
    broken.world.send();
    broken.filter().callbacks.resetStream("enough");
    expect(broken.world.answers).toEqual([`failure ${AsyncFailure.Interrupted} `]);
    expectEmpty(broken.world);
    const hold = FilterHeadersStatus.StopAllIterationAndBuffer;
    const late = filtered({ encodeHeaders: hold });
    late.world.send();
    late.world.engine.io(0).connect();
    late.world.engine.io(0).receive(answer);
    late.world.pass(1000);
    expect(late.world.answers).toEqual([
      `failure ${AsyncFailure.Timeout} upstream request timeout`,
    ]);
    expect(late.events.at(-1)).toBe("a.destroy");
    expectEmpty(late.world);
  });

  test("that nobody can take, or that is given up, has filters that are told", () => {
    const { world, events } = filtered({});
    world.send();
    world.engine.io(0).refuse();
    expect(events.splice(0)).toEqual(["a.dh.", "a.destroy"]);
    world.send().cancel();
    expect(events).toEqual(["a.dh.", "a.destroy"]);
    expectEmpty(world);
  });
});

import { expect, test } from "vitest";
import { HeaderMap } from "../core/header-map.ts";
import { AsyncClient, type AsyncCall, type AsyncCallbacks, AsyncFailure } from "./async-client.ts";
import { ClusterManager } from "./cluster-manager.ts";
import { clusterConfig, FakeThread, hostConfig, limits, membership } from "./upstream-for-test.ts";

const RESET = "upstream connect error or disconnect/reset before headers. reset reason: ";

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
  world.engine.io(0).receive("A");
  expect(world.answers).toEqual(["failure 6 response body is too large"]);
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

// Messages in bytes, and how a gRPC stream over an upstream ends.
import { describe, expect, test } from "vitest";
import type { HeaderMap } from "../core/header-map.ts";
import { ClusterManager } from "./cluster-manager.ts";
import { grpcFrame, GrpcFrameReader, grpcMessageBytesMax } from "./grpc-frames.ts";
import {
  FilterDataStatus as Data,
  FilterHeadersStatus as Headers,
  FilterTrailersStatus as Trailers,
} from "../filter/filter-status.ts";
import { type FilterScript, ScriptedFilter } from "../filter/testing.ts";
import { type GrpcCallbacks, GrpcStream } from "./grpc-stream.ts";
import { clusterConfig, FakeThread, hostConfig, membership } from "./upstream-for-test.ts";

class World extends FakeThread implements GrpcCallbacks {
  readonly manager: ClusterManager;
  readonly events: string[] = [];

  constructor(hosts = [hostConfig(80)]) {
    super();
    this.manager = new ClusterManager(this.context);
    this.manager.commit(this.manager.prepare([clusterConfig()], [membership("up", hosts)]));
  }
  onInitialMetadata(metadata: HeaderMap | null): void {
    this.events.push(`initial ${metadata?.get("x-i") ?? "-"}`);
  }
  onMessage(message: Buffer): void {
    this.events.push(`message ${message.toString()}`);
  }
  onTrailingMetadata(metadata: HeaderMap | null): void {
    this.events.push(`trailing ${metadata?.get("grpc-status") ?? "-"}`);
  }
  onClose(status: number, message: string): void {
    this.events.push(`close ${status} ${message}`);
  }
  start(timeoutMs = 0, cluster = "up"): GrpcStream {
    const request = { path: "/a.B/C", metadata: ["x-m", "1"], timeoutMs };
    const stream = new GrpcStream(this.context, request, this);
    stream.start(this.manager.getCluster(cluster));
    return stream;
  }
  answer(text: string): void {
    this.engine.io(this.engine.ios.length - 1).receive(text);
  }
}

const HEAD = "HTTP/1.1 200 OK\r\nx-i: 7\r\ntransfer-encoding: chunked\r\n\r\n";
const frame = (text: string): string => grpcFrame(Buffer.from(text)).toString("latin1");
const chunk = (bytes: string): string => `${bytes.length.toString(16)}\r\n${bytes}\r\n`;

test("messages are found however the bytes are cut", () => {
  const bytes = Buffer.concat(["one", "", "three"].map((text) => grpcFrame(Buffer.from(text))));
  for (let cut = 0; cut <= bytes.length; cut += 1) {
    const messages: string[] = [];
    const reader = new GrpcFrameReader({ onMessage: (m) => void messages.push(m.toString()) });
    expect(reader.read(bytes, 0, cut)).toBe(true);
    expect(reader.read(bytes, cut, bytes.length)).toBe(true);
    expect(messages).toEqual(["one", "", "three"]);
    expect(reader.isBetween).toBe(true);
  }
});

test("compressed messages, and those beyond 16 MiB, are refused", () => {
  const reader = (): GrpcFrameReader => new GrpcFrameReader({ onMessage: () => {} });
  expect(reader().read(Buffer.from([1, 0, 0, 0, 1]), 0, 5)).toBe(false);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(grpcMessageBytesMax + 1, 1);
  expect(reader().read(head, 0, 5)).toBe(false);
  head.writeUInt32BE(grpcMessageBytesMax, 1);
  expect(reader().read(head, 0, 5)).toBe(true);
});

test("sends before and after the connection, and gets metadata, messages and the status", () => {
  const world = new World();
  const stream = world.start(1000);
  stream.send(Buffer.from("one"), false);
  expect(stream.bufferedBytes).toBe(8);
  world.engine.io(0).connect();
  stream.send(Buffer.from("two"), true);
  stream.send(Buffer.from("never"), true);
  const { sent } = world.engine.io(0);
  expect(sent).toContain("POST /a.B/C HTTP/1.1\r\nhost: up\r\nte: trailers\r\n");
  expect(sent).toContain("grpc-timeout: 1000m\r\ncontent-type: application/grpc\r\nx-m: 1\r\n");
  expect(sent).toContain(`${frame("one")}`);
  expect(sent).not.toContain("never");
  world.answer(HEAD + chunk(frame("hello")));
  world.answer(`${chunk(frame("again"))}0\r\ngrpc-status: 5\r\ngrpc-message: gone\r\n\r\n`);
  expect(world.events).toEqual([
    "initial 7",
    "message hello",
    "message again",
    "trailing 5",
    "close 5 gone{via_upstream}",
  ]);
  world.manager.close();
  expect(world.openGauges()).toEqual([]);
  expect(world.timers.size).toBe(0);
});

test("what is no gRPC has the status that gRPC gives it", () => {
  const ends: [string, string][] = [
    ["HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "close 12 via_upstream"],
    ["HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno", "close 14 via_upstream"],
    ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "close 13 via_upstream"],
    ["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", "close 2 via_upstream"],
    ["HTTP/1.1 200 OK\r\ngrpc-status: 7\r\ncontent-length: 0\r\n\r\n", "close 7 via_upstream"],
    [`${HEAD}0\r\n\r\n`, "close 2 via_upstream"],
    [`${HEAD}0\r\ngrpc-status: 99\r\n\r\n`, "close 2 via_upstream"],
  ];
  for (const [text, end] of ends) {
    const world = new World();
    world.start().closeLocal();
    world.engine.io(0).connect();
    world.answer(text);
    expect(world.events.at(-1)).toBe(end);
    expect(world.events.filter((event) => event.startsWith("close")).length).toBe(1);
  }
});

test("success of a host is what the status of gRPC says, not the head of the answer", () => {
  const whole = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n";
  const ends: [string, number, number][] = [
    [`${whole}grpc-status: 0\r\n\r\n`, 1, 0],
    [`${whole}grpc-status: 5\r\n\r\n`, 1, 0],
    [`${whole}grpc-status: 13\r\n\r\n`, 0, 1],
    [`${whole}\r\n`, 0, 1],
    ["HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n", 0, 1],
    [`${HEAD}${chunk(frame("m"))}`, 0, 0],
    [`${HEAD}${chunk(frame("m"))}0\r\ngrpc-status: 0\r\n\r\n`, 1, 0],
    [`${HEAD}${chunk(frame("m"))}0\r\ngrpc-status: 13\r\n\r\n`, 0, 1],
    [`${HEAD}0\r\n\r\n`, 0, 1],
  ];
  const counters = (world: World): number[] =>
    ["rq_success", "rq_error"].map((name) => world.counter(`@host.up|127.0.0.1:80|${name}`));
  for (const [text, good, bad] of ends) {
    const world = new World();
    world.start().closeLocal();
    world.engine.io(0).connect();
    world.answer(text);
    expect([text, ...counters(world)]).toEqual([text, good, bad]);
  }
  const reset = new World();
  reset.start().closeLocal();
  reset.engine.io(0).connect();
  reset.answer(HEAD);
  reset.engine.io(0).die("ECONNRESET");
  expect(counters(reset)).toEqual([0, 1]);
  expect(reset.counter("http.async-client.rq_reset_after_downstream_response_started")).toBe(1);
  const slow = new World();
  slow.start(500).closeLocal();
  slow.engine.io(0).connect();
  slow.answer(HEAD);
  slow.pass(600);
  expect(counters(slow)).toEqual([0, 0]);
});

test("failures before an answer are unavailability, told in full", () => {
  const refused = new World();
  refused.start();
  refused.engine.io(0).refuse();
  expect(refused.events.slice(0, 2)).toEqual(["initial -", "trailing 14"]);
  expect(refused.events[2]).toContain("reset reason: remote connection failure{upstream_reset_");
  const slow = new World();
  slow.start(500);
  slow.engine.io(0).connect();
  slow.pass(600);
  expect(slow.events[2]).toBe("close 14 upstream request timeout{response_timeout}");
  expect(slow.counter("cluster.up.upstream_rq_timeout")).toBe(1);
  const empty = new World([]);
  empty.start();
  expect(empty.events[2]).toBe("close 14 no healthy upstream{no_healthy_upstream}");
  const unknown = new World();
  unknown.start(0, "nowhere");
  expect(unknown.events).toEqual(["close 14 Cluster not available"]);
});

test("a cancelled stream says nothing more", () => {
  const world = new World();
  const waiting = world.start();
  waiting.cancel();
  const open = world.start();
  world.engine.io(0).connect();
  open.cancel();
  open.cancel();
  expect(world.engine.io(0).end).toBe("closed");
  expect(world.events).toEqual([]);
  world.manager.close();
  expect(world.openGauges()).toEqual([]);
});

describe("filters of the cluster", () => {
  /** A world whose cluster has a filter that does this. */
  function filtered(script: FilterScript): { world: World; filter: () => ScriptedFilter } {
    const world = new World();
    let filter: ScriptedFilter | null = null;
    const createFilters = (): ScriptedFilter[] => {
      filter = new ScriptedFilter("f", script, world.events);
      return [filter];
    };
    const cluster = world.manager.getCluster("up");
    if (cluster !== undefined) cluster.filters = { createFilters };
    return { world, filter: () => filter as unknown as ScriptedFilter };
  }
  const reply = {
    status: 403,
    body: "50% no",
    headers: ["x-why", "guest"],
    grpcStatus: -1,
    details: "no way",
    responseFlags: 0,
  };
  function expectOver(world: World): void {
    expect(world.events.filter((event) => event === "f.destroy").length).toBe(1);
    world.manager.close();
    expect(world.openGauges()).toEqual([]);
    expect(world.timers.size).toBe(0);
  }

  test("see messages and metadata as they come, each way", () => {
    const { world } = filtered({});
    const stream = world.start();
    stream.send(Buffer.from("one"), false);
    expect(world.events.splice(0)).toEqual(["f.dh", `f.dd(${frame("one")})`]);
    expect(stream.bufferedBytes).toBe(8);
    world.engine.io(0).connect();
    expect(stream.bufferedBytes).toBe(0);
    stream.closeLocal();
    world.answer(HEAD + chunk(frame("hello")));
    world.answer("0\r\ngrpc-status: 0\r\n\r\n");
    expect(world.events).toEqual([
      "f.dd().",
      "f.eh",
      "initial 7",
      `f.ed(${frame("hello")})`,
      "message hello",
      "f.et",
      "f.destroy",
      "trailing 0",
      "close 0 via_upstream",
    ]);
    expectOver(world);
  });

  test("may hold what is sent, and then it counts as buffered", () => {
    const { world, filter } = filtered({ decodeHeaders: Headers.StopAllIterationAndWatermark });
    const stream = world.start();
    world.engine.io(0).connect();
    stream.send(Buffer.alloc(1000), false);
    expect(stream.bufferedBytes).toBe(1005);
    expect(world.engine.io(0).sent).toBe("");
    filter().callbacks.continueDecoding(0);
    expect(stream.bufferedBytes).toBe(0);
    expect(world.engine.io(0).sent).toContain("POST /a.B/C HTTP/1.1");
    stream.cancel();
    expectOver(world);
  });

  test("may answer: before an answer as gRPC does it, behind its head by breaking it off", () => {
    const before = filtered({
      decodeHeaders: (filter) => {
        filter.callbacks.sendLocalReply(reply);
        return Headers.StopIteration;
      },
    });
    before.world.start();
    expect(before.world.events).toEqual([
      "f.dh",
      "f.destroy",
      "initial -",
      "trailing 7",
      "close 7 50%25 no{no_way}",
    ]);
    expect(before.world.counter("cluster.up.upstream_rq_200")).toBe(0);
    expectOver(before.world);
    const behind = filtered({
      encodeTrailers: (filter) => {
        filter.callbacks.sendLocalReply({ ...reply, grpcStatus: 5 });
        return Trailers.StopIteration;
      },
    });
    behind.world.start().closeLocal();
    behind.world.engine.io(0).connect();
    behind.world.answer(`${HEAD}0\r\ngrpc-status: 0\r\n\r\n`);
    expect(behind.world.events.slice(-3)).toEqual(["f.destroy", "trailing -", "close 13 no_way"]);
    expectOver(behind.world);
  });

  test("may break it off, or hold more than may be held", () => {
    const broken = filtered({});
    broken.world.start();
    broken.filter().callbacks.resetStream("enough of it");
    expect(broken.world.events.slice(1)).toEqual([
      "f.destroy",
      "trailing -",
      "close 13 enough_of_it",
    ]);
    expectOver(broken.world);
    const greedy = filtered({ decodeData: [Data.StopIterationAndBuffer] });
    const stream = greedy.world.start();
    stream.send(Buffer.alloc(grpcMessageBytesMax), false);
    const end = "close 2 Payload Too Large{request_payload_too_large}";
    expect(greedy.world.events.at(-1)).toBe(end);
    expectOver(greedy.world);
  });

  test("are told last when the stream is abandoned, or its time is up", () => {
    const { world } = filtered({ encodeHeaders: Headers.StopAllIterationAndBuffer });
    const stream = world.start(1000);
    world.engine.io(0).connect();
    stream.abandon();
    expect(world.events).toEqual(["f.dh"]);
    stream.cancel();
    expectOver(world);
    const late = filtered({ encodeHeaders: Headers.StopAllIterationAndBuffer });
    late.world.start(1000).closeLocal();
    late.world.engine.io(0).connect();
    late.world.answer(`${HEAD}0\r\ngrpc-status: 0\r\n\r\n`);
    late.world.pass(1000);
    expect(late.world.events.at(-1)).toBe("close 14 upstream request timeout{response_timeout}");
    expectOver(late.world);
  });
});

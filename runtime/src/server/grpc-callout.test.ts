// When what a guest does to its gRPC stream is done: at once, or in the next turn.
import { describe, expect, test } from "vitest";
import type { HeaderMap } from "../core/header-map.ts";
import { ScriptedFilter } from "../filter/testing.ts";
import { ClusterManager } from "../upstream/cluster-manager.ts";
import {
  clusterConfig,
  FakeThread,
  hostConfig,
  membership,
} from "../upstream/upstream-for-test.ts";
import type { GrpcReceiver, GrpcStream } from "../wasm/callout.ts";
import { ClusterCallouts } from "./callouts.ts";

class World extends FakeThread implements GrpcReceiver {
  readonly events: string[] = [];
  readonly callouts: ClusterCallouts;
  readonly #manager: ClusterManager;
  #turns: (() => void)[] = [];

  constructor(isFiltered: boolean) {
    super();
    this.#manager = new ClusterManager(this.context);
    const members = [membership("up", [hostConfig(80)])];
    this.#manager.commit(this.#manager.prepare([clusterConfig()], members));
    this.callouts = new ClusterCallouts(this.#manager, this.context, (callback) => {
      this.#turns.push(callback);
    });
    const cluster = this.#manager.getCluster("up");
    if (!isFiltered || cluster === undefined) return;
    cluster.filters = {
      createFilters: () => [new ScriptedFilter("f", {}, this.events)],
    };
  }

  open(): GrpcStream {
    const request = { cluster: "up", path: "/a.B/C", metadata: [], timeoutMs: 0 };
    return this.callouts.grpcStream(request, this) as GrpcStream;
  }
  /** How many callbacks waited for it. */
  nextTurn(): number {
    const due = this.#turns;
    this.#turns = [];
    for (const callback of due) callback();
    return due.length;
  }
  close(): void {
    this.#manager.close();
  }

  onInitialMetadata(_metadata: HeaderMap | null): void {
    this.events.push("initial");
  }
  onMessage(message: Buffer): void {
    this.events.push(`message ${message.toString()}`);
  }
  onTrailingMetadata(_metadata: HeaderMap | null): void {
    this.events.push("trailing");
  }
  onClose(status: number): void {
    this.events.push(`close ${status}`);
  }
}

function expectEmpty(world: World): void {
  world.close();
  expect(world.openGauges()).toEqual([]);
}

test("of a cluster without filters: at once", () => {
  const world = new World(false);
  const stream = world.open();
  world.engine.io(0).connect();
  stream.send(Buffer.from("one"), true);
  expect(world.engine.io(0).sent).toContain("one");
  stream.cancel();
  expect(world.nextTurn()).toBe(0);
  expectEmpty(world);
});

describe("of a cluster with filters: not before the next turn", () => {
  test("what is sent, in its order, and counted until then", () => {
    const world = new World(true);
    const stream = world.open();
    stream.send(Buffer.from("one"), false);
    expect(stream.bufferedBytes).toBe(3);
    expect(world.events).toEqual([]);
    world.nextTurn();
    expect(world.events.map((event) => event.slice(0, 4))).toEqual(["f.dh", "f.dd"]);
    world.engine.io(0).connect();
    stream.send(Buffer.from("two"), false);
    stream.send(Buffer.from("three"), false);
    stream.closeLocal();
    expect(world.engine.io(0).sent).not.toContain("two");
    expect(stream.bufferedBytes).toBe(8);
    expect(world.nextTurn()).toBe(1);
    expect(world.engine.io(0).sent).toMatch(/two[^]*three[^]*0\r\n\r\n$/);
    expect(stream.bufferedBytes).toBe(0);
    stream.cancel();
    world.nextTurn();
    expectEmpty(world);
  });

  test("its end for the filters; the upstream sees it at once, the guest nothing", () => {
    const world = new World(true);
    const stream = world.open();
    world.nextTurn();
    world.engine.io(0).connect();
    stream.send(Buffer.from("never"), false);
    stream.cancel();
    expect(world.engine.io(0).end).toBe("closed");
    expect(world.events).toEqual(["f.dh"]);
    world.nextTurn();
    expect(world.events).toEqual(["f.dh", "f.destroy"]);
    expect(world.engine.io(0).sent).not.toContain("never");
    expectEmpty(world);
  });

  test("nothing at all of one that is cancelled before", () => {
    const world = new World(true);
    world.open().cancel();
    world.nextTurn();
    expect(world.events).toEqual([]);
    expect(world.engine.ios).toEqual([]);
    expectEmpty(world);
  });

  test("a failure, which is then a callback", () => {
    const world = new World(true);
    world.open();
    world.nextTurn();
    world.engine.io(0).refuse();
    expect(world.events).toEqual(["f.dh", "f.destroy", "initial", "trailing", "close 14"]);
    expectEmpty(world);
  });
});

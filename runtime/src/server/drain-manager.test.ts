import { expect, test } from "vitest";
import { FakeTime } from "../../test/fake-time.ts";
import type { ListenerConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import { SeededRandom } from "../core/random.ts";
import { DrainManager } from "./drain-manager.ts";
import type { DrainOptions, ListenerDrain } from "./drain-manager.ts";

class World {
  readonly time = new FakeTime();
  readonly clock = new Clock(this.time);
  readonly manager: DrainManager;

  constructor(options: Partial<DrainOptions> = {}) {
    this.manager = new DrainManager(this.clock, new SeededRandom(7), {
      drainTimeMs: 10_000,
      drainStrategy: "gradual",
      ...options,
    });
  }

  listener(more: Partial<ListenerConfig> = {}): ListenerDrain {
    const config = { trafficDirection: "unspecified", drainType: "default", ...more };
    return this.manager.createListenerDrain(config as ListenerConfig);
  }

  pass(ms: number): void {
    this.time.advance(ms, () => {});
    this.clock.update();
  }
}

/** Of a hundred answers, how many ask to leave. */
function share(drain: ListenerDrain): number {
  let count = 0;
  for (let i = 0; i < 1000; i += 1) if (drain.drainClose()) count += 1;
  return count / 10;
}

test("nobody is asked to leave before a drain", () => {
  expect(share(new World().listener())).toBe(0);
});

test("a gradual drain asks more and more clients, all in the second half of its time", () => {
  const w = new World();
  const drain = w.listener();
  w.manager.startSequence(false, 0);
  expect(share(drain)).toBe(0);
  const shares: number[] = [];
  for (let second = 1; second <= 5; second += 1) {
    w.pass(1000);
    shares.push(share(drain));
  }
  for (const [index, expected] of [20, 40, 60, 80, 100].entries()) {
    expect(Math.abs((shares[index] as number) - expected)).toBeLessThan(5);
  }
  expect(shares[4]).toBe(100);
  w.pass(60_000);
  expect(share(drain)).toBe(100);
});

test("an immediate drain asks everybody, and so does one without time", () => {
  for (const options of [{ drainStrategy: "immediate" }, { drainTimeMs: 0 }] as const) {
    const w = new World(options);
    const drain = w.listener();
    w.manager.startSequence(false, 0);
    expect(share(drain)).toBe(100);
  }
});

test("a drain that has begun goes on as it does; a new worker joins it where it is", () => {
  const w = new World();
  const drain = w.listener();
  w.manager.startSequence(false, 5000);
  w.manager.startSequence(false, 0);
  expect(share(drain)).toBe(100);
});

test("inboundonly leaves listeners of other directions alone", () => {
  const w = new World({ drainStrategy: "immediate" });
  const inbound = w.listener({ trafficDirection: "inbound" });
  const outbound = w.listener({ trafficDirection: "outbound" });
  w.manager.startSequence(true, 0);
  expect([share(inbound), share(outbound)]).toEqual([100, 0]);
  w.manager.startSequence(false, 0);
  expect(share(outbound)).toBe(100);
});

test("a failed health check drains listeners of the default type, as long as it lasts", () => {
  const w = new World();
  const byDefault = w.listener();
  const modifyOnly = w.listener({ drainType: "modify_only" });
  w.manager.isHealthcheckFailed = true;
  expect([share(byDefault), share(modifyOnly)]).toEqual([100, 0]);
  w.manager.isHealthcheckFailed = false;
  expect(share(byDefault)).toBe(0);
});

test("an update drains what it replaces, whatever the type, and nothing else", () => {
  const w = new World({ drainStrategy: "immediate" });
  const old = w.listener({ drainType: "modify_only" });
  const fresh = w.listener({ drainType: "modify_only" });
  old.own.start();
  expect([share(old), share(fresh)]).toEqual([100, 0]);
});

test("listeners that were stopped stay so, by direction", () => {
  const { manager } = new World();
  const inbound = { trafficDirection: "inbound" } as ListenerConfig;
  const other = { trafficDirection: "outbound" } as ListenerConfig;
  expect(manager.isStopped(inbound)).toBe(false);
  manager.stopListening(true);
  expect([manager.isStopped(inbound), manager.isStopped(other)]).toEqual([true, false]);
  manager.stopListening(false);
  manager.stopListening(true);
  expect([manager.isStopped(inbound), manager.isStopped(other)]).toEqual([true, true]);
});

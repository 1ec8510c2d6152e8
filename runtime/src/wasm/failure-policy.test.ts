// When a VM that failed is made anew: at once, later and later, and hardly ever in a crash loop.
import { expect, test } from "vitest";
import { FakeTime } from "../../test/fake-time.ts";
import { Clock } from "../core/clock.ts";
import { SeededRandom } from "../core/random.ts";
import { ReloadBackoff } from "./failure-policy.ts";
import { scriptedHost } from "./guest-script-for-test.ts";

test("waits for nothing after the first crash, then twice as long each time, up to its end, then the breaker opens", () => {
  const time = new FakeTime();
  const clock = new Clock(time);
  const backoff = new ReloadBackoff(clock, new SeededRandom(1), 100, 1000);
  const waits: number[] = [];
  for (let crash = 1; crash <= 11; crash += 1) {
    backoff.onMade();
    backoff.onFailure();
    waits.push(backoff.notBeforeMs - clock.nowMs);
    expect(backoff.isDue).toBe(crash === 1);
    time.advance(Math.ceil(waits.at(-1) ?? 0) + 1, () => {});
    clock.update();
    expect(backoff.isDue).toBe(true);
  }
  const bases = [0, 100, 200, 400, 800, 1000, 1000, 1000, 1000, 6000, 6000];
  for (const [at, base] of bases.entries()) {
    expect(waits[at]).toBeGreaterThanOrEqual(base);
    expect(waits[at]).toBeLessThanOrEqual(base * 1.5);
  }
  expect(backoff.isLooping).toBe(true);
  // One that lives for ten times the base was no crash.
  backoff.onMade();
  time.advance(1000, () => {});
  clock.update();
  backoff.onFailure();
  expect(backoff.isLooping).toBe(false);
  expect(backoff.isDue).toBe(true);
});

test("a VM comes back without a stream that asks for it, and so do its ticks", async () => {
  const host = await scriptedHost(["configure set_tick_period 100", "tick#3 trap"], {
    failurePolicy: "fail_reload",
  });
  const ticks = (): number => host.logs.filter(({ message }) => message === "tick(1)").length;
  host.tick(350);
  expect(ticks()).toBe(3);
  const { stats } = host;
  expect(stats.counter("wasm.filter.vm_reload_at_once").value).toBe(1);
  expect(stats.counter("wasm.filter.vm_reload_success").value).toBe(1);
  // The second one lives for 300 ms, the third one has to wait.
  host.tick(300);
  expect(ticks()).toBe(6);
  expect(stats.counter("wasm.filter.vm_reload_success").value).toBe(1);
  host.tick(1600);
  expect(ticks()).toBeGreaterThan(6);
  expect(stats.counter("wasm.filter.vm_reload_success").value).toBe(2);
  expect(stats.counter("wasm.filter.vm_reload_at_once").value).toBe(1);
  host.close();
});

test("a crash loop is told and counted, and other VMs do not notice", async () => {
  const host = await scriptedHost(["configure set_tick_period 1", "tick trap"], {
    failurePolicy: "fail_reload",
  });
  const other = await scriptedHost([], { name: "other" });
  host.tick(120_000);
  expect(host.stats.counter("wasm.filter.vm_crash_loop").value).toBeGreaterThan(0);
  expect(
    host.logs.some(({ message }) => /crashes again and again: next try in \d+ s/.test(message)),
  ).toBe(true);
  // Some ten tries at first, then one in a minute.
  expect(host.stats.counter("wasm.envoy.wasm.runtime.v8.created").value).toBeLessThan(15);
  expect(other.request().status).toBe(200);
  host.close();
  other.close();
});

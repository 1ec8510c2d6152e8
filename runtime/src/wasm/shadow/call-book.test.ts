import { Status } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { FakeTime } from "../../../test/fake-time.ts";
import { Clock } from "../../core/clock.ts";
import { HeaderMap } from "../../core/header-map.ts";
import { TimerWheel } from "../../core/timer-wheel.ts";
import type { HttpCall, HttpCallReceiver } from "../callout.ts";
import { CallBook, CALLS_MAX, CallText } from "./call-book.ts";

class Answers implements HttpCallReceiver {
  readonly got: string[] = [];
  onResponse(headers: HeaderMap, body: Buffer): void {
    this.got.push(`${headers.status} ${body.toString()}`);
  }
  onReset(): void {
    this.got.push("reset");
  }
}

class World {
  readonly book: CallBook = new CallBook();
  readonly answers: Answers = new Answers();
  readonly time: FakeTime = new FakeTime();
  readonly #clock: Clock = new Clock(this.time);
  readonly #timers: TimerWheel = new TimerWheel(
    this.#clock,
    (turn) => {
      this.#clock.update();
      turn();
    },
    this.time,
  );

  text(body: string): CallText {
    const headers = new HeaderMap();
    headers.path = "/call";
    return new CallText({
      cluster: "up",
      headers,
      body: Buffer.from(body),
      trailers: null,
      timeoutMs: 0,
    });
  }

  tried(body: string): HttpCall | Status {
    return this.book.onShadow(this.text(body), this.answers, this.#timers, this.#clock.nowMs);
  }
}

function answer(text: string): { headers: HeaderMap; body: Buffer; trailers: null } {
  const headers = new HeaderMap();
  headers.status = 200;
  return { headers, body: Buffer.from(text), trailers: null };
}

test("equal calls are answered in their order, whoever made his first", () => {
  const world = new World();
  const { book, answers } = world;
  const [first, second] = [
    book.onServed(world.text("a"), 4, null),
    book.onServed(world.text("a"), 8, null),
  ];
  world.tried("a");
  second?.take(answer("two"));
  world.tried("a");
  expect(answers.got).toEqual([]);
  // It was there before the shadow has asked: not from within its call.
  world.time.advance(10, () => {});
  expect(answers.got).toEqual(["200 two"]);
  first?.take(answer("one"));
  world.tried("b");
  book.onServed(world.text("b"), 12, null).take(answer("three"));
  expect(answers.got).toEqual(["200 two", "200 one", "200 three"]);
  book.onServed(world.text("c"), 16, null).refuse(Status.BadArgument);
  expect(world.tried("c")).toBe(Status.BadArgument);
  expect(book.unmatched()).toEqual({ served: [], shadow: [] });
});

test("calls of one only are told, and the shadow's are reset when the stream is over", () => {
  const world = new World();
  world.book.onServed(world.text("mine"), 4, null);
  world.tried("other");
  const gone = world.tried("cancelled") as HttpCall;
  gone.cancel();
  const { served, shadow } = world.book.unmatched();
  expect([served.length, shadow.length]).toEqual([1, 2]);
  expect(served[0]).toBe("up: null null/call, 4 bytes\n:path: /call");
  world.book.close();
  expect(world.answers.got).toEqual(["reset"]);
});

test("of more calls than are remembered nothing is said", () => {
  const world = new World();
  for (let i = 0; i <= CALLS_MAX; i += 1) world.tried(`call ${i}`);
  expect(world.book.isCut).toBe(true);
  world.time.advance(10, () => {});
  expect(world.answers.got).toEqual(["reset"]);
  const large = new World();
  large.book.onServed(large.text("a"), 4, null).take(answer("x".repeat(70_000)));
  expect(large.book.isCut).toBe(true);
  large.tried("a");
  large.time.advance(10, () => {});
  expect(large.answers.got).toEqual(["reset"]);
});

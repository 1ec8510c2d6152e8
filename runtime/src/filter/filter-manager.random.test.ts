import { expect, test } from "vitest";
import { HeaderMap } from "../core/header-map.ts";
import { SeededRandom } from "../core/random.ts";
import {
  FilterDataStatus as D,
  FilterHeadersStatus as H,
  FilterTrailersStatus as T,
} from "./filter-status.ts";
import { ChainHarness, type FilterScript, rewrite } from "./testing.ts";

const HEADERS = [
  H.Continue,
  H.StopIteration,
  H.StopAllIterationAndBuffer,
  H.StopAllIterationAndWatermark,
];
const DATA = [D.Continue, D.Continue, D.StopIterationAndBuffer, D.StopIterationAndWatermark];
const TRAILERS = [T.Continue, T.StopIteration];

class Dice {
  readonly #random: SeededRandom;
  constructor(seed: number) {
    this.#random = new SeededRandom(seed * 7919 + 1);
    for (let i = 0; i < 8; i += 1) this.#random.u32();
  }
  below(count: number): number {
    return (this.#random.u32() >>> 8) % count;
  }
  pick<V>(values: readonly V[]): V {
    return values[this.below(values.length)] as V;
  }
}

/** Answers at random and sometimes asks to continue before it stops. */
function randomScript(dice: Dice, isDecode: boolean): FilterScript {
  const headers: FilterScript["decodeHeaders"] = (filter) => {
    if (dice.below(6) === 0) go(filter.position);
    return dice.pick(HEADERS);
    function go(position: number): void {
      if (isDecode) filter.callbacks.continueDecoding(position);
      else filter.callbacks.continueEncoding(position);
    }
  };
  const data: NonNullable<FilterScript["decodeData"]> = [
    (_filter, bytes) => {
      if (dice.below(3) === 0) rewrite(bytes);
      return dice.pick(DATA);
    },
  ];
  const trailers: FilterScript["decodeTrailers"] = () => dice.pick(TRAILERS);
  const wants = 9 | (dice.below(4) > 0 ? 18 : 0) | (dice.below(4) > 0 ? 36 : 0);
  return isDecode
    ? { wants, decodeHeaders: headers, decodeData: data, decodeTrailers: trailers }
    : { wants, encodeHeaders: headers, encodeData: data, encodeTrailers: trailers };
}

/** One message through random filters; every stopped filter goes on at some time. */
function run(seed: number, isDecode: boolean): void {
  const dice = new Dice(seed);
  const count = 1 + dice.below(4);
  const scripts = Array.from({ length: count }, () => randomScript(dice, isDecode));
  const chain = new ChainHarness(scripts, dice.pick([0, 3]) * 1000);
  const hasTrailers = dice.below(2) === 0;
  const pieces = dice.below(5);
  const nudge = (): void => {
    if (dice.below(3) !== 0) return;
    const at = dice.below(count);
    if (isDecode) chain.manager.continueDecoding(at);
    else chain.manager.continueEncoding(at);
  };
  const headersEnd = pieces === 0 && !hasTrailers;
  if (isDecode) chain.decodeHeaders(headersEnd);
  else chain.encodeHeaders(headersEnd);
  let sent = "";
  for (let i = 0; i < pieces; i += 1) {
    nudge();
    const piece = `${i}${"abc".slice(0, dice.below(4))},`;
    const end = i === pieces - 1 && !hasTrailers;
    sent += piece;
    if (isDecode) chain.decodeData(piece, end);
    else chain.encodeData(piece, end);
  }
  nudge();
  if (hasTrailers) {
    if (isDecode) chain.manager.decodeTrailers(new HeaderMap());
    else chain.manager.encodeTrailers(new HeaderMap());
  }
  for (let round = 0; round < 200; round += 1) {
    const at = dice.below(count);
    if (isDecode) chain.manager.continueDecoding(at);
    else chain.manager.continueEncoding(at);
  }
  check(chain, sent, hasTrailers, isDecode);
}

function check(chain: ChainHarness, sent: string, hasTrailers: boolean, isDecode: boolean): void {
  const side = isDecode ? ">" : "<";
  const out = chain.events.filter((event) => event.startsWith(side) && !/stop|go/.test(event));
  // No byte lost or doubled, in order; headers first; exactly one end, and it is the last event.
  expect(isDecode ? chain.requestOut : chain.responseOut).toBe(sent);
  expect(out[0]).toMatch(/^.h/);
  expect(out.filter((event) => /^.h/.test(event)).length).toBe(1);
  const ends = out.filter((event) => event.endsWith(".") || event === `${side}t`);
  expect(ends).toEqual([out.at(-1)]);
  expect(out.at(-1) === `${side}t`).toBe(hasTrailers);
  // Each filter that wants the body sees all of it once, in order, and headers before it.
  for (const name of ["A", "B", "C", "D"].slice(0, chain.filters.length)) {
    const mine = chain.events.filter((event) => event.startsWith(`${name}.`));
    expect(mine[0]).toMatch(/\.[de]h/);
    const body = mine.map((event) => /\.[de]d\((.*)\)/.exec(event)?.[1] ?? "").join("");
    const wantsData = ((chain.filters[name.charCodeAt(0) - 65]?.wants ?? 0) & 18) !== 0;
    if (wantsData) expect(body).toBe(sent);
  }
  // What stopped the source started it again.
  const stops = chain.events.filter((event) => event === `${side}stop`).length;
  expect(chain.events.filter((event) => event === `${side}go`).length).toBe(stops);
}

test("random chains lose, double and reorder nothing", () => {
  for (let seed = 1; seed <= 3000; seed += 1) {
    expect(() => run(seed, true)).not.toThrow();
    expect(() => run(seed, false)).not.toThrow();
  }
});

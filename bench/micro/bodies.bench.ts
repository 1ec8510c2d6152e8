// What it costs to read a body in a guest and to write it back, in whole requests: collected until its
// end, or piece by piece. The guest is filter/body.wat, which does nothing else.
import { buildByHand } from "../filter/build.ts";
import type { MicroBench } from "./runner.ts";
import { type BodySizes, wholeRequests } from "./whole-request.ts";

const module = buildByHand("body");
const KIB = 1024;
const SIZES: readonly (readonly [string, number])[] = [
  ["100 bytes", 100],
  ["3 KiB", 3 * KIB],
  ["64 KiB", 64 * KIB],
  ["1 MiB", KIB * KIB],
];

async function benchesOf(name: string, sizes: BodySizes): Promise<MicroBench[]> {
  const wasm = { kind: "wasm", count: 1 } as const;
  const pieces = { ...wasm, configurations: ["pieces"] };
  return [
    { name: `${name}, router only`, run: await wholeRequests({ kind: "none" }, module, sizes) },
    { name: `${name}, collected`, run: await wholeRequests(wasm, module, sizes) },
    { name: `${name}, in pieces`, run: await wholeRequests(pieces, module, sizes) },
  ];
}

const all: MicroBench[] = [];
for (const [words, size] of SIZES) {
  all.push(...(await benchesOf(`response of ${words}`, { request: 0, response: size })));
  all.push(...(await benchesOf(`request of ${words}`, { request: size, response: 100 })));
}

export const benches: readonly MicroBench[] = all;

// What did a change cost? Runs micro benches of this tree and of another one in turns of a few
// milliseconds, in one process: short enough that many turns on a busy machine are disturbed by nobody.
// Those are the fastest ones: what is compared is the tenth of all turns that is the limit of the best.
// (The thread's CPU time would be the thing, but kernels may count it in steps of milliseconds.)
// Usage: npx node bench/micro/compare-trees.ts OTHER_TREE FILE [PATTERN] [--rounds 500] [--ms 2]
// The other tree is a worktree with its own node_modules and the base of the ratio; given this tree
// itself, the ratio is the noise (A/A).
import { globSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import type { MicroBench } from "./runner.ts";

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "500" }, ms: { type: "string", default: "2" } },
  allowPositionals: true,
});
const [other = ".", file = "wasm-boundary", pattern = "."] = positionals;
const own = fileURLToPath(new URL("../..", import.meta.url));

let sink = 0;

/** Nanoseconds for one call. */
function timed(bench: MicroBench, times: number): number {
  const from = performance.now();
  sink += bench.run(times);
  return ((performance.now() - from) * 1e6) / times;
}

/** The limit of the fastest tenth. */
function best(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 10)] ?? 0;
}

/** The trees' benches by name; `copy` tells two of one tree apart. */
async function benchesOf(tree: string, copy: string): Promise<readonly MicroBench[]> {
  const [path = ""] = globSync(`bench/micro/${file}*.bench.ts`, { cwd: tree });
  const url = `${pathToFileURL(resolve(tree, path)).href}?${copy}`;
  const module = (await import(url)) as { readonly benches: readonly MicroBench[] };
  return module.benches.filter(({ name }) => new RegExp(pattern, "i").test(name));
}

const base = await benchesOf(other, "base");
const changed = await benchesOf(own, "changed");
for (const bench of changed) {
  const before = base.find(({ name }) => name === bench.name);
  if (before === undefined) continue;
  // Until V8 has done what it will do.
  let times = 1000;
  let least = Infinity;
  for (let i = 0; i < 100; i += 1) {
    least = Math.min(least, timed(bench, times), timed(before, times));
    times = Math.ceil((Number(values.ms) * 1e6) / least);
  }
  const all: [number[], number[]] = [[], []];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const order = round % 2 === 0 ? [before, bench] : [bench, before];
    const [first = 0, second = 0] = order.map((one) => timed(one, times));
    const [was, is] = round % 2 === 0 ? [first, second] : [second, first];
    all[0].push(was);
    all[1].push(is);
  }
  const [was, is] = all.map(best) as [number, number];
  const ratio = (is / was).toFixed(3);
  console.log(`${bench.name}: ${was.toFixed(0)} -> ${is.toFixed(0)} ns, ratio ${ratio}`);
}
if (sink === 0) console.log("nothing was run");

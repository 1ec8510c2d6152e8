// What did a change cost? Runs micro benches of this tree and of another one in turns, in one process
// and by the CPU time of its thread, so that a busy machine is as bad for both.
// Usage: npx node bench/micro/compare-trees.ts OTHER_TREE FILE [PATTERN] [--rounds 60] [--ms 40]
// The other tree is a worktree with its own node_modules and the base of the ratio; given this tree
// itself, the ratio is the noise (A/A).
import { globSync } from "node:fs";
import { resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { median } from "../arithmetic.ts";
import type { MicroBench } from "./runner.ts";

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "60" }, ms: { type: "string", default: "40" } },
  allowPositionals: true,
});
const [other = ".", file = "wasm-boundary", pattern = "."] = positionals;
const own = fileURLToPath(new URL("../..", import.meta.url));

let sink = 0;

/** Nanoseconds of this thread's CPU for one call. */
function timed(bench: MicroBench, times: number): number {
  const from = process.threadCpuUsage();
  sink += bench.run(times);
  const { user, system } = process.threadCpuUsage(from);
  return ((user + system) * 1000) / times;
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
  for (let i = 0; i < 20; i += 1) {
    const ns = Math.max(1, timed(bench, times), timed(before, times));
    times = Math.ceil((Number(values.ms) * 1e6) / ns);
  }
  const ratios: number[] = [];
  const all: [number[], number[]] = [[], []];
  for (let round = 0; round < Number(values.rounds); round += 1) {
    const order = round % 2 === 0 ? [before, bench] : [bench, before];
    const [first = 0, second = 0] = order.map((one) => timed(one, times));
    const [was, is] = round % 2 === 0 ? [first, second] : [second, first];
    ratios.push(is / was);
    all[0].push(was);
    all[1].push(is);
  }
  ratios.sort((a, b) => a - b);
  const at = (share: number): string => (ratios[Math.floor(share * ratios.length)] ?? 0).toFixed(3);
  console.log(
    `${bench.name}: ${median(all[0]).toFixed(0)} -> ${median(all[1]).toFixed(0)} ns of CPU, ` +
      `ratio ${at(0.5)} (quartiles ${at(0.25)}..${at(0.75)})`,
  );
}
if (sink === 0) console.log("nothing was run");

// `node bench/micro/run.ts [PATTERN]`: runs every *.bench.ts beside it whose benches match.
import { globSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type MicroBench, measure } from "./runner.ts";

const ROUNDS = 9;
const ROUND_MS = 100;

const folder = fileURLToPath(new URL(".", import.meta.url));
const pattern = new RegExp(process.argv[2] ?? ".", "i");

for (const file of globSync("*.bench.ts", { cwd: folder }).sort()) {
  const module = (await import(pathToFileURL(join(folder, file)).href)) as {
    readonly benches: readonly MicroBench[];
  };
  for (const bench of module.benches) {
    if (!pattern.test(`${file} ${bench.name}`)) continue;
    const { name, ns, leastNs, mostNs } = measure(bench, { rounds: ROUNDS, roundMs: ROUND_MS });
    const span = `${leastNs.toFixed(1)}..${mostNs.toFixed(1)}`;
    console.log(
      `${ns.toFixed(1).padStart(10)} ns  (${span})  ${file.replace(".bench.ts", "")}: ${name}`,
    );
  }
}

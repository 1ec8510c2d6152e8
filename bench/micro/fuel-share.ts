// What fuel costs of a guest's own time: each guest metered and not, in turns, with a host that
// does next to nothing. Lower quartiles: what others do to the caches only makes it longer.
// Usage: npx node bench/micro/fuel-share.ts [--rounds 1001] [--ms 2]
import { loadavg } from "node:os";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { loadModule } from "../../runtime/src/module/module-loader.ts";
import { quartiles } from "../arithmetic.ts";
import { buildFilter } from "../filter/build.ts";
import { TrivialHost } from "./trivial-host.ts";

const { values: args } = parseArgs({
  options: { rounds: { type: "string", default: "1001" }, ms: { type: "string", default: "2" } },
});
const ROUNDS = Number(args.rounds);
const ROUND_MS = Number(args.ms);
/** Streams after which V8 has optimised what it wants to, with turns in which it puts it in. */
const WARM_MS = 3000;

function file(name: string): string {
  return new URL(`../../conformance/guests/wasm/${name}.wasm`, import.meta.url).pathname;
}

const guests: readonly (readonly [string, string])[] = [
  ["AssemblyScript SDK, read one header, set one", await buildFilter("sdk")],
  ["AssemblyScript, bare ABI, the same", await buildFilter("bare")],
  ["C, headers edited", file("c-header-edit")],
  ["Rust SDK, headers edited", file("rust-header-edit")],
  ["Rust SDK, two bodies of 3 KB rewritten", file("rust-body-rewrite")],
  ["Rust SDK, rate limit with shared data", file("rust-rate-limit")],
  ["Go, headers edited", file("go-plugins")],
];

async function hostOf(filename: string, isMetered: boolean): Promise<TrivialHost> {
  return new TrivialHost(await loadModule({ filename }, { isMetered, memoryPagesMax: 2048 }));
}

/** Nanoseconds a stream. */
function time(host: TrivialHost, streams: number): number {
  const from = performance.now();
  host.run(streams);
  return ((performance.now() - from) * 1e6) / streams;
}

async function warm(hosts: readonly TrivialHost[]): Promise<number> {
  let streams = 1;
  const end = performance.now() + WARM_MS;
  while (performance.now() < end) {
    for (const host of hosts) {
      if (time(host, streams) * streams < ROUND_MS * 5e5) streams *= 2;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  return streams;
}

console.log(`load average ${loadavg()[0]?.toFixed(1)}`);
console.log("| guest | unmetered, ns a stream | fuel | A/A |");
console.log("|---|---:|---:|---:|");
for (const [name, filename] of guests) {
  const [plain, again, metered] = await Promise.all(
    [false, false, true].map((isMetered) => hostOf(filename, isMetered)),
  );
  if (plain === undefined || again === undefined || metered === undefined) throw new Error(name);
  const streams = await warm([plain, again, metered]);
  const times: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [at, host] of [plain, metered, again].entries()) {
      times[at]?.push(time(host, streams));
    }
  }
  const [base, fuel, same] = times.map((ns) => quartiles(ns)[0]) as [number, number, number];
  const cells = [fuel, same].map((ns) => `${((ns / base - 1) * 100).toFixed(0)} %`);
  console.log(`| ${[name, base.toFixed(0), ...cells].join(" | ")} |`);
}

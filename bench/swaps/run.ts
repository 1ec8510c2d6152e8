// Swaps a plugin's module a hundred times under a steady load, by each way in, with broken modules in
// between, and says what clients felt: npx node bench/swaps/run.ts. Exit code 1 when they felt it.
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { HeadgateProcess, Scratch } from "../../runtime/test/headgate-process.ts";
import { moduleUpstream, SwapLoad } from "../../runtime/test/swaps/load.ts";
import { SWAP_POLICY, VersionedModules } from "../../runtime/test/swaps/modules.ts";
import { SwapRig, WAYS } from "../../runtime/test/swaps/ways.ts";
import type { Way } from "../../runtime/test/swaps/ways.ts";
import { usageOf } from "../processes.ts";

const MIB = 1024 * 1024;
/** A broken module follows each fifth swap: twenty of a hundred. */
const BROKEN_EVERY = 5;
/** Memory is read when both modules were served and V8 has had time. */
const SETTLE_MS = 3000;

const { values } = parseArgs({
  options: {
    ways: { type: "string", default: WAYS.join(",") },
    swaps: { type: "string", default: "100" },
    connections: { type: "string", default: "64" },
    workers: { type: "string", default: "2" },
    /** Of --network-engine; default: the proxy's own. */
    engine: { type: "string" },
    /** Of the steady state before the swaps. */
    seconds: { type: "string", default: "5" },
    json: { type: "boolean", default: false },
  },
});

interface Result {
  readonly way: Way;
  readonly swaps: number;
  readonly refused: number;
  readonly requests: number;
  readonly failed: number;
  readonly closed: number;
  readonly mixed: number;
  readonly swapMs: number;
  readonly steadyP50Ms: number;
  readonly steadyP99Ms: number;
  readonly swapP50Ms: number;
  readonly swapP99Ms: number;
  readonly maxMs: number;
  readonly rssMib: readonly [before: number, middle: number, after: number];
  readonly vms: number;
  readonly failures: readonly string[];
}

const upstream = moduleUpstream();
await upstream.listen();
const modules = await VersionedModules.compile();
const results: Result[] = [];
for (const way of values.ways.split(",")) {
  if (!WAYS.includes(way as Way))
    throw new Error(`--ways: unknown ${way}, expected ${WAYS.join()}`);
  const result = await play(way as Way);
  results.push(result);
  process.stderr.write(`${way}: ${result.requests} requests, ${result.failed} failed\n`);
}
upstream.close();
process.stdout.write(values.json ? `${JSON.stringify(results, null, 1)}\n` : tableOf(results));
process.exit(results.every(isUnfelt) ? 0 : 1);

async function play(way: Way): Promise<Result> {
  const scratch = new Scratch();
  const rig = new SwapRig(way, scratch, upstream.port);
  await rig.open();
  const policy = scratch.write("policy.yaml", SWAP_POLICY);
  const headgate = await HeadgateProcess.start(scratch, rig.config(modules.of("A")), {
    flags: ["--wasm-policy", policy, ...engineFlags(), ...rig.flags],
    concurrency: Number(values.workers),
  });
  try {
    return await playOn(way, rig, headgate);
  } finally {
    await headgate.end();
    rig.close();
    scratch.remove();
  }
}

function engineFlags(): string[] {
  return values.engine === undefined ? [] : ["--network-engine", values.engine];
}

async function playOn(way: Way, rig: SwapRig, headgate: HeadgateProcess): Promise<Result> {
  const rss = (): number => Math.round(usageOf(headgate.pid).residentBytes / MIB);
  const load = new SwapLoad(await headgate.listener(), Number(values.connections));
  await pause(2000);
  // Both modules, and one that is broken, have left their traces before anything is measured.
  await swapTo(rig, headgate, "B");
  await swapTo(rig, headgate, "A");
  load.takeLatencies();
  await pause(Number(values.seconds) * 1000);
  const steady = sorted(load.takeLatencies());
  const before = rss();
  const startMs = performance.now();
  let refused = 0;
  let middle = before;
  const swaps = Number(values.swaps);
  for (let i = 1; i <= swaps; i += 1) {
    await swapTo(rig, headgate, i % 2 === 1 ? "B" : "A");
    if (i % BROKEN_EVERY === 0) refused += await tryBroken(rig, headgate, i / BROKEN_EVERY);
    if (i === Math.floor(swaps / 2)) middle = rss();
  }
  const swapMs = (performance.now() - startMs) / swaps;
  const swapping = sorted(load.takeLatencies());
  await pause(SETTLE_MS);
  const after = rss();
  await load.stop();
  return {
    way,
    swaps,
    refused,
    requests: [...load.byModule.values()].reduce((sum, count) => sum + count, 0),
    failed: load.failed,
    closed: load.closed,
    mixed: load.mixed,
    swapMs,
    steadyP50Ms: quantile(steady, 0.5),
    steadyP99Ms: quantile(steady, 0.99),
    swapP50Ms: quantile(swapping, 0.5),
    swapP99Ms: quantile(swapping, 0.99),
    maxMs: quantile(swapping, 1),
    rssMib: [before, middle, after],
    vms: await headgate.stat("wasm.envoy.wasm.runtime.v8.active"),
    failures: load.failures,
  };
}

async function swapTo(rig: SwapRig, headgate: HeadgateProcess, letter: string): Promise<void> {
  if (await rig.swap(headgate, modules.of(letter))) return;
  throw new Error(`module ${letter} was refused:\n${headgate.output.slice(-2000)}`);
}

/** 1 when it was refused, as it must be. */
async function tryBroken(rig: SwapRig, headgate: HeadgateProcess, turn: number): Promise<number> {
  const [kind, module] = modules.broken[turn % modules.broken.length] ?? ["none", modules.of("X")];
  if (!(await rig.swap(headgate, module))) return 1;
  throw new Error(`a module ${kind} came into force`);
}

function isUnfelt({ failed, closed, mixed }: Result): boolean {
  return failed === 0 && closed === 0 && mixed === 0;
}

function tableOf(all: readonly Result[]): string {
  const titles =
    "| way | swaps | refused | requests | failed | closed | mixed | ms a swap | p50 steady, swapping ms | p99 steady, swapping ms | p99 ratio | worst ms | RSS before, half, after MiB | VMs |";
  const line = titles.replace(/[^|]+/g, " ---: ");
  const rows = all.map((one) => {
    const cells = [
      one.way,
      one.swaps,
      one.refused,
      one.requests,
      one.failed,
      one.closed,
      one.mixed,
      one.swapMs.toFixed(0),
      `${one.steadyP50Ms.toFixed(2)}, ${one.swapP50Ms.toFixed(2)}`,
      `${one.steadyP99Ms.toFixed(2)}, ${one.swapP99Ms.toFixed(2)}`,
      (one.swapP99Ms / one.steadyP99Ms).toFixed(2),
      one.maxMs.toFixed(0),
      one.rssMib.join(", "),
      one.vms,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const load = `load average ${loadavg()
    .map((value) => value.toFixed(1))
    .join(", ")}`;
  return [titles, line, ...rows, "", load, ""].join("\n");
}

function sorted(latenciesMs: readonly number[]): number[] {
  return [...latenciesMs].sort((a, b) => a - b);
}

function quantile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

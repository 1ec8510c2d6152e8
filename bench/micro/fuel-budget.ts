// How long a guest's endless loop can hold up other streams of its worker: until the callback's fuel or
// its time is up. Usage: npx node bench/micro/fuel-budget.ts [--fuel 50000000] [--time 200] [--rounds 7];
// `--time off` tells how long the fuel lasts by itself.
import { arch, cpus, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { createFilterHost } from "../../runtime/test/harness.ts";
import { Clock } from "../../runtime/src/core/clock.ts";
import { defaultWasmPolicy } from "../../runtime/src/config/wasm-policy.ts";
import { constant, op, WasmBuilder } from "../../runtime/src/module/wasm-builder-for-test.ts";
import { median } from "../arithmetic.ts";

const { values: args } = parseArgs({
  options: {
    fuel: { type: "string", default: String(defaultWasmPolicy.fuel?.callback) },
    time: { type: "string", default: String(defaultWasmPolicy.callbackTimeMs) },
    rounds: { type: "string", default: "7" },
  },
});

const LOOP = 0x03;
const VOID = 0x40;
const BR = 0x0c;
const LOCAL_SET = 0x21;
const I32_AND = 0x71;
const I32_DIV = 0x6e;
const I32_MUL = 0x6c;
const MEMORY_GROW = 0x40;
const BULK = 0xfc;
const MEMORY_FILL = 11;
/** Of the guest's memory: more than caches hold. */
const PAGES = 1024;
const LOCAL = 3;

const hostcallArguments = [0, 16, 5, 64, 68].flatMap((value) => constant(value));
/** A step of a linear congruence: where to read next. */
const next = [
  op.localGet,
  LOCAL,
  ...constant(1_664_525),
  I32_MUL,
  ...constant(1_013_904_223),
  op.i32Add,
];
const mask = [...constant(PAGES * 65_536 - 8), I32_AND];

/** What the loop does again and again. */
const bodies: Readonly<Record<string, readonly number[]>> = {
  nothing: [],
  "a count": [op.localGet, LOCAL, ...constant(1), op.i32Add, LOCAL_SET, LOCAL],
  divisions: [
    ...constant(1_000_003),
    op.localGet,
    LOCAL,
    ...constant(7),
    op.i32Add,
    I32_DIV,
    LOCAL_SET,
    LOCAL,
  ],
  "loads from anywhere in 64 MiB": [
    ...next,
    LOCAL_SET,
    LOCAL,
    op.localGet,
    LOCAL,
    ...mask,
    op.i32Load,
    2,
    0,
    op.localGet,
    LOCAL,
    op.i32Add,
    LOCAL_SET,
    LOCAL,
  ],
  "filling 1 MiB": [...constant(0), ...constant(7), ...constant(1 << 20), BULK, MEMORY_FILL, 0],
  "filling 64 MiB": [...constant(0), ...constant(7), ...constant(1 << 26), BULK, MEMORY_FILL, 0],
  "a header's value": [...hostcallArguments, op.call, 0, op.drop],
  "growing that fails": [...constant(60_000), MEMORY_GROW, 0, op.drop],
};

/** A new module each time, so that its first run is in code that nobody has optimised. */
function guest(body: readonly number[], serial: number): Uint8Array {
  const builder = new WasmBuilder();
  const five = ["i32", "i32", "i32", "i32", "i32"];
  builder.importFunction("env", "proxy_get_header_map_value", five, ["i32"]);
  builder.func({ exportAs: "proxy_abi_version_0_2_1" });
  builder.memory(0, (PAGES & 127) | 128, PAGES >> 7).export("memory", "memory", 0);
  const room = { params: ["i32"], results: ["i32"], code: constant(1024) };
  builder.func({ ...room, exportAs: "malloc" });
  builder.data(16, [...Buffer.from(":path")]);
  builder.custom("serial", [serial & 127, serial >> 7]);
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    locals: ["i32"],
    code: [LOOP, VOID, ...body, BR, 0, op.end, ...constant(0)],
    exportAs: "proxy_on_request_headers",
  });
  return builder.build();
}

interface Stop {
  readonly wallMs: number;
  readonly cpuMs: number;
}

const clock = new Clock();
let serial = 0;

/** The first stop of a module, and one when V8 has had the time to optimise it. */
async function stops(body: readonly number[], fuel: number): Promise<[Stop, Stop]> {
  serial += 1;
  const budgets = { callback: fuel, configure: 1e9, start: 1e9 };
  const callbackTimeMs = args.time === "off" ? null : Number(args.time);
  const policy = { ...defaultWasmPolicy, fuel: budgets, callbackTimeMs };
  const host = await createFilterHost({
    module: guest(body, serial),
    policy,
    failurePolicy: "fail_reload",
    threadMs: () => clock.threadMs(),
  });
  const once = (): Stop => {
    const cpu = process.threadCpuUsage();
    const start = performance.now();
    const { status } = host.request();
    const wallMs = performance.now() - start;
    const { user, system } = process.threadCpuUsage(cpu);
    const last = host.logs.at(-1)?.message ?? "";
    const isStopped = status === 503 && /out of (fuel|time)/.test(last);
    if (!isStopped) throw new Error(`the loop was not stopped: ${last}`);
    return { wallMs, cpuMs: (user + system) / 1000 };
  };
  const first = once();
  // Past the back-off: each stop has a VM of its own.
  for (let i = 0; i < 3; i += 1) {
    host.tick(60_000);
    once();
  }
  host.tick(60_000);
  const later = once();
  host.close();
  return [first, later];
}

const fuel = Number(args.fuel);
const rounds = Number(args.rounds);
console.log(
  `fuel ${fuel}, time ${args.time} ms, ${rounds} rounds, ${cpus()[0]?.model ?? ""}, ${cpus().length} ${arch()} cores`,
);
console.log(
  `load ${loadavg()[0]?.toFixed(1) ?? ""}; milliseconds of CPU (of the clock), medians\n`,
);
for (const [name, body] of Object.entries(bodies)) {
  const firsts: Stop[] = [];
  const laters: Stop[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const [first, later] = await stops(body, fuel);
    firsts.push(first);
    laters.push(later);
  }
  const text = (all: readonly Stop[]): string =>
    `${median(all.map((s) => s.cpuMs)).toFixed(0)} (${median(all.map((s) => s.wallMs)).toFixed(0)})`;
  console.log(`${name.padEnd(30)} new module ${text(firsts).padEnd(12)} later ${text(laters)}`);
}

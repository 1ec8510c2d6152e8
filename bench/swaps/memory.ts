// Pushes modules to a plugin one after the other and says what memory does: first two in turns, then
// another one each time, in a process of its own each. Usage: npx node bench/swaps/memory.ts [--pushes 600]
import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { parseArgs } from "node:util";
import { bootstrap, wasmFilter } from "../../runtime/test/bootstrap.ts";
import { HeadgateProcess, Scratch } from "../../runtime/test/headgate-process.ts";
import { moduleUpstream, SwapLoad } from "../../runtime/test/swaps/load.ts";
import { SWAP_POLICY, VersionedModules } from "../../runtime/test/swaps/modules.ts";
import { pushByAdmin } from "../../runtime/test/swaps/ways.ts";

const KINDS = ["alternating", "different"] as const;
type Kind = (typeof KINDS)[number];

const MIB = 1024 * 1024;
/** Looks at memory in one run. */
const LOOKS = 12;
const BROKEN_EVERY = 10;
const IDLE_MS = 30_000;
/** Requests before the first look: V8 has taken its young generations by then. */
const WARM_UP = 50_000;
/** A custom section "x" of eight bytes. */
const SECTION_HEAD = [0, 10, 1, 0x78];

/** By thread, in MiB. */
interface Heaps {
  readonly live: string;
  readonly young: string;
}

const NO_HEAPS: Heaps = { live: "", young: "" };

const { values } = parseArgs({
  options: {
    pushes: { type: "string", default: "600" },
    kinds: { type: "string", default: KINDS.join(",") },
    connections: { type: "string", default: "16" },
    workers: { type: "string", default: "2" },
  },
});
const pushes = Number(values.pushes);
const workers = Number(values.workers);

const upstream = moduleUpstream();
await upstream.listen();
const modules = await VersionedModules.compile();
for (const kind of KINDS) {
  if (values.kinds.split(",").includes(kind)) await play(kind);
}
upstream.close();
process.stdout.write(`\nload average ${loadavg()[0]?.toFixed(1) ?? ""}\n`);

async function play(kind: Kind): Promise<void> {
  const scratch = new Scratch();
  const path = scratch.path("guest.wasm");
  writeFileSync(path, modules.of("A"));
  scratch.write("asked", "0");
  scratch.write("answers", "");
  const headgate = await HeadgateProcess.start(
    scratch,
    bootstrap({ upstreamPort: upstream.port, filters: [wasmFilter(path)] }),
    {
      flags: ["--wasm-policy", scratch.write("policy.yaml", SWAP_POLICY)],
      concurrency: workers,
      env: {
        ...process.env,
        HEADGATE_HEAP_FOLDER: scratch.folder,
        NODE_OPTIONS: `--import ${new URL("heap-report.mjs", import.meta.url).href}`,
      },
    },
  );
  try {
    await playOn(kind, headgate, scratch);
  } finally {
    await headgate.end();
    scratch.remove();
  }
}

async function playOn(kind: Kind, headgate: HeadgateProcess, scratch: Scratch): Promise<void> {
  const load = new SwapLoad(await headgate.listener(), Number(values.connections));
  for (let turn = 1; turn <= 4 || load.answered < WARM_UP; turn += 1) {
    await push(headgate, moduleOf(kind, -turn));
  }
  const rows = [row("0", headgate, await liveHeaps(headgate, scratch, 1))];
  for (let turn = 1; turn <= pushes; turn += 1) {
    await push(headgate, moduleOf(kind, turn));
    if (turn % BROKEN_EVERY === 0) await pushBroken(headgate, turn / BROKEN_EVERY);
    if (turn % Math.ceil(pushes / LOOKS) === 0) rows.push(row(String(turn), headgate, NO_HEAPS));
  }
  await load.stop();
  await pause(IDLE_MS);
  const idle = row(`${pushes}, idle`, headgate, NO_HEAPS);
  const heaps = await liveHeaps(headgate, scratch, 2);
  // V8 gives pages back some seconds after it has emptied them.
  await pause(IDLE_MS);
  rows.push(idle, row(`${pushes}, collected`, headgate, heaps));
  const vms = await headgate.stat("wasm.envoy.wasm.runtime.v8.active");
  const felt = `${load.answered} requests, ${load.failed} failed, ${load.closed} closed, ${vms} VMs`;
  const titles =
    "| pushes | RSS MiB | anonymous MiB | what lives in main and each worker, MiB | their young generations, MiB |";
  const lines = [titles, titles.replace(/[^|]+/g, " ---: "), ...rows];
  process.stdout.write(`\n${kind}: ${felt}\n\n${lines.join("\n")}\n`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

function moduleOf(kind: Kind, turn: number): Buffer {
  const module = modules.of(turn % 2 === 0 ? "A" : "B");
  if (kind === "alternating") return module;
  const number = Buffer.alloc(8);
  number.writeDoubleLE(turn);
  return Buffer.concat([module, Buffer.from(SECTION_HEAD), number]);
}

async function push(headgate: HeadgateProcess, module: Buffer): Promise<void> {
  if (!(await pushByAdmin(headgate, module))) throw new Error(headgate.output.slice(-2000));
}

async function pushBroken(headgate: HeadgateProcess, turn: number): Promise<void> {
  const [kind, module] = modules.broken[turn % modules.broken.length] ?? ["", Buffer.alloc(0)];
  if (await pushByAdmin(headgate, module)) throw new Error(`a module ${kind} came into force`);
}

function row(what: string, headgate: HeadgateProcess, { live, young }: Heaps): string {
  const status = readFileSync(`/proc/${headgate.pid}/status`, "latin1");
  const mib = (field: string): string => {
    const kib = new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1];
    return (Number(kib) / 1024).toFixed(0);
  };
  return `| ${[what, mib("VmRSS"), mib("RssAnon"), live, young].join(" | ")} |`;
}

/** After a collection. */
async function liveHeaps(
  headgate: HeadgateProcess,
  scratch: Scratch,
  asked: number,
): Promise<Heaps> {
  scratch.write("asked", String(asked));
  const heaps = await headgate.waitFor(() => {
    const lines = readFileSync(scratch.path("answers"), "latin1").split("\n");
    const answers = lines.map((line) => line.split(" ").map(Number));
    const ours = answers.filter(([turn]) => turn === asked);
    return ours.length > workers ? ours : undefined;
  }, "the heaps");
  const ordered = heaps.sort(([, a = 0], [, b = 0]) => a - b);
  const column = (at: number): string =>
    ordered.map((sizes) => ((sizes[at] ?? 0) / MIB).toFixed(1)).join(", ");
  return { live: column(2), young: column(3) };
}

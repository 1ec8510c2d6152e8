// A guest that traps in a real process: the log has its functions, addresses of the file, and places
// in its sources when a source map is there.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuestWithMap } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const source: string = fileURLToPath(new URL("guests/assembly/script.ts", import.meta.url));
const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 1 });
let guest: { wasm: Buffer; map: Buffer };

beforeAll(async () => {
  guest = await compileGuestWithMap("script");
});

async function start(name: string, map: Uint8Array | string | null): Promise<HeadgateProcess> {
  const file = processes.scratch.path(name);
  writeFileSync(file, guest.wasm);
  if (map !== null) writeFileSync(processes.scratch.path("script.wasm.map"), map);
  const filter = wasmFilter(file, "guest", "request_headers trap");
  return await processes.start(bootstrap({ upstreamPort: upstream.port, filters: [filter] }));
}

async function trap(headgate: HeadgateProcess): Promise<number> {
  const { status } = await fetch(`http://${await headgate.listener()}/`);
  return status;
}

test("a trap is logged with functions, addresses of the file, and lines of its sources", async () => {
  const headgate = await start("a.wasm", guest.map);
  expect(await trap(headgate)).toBe(503);
  await headgate.says("wasm vm of plugin guest failed in its sources, module ");
  await headgate.says(/at assembly\/script\/on \(assembly\/script\.ts:\d+:\d+\)/);
  const [, at = ""] = /at assembly\/script\/run \(function \d+, 0x([0-9a-f]+)\)/.exec(
    headgate.output,
  ) ?? [""];
  const [, line = "", column = ""] =
    /at assembly\/script\/run \(assembly\/script\.ts:(\d+):(\d+)\)/.exec(headgate.output) ?? [""];
  // The place of the instruction, in the file and in the source.
  expect(guest.wasm[Number.parseInt(at, 16)]).toBe(0);
  const text = readFileSync(source, "utf8").split("\n")[Number(line) - 1] ?? "";
  expect(text.slice(Number(column) - 1)).toMatch(/^unreachable\(\)/);
});

test("a map that is no good is named, and the trap is told without it", async () => {
  const headgate = await start("b.wasm", "{}");
  expect(await trap(headgate)).toBe(503);
  await headgate.says(/its sources are not known: \S+script\.wasm\.map: found version undefined/);
  expect(headgate.output).toMatch(/at assembly\/script\/run \(function \d+, 0x[0-9a-f]+\)/);
  expect(headgate.output).not.toContain("failed in its sources");
});

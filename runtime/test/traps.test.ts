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

test("the report has what the guest said last, and the place in its sources", async () => {
  const file = processes.scratch.path("c.wasm");
  writeFileSync(file, guest.wasm);
  writeFileSync(processes.scratch.path("script.wasm.map"), guest.map);
  const script =
    "request_headers log 2 hello\nrequest_headers log 4 farewell\nrequest_headers trap";
  const filter = wasmFilter(file, "guest", script);
  const headgate = await processes.start(
    bootstrap({ upstreamPort: upstream.port, filters: [filter] }),
  );
  expect(await trap(headgate)).toBe(503);
  await headgate.says("failed in its sources");
  expect((await trapsOf(headgate)).reports).toMatchObject([
    {
      kind: "trap",
      stderr_tail: "farewell",
      place: expect.stringMatching(/^assembly\/script\.ts:\d+:\d+$/),
    },
  ]);
});

test("a map that is no good is named, and the trap is told without it", async () => {
  const headgate = await start("b.wasm", "{}");
  expect(await trap(headgate)).toBe(503);
  await headgate.says(/its sources are not known: \S+script\.wasm\.map: found version undefined/);
  expect(headgate.output).toMatch(/at assembly\/script\/run \(function \d+, 0x[0-9a-f]+\)/);
  expect(headgate.output).not.toContain("failed in its sources");
});

interface Traps {
  readonly reports: readonly Readonly<Record<string, unknown>>[];
}

async function trapsOf(headgate: HeadgateProcess): Promise<Traps> {
  return JSON.parse(await headgate.admin("/wasm/plugins/guest/traps")) as Traps;
}

/** One request that stops a guest of another toolchain; the report, once it is in the log. */
async function reportOf(module: string, fault: string): Promise<Traps["reports"][number]> {
  const path = fileURLToPath(
    new URL(`../../conformance/guests/wasm/${module}.wasm`, import.meta.url),
  );
  const filter = wasmFilter(path, "guest");
  const headgate = await processes.start(
    bootstrap({ upstreamPort: upstream.port, filters: [filter] }),
  );
  const headers = { "x-fault": fault, "x-request-id": "11111111-2222-4333-8444-555555555555" };
  const answer = await fetch(`http://${await headgate.listener()}/items/42?key=secret`, {
    headers,
  });
  // Nothing of it is told to the client.
  expect([answer.status, await answer.text()]).toEqual([503, ""]);
  await headgate.says("failed in its sources");
  const { reports } = await trapsOf(headgate);
  expect(reports).toHaveLength(1);
  return reports[0] ?? {};
}

test("a report of a C guest tells its line and the stream, and no values", async () => {
  const report = await reportOf("c-trapping-dwarf5", "divide");
  expect(report).toMatchObject({
    kind: "trap",
    reason: "divide by zero",
    callback: "proxy_on_request_headers",
    version: expect.stringMatching(/^[0-9a-f]{12}$/),
    place: expect.stringMatching(/^c\/trapping\.c:7:\d+$/),
    request: { method: "GET", path: "/items/:n?key" },
    stderr_tail: "",
  });
  expect(report["frames"]).toMatchObject([
    { function: "quotient", place: expect.stringMatching(/^c\/trapping\.c:7:/) },
    { function: "obey" },
    { function: "proxy_on_request_headers" },
  ]);
  expect(report["fuel_used"]).toBeGreaterThan(0);
  expect(JSON.stringify(report)).not.toContain("secret");
});

test("a C guest that ran out of fuel is told by the line of its loop", async () => {
  const report = await reportOf("c-trapping-dwarf4", "loop");
  expect(report).toMatchObject({
    kind: "fuel",
    place: expect.stringMatching(/trapping\.c:1[45]:/),
  });
  expect(report["fuel_used"]).toBeGreaterThan(report["fuel_budget"] as number);
});

test("a canary that traps is rolled back, and the reason names its line", async () => {
  const guests = new URL("../../conformance/guests/wasm/", import.meta.url);
  const good = fileURLToPath(new URL("c-header-edit.wasm", guests));
  const policy = "default: {canary: {window_ms: 60000, streams_min: 20}}\n";
  processes.scratch.write("policy.yaml", policy);
  const headgate = await processes.start(
    bootstrap({ upstreamPort: upstream.port, filters: [wasmFilter(good, "guest")] }),
    { flags: ["--wasm-policy", processes.scratch.path("policy.yaml")] },
  );
  const url = `http://${headgate.adminAddress}/wasm/plugins/guest/module?canary=50`;
  const body = readFileSync(new URL("c-trapping-dwarf4.wasm", guests));
  expect((await fetch(url, { method: "POST", body })).status).toBe(200);
  const target = await headgate.listener();
  await headgate.waitFor(async () => {
    for (let i = 0; i < 10; i += 1) {
      await (await fetch(`http://${target}/`, { headers: { "x-fault": "trap" } })).arrayBuffer();
    }
    return (await headgate.stat("wasm.guest.canary_rolled_back")) === 1;
  }, "the rollback");
  const page = await headgate.admin("/wasm/plugins");
  expect(page).toMatch(/"what": "rolled back by itself: .*; it trapped at c\/trapping\.c:11:\d+"/);
});

test("a Rust guest's panic is told by its own line, not by the library's that traps", async () => {
  const report = await reportOf("rust-faulty-dwarf4", "request-headers");
  const source = readFileSync(
    new URL("../../conformance/guests/rust/faulty.rs", import.meta.url),
    "utf8",
  );
  const line = source.split("\n").findIndex((text) => text.includes("assert!(self.fault")) + 1;
  expect(report).toMatchObject({
    kind: "trap",
    place: expect.stringMatching(`^faulty\\.rs:${line}:\\d+$`),
    request_id: "11111111-2222-4333-8444-555555555555",
  });
});

// What filters cost, in a real process with two workers: the admin interface's page, Prometheus, and
// the access log of each stream.
import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 2 });
const SCRIPT = "request_headers replace_header_map_value 0 x-key value";
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
});

interface Row {
  readonly plugin: string;
  readonly version: string;
  readonly streams: number;
  readonly ns: number;
  readonly fuel: number;
  readonly hostcalls: number;
  readonly bytes: number;
  readonly memory_pages: number;
  readonly callbacks: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

async function rowsOf(headgate: HeadgateProcess): Promise<readonly Row[]> {
  const page = JSON.parse(await headgate.admin("/wasm/costs")) as { plugins: readonly Row[] };
  return page.plugins;
}

async function start(timing: string): Promise<HeadgateProcess> {
  const module = processes.scratch.path("guest.wasm");
  processes.scratch.write("policy.yaml", `default: {timing: ${timing}}\n`);
  writeFileSync(module, guest);
  const format = "cost %HEADGATE_WASM_COST(a:FUEL)% %HEADGATE_WASM_COST(a:NS)%";
  const inline_string = `${format} %HEADGATE_WASM_COST(none:FUEL)%\n`;
  const type = "type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog";
  const typed_config = { "@type": type, log_format: { text_format_source: { inline_string } } };
  const config = bootstrap({
    upstreamPort: upstream.port,
    filters: [wasmFilter(module, "a", SCRIPT), wasmFilter(module, "b", SCRIPT)],
    hcm: { access_log: [{ name: "stdout", typed_config }] },
  });
  return await processes.start(config, {
    flags: [
      "--wasm-policy",
      processes.scratch.path("policy.yaml"),
      "--file-flush-interval-msec",
      "10",
    ],
  });
}

async function requests(headgate: HeadgateProcess, count: number): Promise<void> {
  const target = await headgate.listener();
  for (let i = 0; i < count; i += 1) {
    // Connections of their own, so that both workers have some.
    const answer = await fetch(`http://${target}/`, { headers: { connection: "close" } });
    expect([answer.status, await answer.text()]).toEqual([200, "ok"]);
  }
}

test("each stream is counted, its time too where the policy says so, and logged", async () => {
  const headgate = await start("1");
  await requests(headgate, 20);
  await headgate.waitFor(
    async () => (headgate.output.match(/^cost /gm)?.length ?? 0) === 20,
    "log",
  );
  const rows = await rowsOf(headgate);
  expect(rows.map(({ plugin }) => plugin)).toEqual(["a", "b"]);
  for (const row of rows) {
    expect(row).toMatchObject({ streams: 20, traps: 0, state: "primary", callouts: 0 });
    expect(row.version).toMatch(/^[0-9a-f]{12}$/);
    // In each of the two workers.
    expect(row.memory_pages).toBeGreaterThanOrEqual(2);
    const headers = row.callbacks["proxy_on_request_headers"];
    expect(headers).toMatchObject({ calls: 20 });
    for (const field of ["fuel", "ns", "hostcalls", "bytes"]) {
      expect([field, headers?.[field]]).toEqual([field, expect.toSatisfy((n: number) => n > 0)]);
    }
    expect(row.fuel).toBeGreaterThan(headers?.["fuel"] ?? 0);
  }
  // The streams' own figures are there in the log, for the plugin that is named.
  for (const line of headgate.output.match(/^cost .*$/gm) ?? []) {
    expect(line).toMatch(/^cost \d{2,} \d{2,} -$/);
  }
  const metrics = await headgate.admin("/stats/prometheus");
  const labels = `envoy_wasm_plugin="a",envoy_wasm_version="${rows[0]?.version}"`;
  expect(metrics).toContain(`envoy_wasm_cost_streams{${labels}} 20\n`);
  expect(metrics).toContain(
    `envoy_wasm_cost_calls{${labels},envoy_wasm_callback="proxy_on_request_headers"} 20\n`,
  );
});

test("with timing off no time is taken, and the rest is counted", async () => {
  const headgate = await start("off");
  await requests(headgate, 4);
  await headgate.waitFor(async () => headgate.output.includes("\ncost "), "log");
  const [row] = await rowsOf(headgate);
  expect(row).toMatchObject({ streams: 4, ns: 0 });
  expect(row?.fuel).toBeGreaterThan(0);
  expect(headgate.output).toMatch(/^cost \d+ - -$/m);
});

test("headgate top shows what grows, and says what is wrong with its use", async () => {
  const headgate = await start("1");
  const where = ["--admin", `http://${headgate.adminAddress}`];
  const top = processes.launch("top", ...where, "--interval", "0.1", "--json");
  // Until an interval had requests in it.
  await headgate.waitFor(async () => {
    await requests(headgate, 1);
    return /"plugin":"[ab]",[^}]*"streams_per_s":[1-9][^}]*"ns_per_stream":[1-9]/.test(top.output);
  }, "top's rates");
  const [line = ""] = top.output.split("\n");
  expect(Object.keys(JSON.parse(line) as object)).toEqual(["interval_ms", "plugins"]);
  await top.end();
  const once = await processes.run("top", ...where, "--interval", "0.1", "--once");
  expect(await once.exited).toMatchObject({ code: 0 });
  expect(once.output).toMatch(/^PLUGIN +VERSION +CPU% .* TRAPS\n[ab] +[0-9a-f]{12} .*\n[ab] .*\n$/);
  const wrong = await processes.run("top", "--interval", "0", ...where);
  expect([(await wrong.exited).code, wrong.output]).toEqual([
    2,
    expect.stringContaining('--interval: found "0", expected seconds from 0.1 to 86400'),
  ]);
  const nobody = await processes.run("top", "--once", "--admin", "http://127.0.0.1:1");
  expect(await nobody.exited).toMatchObject({ code: 3 });
  const other = await processes.run("top", "--admin", `http://127.0.0.1:${upstream.port}`);
  expect([(await other.exited).code, other.output]).toEqual([
    1,
    "headgate: there is no /wasm/costs: not a Headgate, or an old one\n",
  ]);
});

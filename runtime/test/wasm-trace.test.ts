// --wasm-trace in a real process, and the policy's `trace`, which SIGHUP switches.
import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { get } from "./http-clients.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const processes = useProcesses({ concurrency: 2 });
const upstream = useUpstream("hello");
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
});

function config(): object {
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, guest);
  const script = "request_headers get_header_map_value 0 :path";
  const filters = ["shown", "hidden"].map((name) => wasmFilter(module, name, script));
  return bootstrap({ upstreamPort: upstream.port, filters });
}

test("--wasm-trace logs the calls of the plugin that it names", async () => {
  const headgate = await processes.start(config(), { flags: ["--wasm-trace", "shown"] });
  await get(await headgate.listener(), "/seen");
  await headgate.says(
    /wasm trace shown 2: {3}proxy_get_header_map_value\(map_id=HttpRequestHeaders, key=":path"\) -> Ok, value="\/seen", \d+ us/,
  );
  await headgate.says(/wasm trace shown 2: proxy_on_log -> returned, \d+ us/);
  expect(headgate.output).not.toContain("wasm trace hidden");
});

test("a policy with `trace` is switched on and off by SIGHUP", async () => {
  const policy = processes.scratch.path("policy.yaml");
  writeFileSync(policy, "{}");
  const headgate = await processes.start(config(), { flags: ["--wasm-policy", policy] });
  const reload = async (text: string, count: number): Promise<number> => {
    writeFileSync(policy, text);
    headgate.kill("SIGHUP");
    await headgate.waitFor(async () => (await headgate.stat("server.reload_success")) === count);
    return headgate.output.length;
  };
  const target = await headgate.listener();
  await get(target);
  expect(headgate.output).not.toContain("wasm trace ");
  await reload("plugins: {hidden: {trace: on}}", 1);
  await get(target);
  await headgate.says(/wasm trace hidden 2: proxy_on_log -> returned/);
  expect(headgate.output).not.toContain("wasm trace shown");
  await reload("{}", 2);
  await headgate.says(/wasm trace hidden 1: proxy_on_delete -> returned/);
  const at = headgate.output.length;
  await get(target);
  await headgate.says(/response_headers\(2,/, at);
  expect(headgate.output.slice(at)).not.toContain("wasm trace ");
});

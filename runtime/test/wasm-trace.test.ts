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

test("--wasm-trace with a name that no plugin has says so, and which there are", async () => {
  const headgate = await processes.start(config(), { flags: ["--wasm-trace", "show"] });
  await headgate.says(/--wasm-trace: /);
  expect(headgate.output).toContain(
    '[warning][main] --wasm-trace: no wasm plugin has the name "show"; the plugins are: hidden, shown',
  );
});

test("--wasm-trace-header logs the streams whose request has the header", async () => {
  const flags = ["--wasm-trace", "shown", "--wasm-trace-header", "x-debug: yes"];
  const headgate = await processes.start(config(), { flags });
  const target = await headgate.listener();
  await get(target, "/not");
  await get(target, "/other", { "x-debug": "no" });
  await get(target, "/seen", { "x-debug": "yes" });
  await headgate.says(/wasm trace shown \d+: proxy_on_delete -> returned/);
  expect(headgate.output).toContain('value="/seen"');
  expect(headgate.output).not.toMatch(/value="\/(not|other)"/);
});

test("the flags of a trace need one another, and say what they expect", async () => {
  const alone = await processes.run("-c", "none", "--wasm-trace-every", "2");
  expect(alone.output).toContain("--wasm-trace-every: expected --wasm-trace with the name");
  const flags = ["--wasm-trace", "a", "--wasm-trace-header", "x y"];
  const wrong = await processes.run("-c", "none", ...flags);
  expect(wrong.output).toContain('--wasm-trace-header: found "x y", expected the name of a');
});

test("/wasm/trace switches a running process, its guests stay", async () => {
  const headgate = await processes.start(config());
  const target = await headgate.listener();
  const created = await headgate.stat("wasm.envoy.wasm.runtime.v8.created");
  expect(await headgate.admin("/wasm/trace")).toBe(
    "traced wasm plugins:\n  hidden: off\n  shown: off\n",
  );
  await get(target, "/before");
  const told = await headgate.admin("/wasm/trace?plugin=shown&every=1&header=x-debug", "POST");
  expect(told).toContain("shown: every stream with x-debug (switched here)\n");
  // Workers are told by message, and each must be asked.
  let asked = 0;
  const tracedBy = async (): Promise<string | undefined> => {
    asked += 1;
    const from = headgate.output.length;
    await get(target, `/asked${asked}`, { "x-debug": "1" });
    await headgate.says(/wasm log hidden: delete\(/, from);
    const line = new RegExp(`\\[(\\d)\\]\\[info\\].* wasm trace shown .*value="/asked${asked}"`);
    return line.exec(headgate.output)?.[1];
  };
  const workers = new Set<string | undefined>();
  await headgate.waitFor(async () => {
    workers.add(await tracedBy());
    return workers.has("1") && workers.has("2");
  });
  await get(target, "/without");
  await headgate.admin("/wasm/trace?plugin=shown&off", "POST");
  expect(await headgate.admin("/wasm/trace")).toContain("shown: off (switched here)\n");
  let quiet = 0;
  await headgate.waitFor(async () => {
    quiet = (await tracedBy()) === undefined ? quiet + 1 : 0;
    return quiet === 8;
  });
  expect(headgate.output).not.toMatch(/value="\/(before|without)"/);
  expect(headgate.output).not.toContain("wasm trace hidden");
  expect(await headgate.stat("wasm.envoy.wasm.runtime.v8.created")).toBe(created);
  expect(await headgate.admin("/wasm/trace?plugin=nobody", "POST")).toContain(
    'error: no wasm plugin has the name "nobody"; the plugins are: hidden, shown\n',
  );
});

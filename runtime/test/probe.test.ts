// New modules are started in a thread of their own first, in a real process: one whose start never ends or
// takes all memory is refused, and workers do not notice.
import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 2 });
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
});

/** Flags with a policy of its own, and a configuration whose guest runs these lines. */
function prepare(policy: string, script: readonly string[]): { flags: string[]; config: object } {
  const file = processes.scratch.path("guest.wasm");
  writeFileSync(file, guest);
  const flags = ["--wasm-policy", processes.scratch.write("policy.yaml", policy)];
  const filter = wasmFilter(file, "guest", script.join("\n"));
  return { flags, config: bootstrap({ upstreamPort: upstream.port, filters: [filter] }) };
}

const UNMETERED = "default: {fuel: off, start_time_ms: 3000}";

async function reload(
  headgate: HeadgateProcess,
  script: readonly string[],
  policy = UNMETERED,
): Promise<string> {
  const at = headgate.output.length;
  processes.scratch.write("envoy.yaml", prepare(policy, script).config);
  headgate.kill("SIGHUP");
  await headgate.says("reload refused", at);
  return headgate.output.slice(at);
}

test("a start that never ends, traps or fills its memory is refused by name, and traffic goes on", async () => {
  const { flags, config } = prepare(UNMETERED, []);
  const headgate = await processes.start(config, { flags });
  const load = new Load({ target: await headgate.listener(), keepAlive: 4, body: "ok" });
  const endless = await reload(headgate, ["configure loop"]);
  expect(endless).toMatch(
    /envoy\.yaml:\d+:\d+: static_resources\S+: plugin guest: proxy_on_configure did not end in 3000 ms \(start_time_ms\), module \S+guest\.wasm/,
  );
  const trap = await reload(headgate, ["vm_start say hello", "configure trap"]);
  expect(trap).toMatch(
    /plugin guest: unreachable \[trap\] in proxy_on_configure; .*hello.*, module /,
  );
  expect(trap).toContain(
    "wasm vm failed: unreachable [trap] in proxy_on_configure of plugin guest",
  );
  // The allocator takes new pages each time, and the configuration is long.
  const fill = Array.from({ length: 10 }, () => "configure get_buffer_bytes 6 0 max");
  const script = [
    "configure malloc grow",
    ...fill,
    "configure trap",
    `never say ${"x".repeat(60_000)}`,
  ];
  const hog = await reload(headgate, script, "default: {memory_pages: 8}");
  expect(hog).toMatch(/plugin guest: unreachable \[memory\] in proxy_on_configure/);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(load.answered).toBeGreaterThan(0);
  expect(headgate.output).not.toContain("worker_0 is stuck");
  expect(await headgate.stat("server.reload_rejected")).toBe(3);
});

test("a start that does not end behind what the probe saw of it has little time among streams", async () => {
  const policy = "default: {live_start_time_ms: 20}";
  const { flags, config } = prepare(policy, []);
  const headgate = await processes.start(config, { flags });
  const load = new Load({ target: await headgate.listener(), keepAlive: 4, body: "ok" });
  const said = await reload(
    headgate,
    ["configure set_shared_data k v 0", "configure loop"],
    policy,
  );
  // Five times 20 ms: its begin was measured, no more.
  expect(said).toMatch(
    /out of time: computed for \d+ ms of 100 \(live_start_time_ms\) \[fuel\] in proxy_on_configure/,
  );
  expect(said).toMatch(/envoy\.yaml:\d+:\d+: static_resources\S+: plugin guest: out of time/);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(await headgate.stat("wasm.guest.limit.live_start_time_ms")).toBeGreaterThan(0);
});

test("--mode validate says what does not end, and what calls out is not asked further", async () => {
  const run = async (script: readonly string[]): Promise<HeadgateProcess> => {
    const { flags, config } = prepare(UNMETERED, script);
    const path = processes.scratch.write("validate.json", config);
    return await processes.run("-c", path, "--mode", "validate", ...flags);
  };
  const endless = await run(["configure loop"]);
  expect(endless.child.exitCode).toBe(1);
  expect(endless.output).toContain("proxy_on_configure did not end in 3000 ms");
  const calls = await run(["configure set_shared_data k v 0", "configure trap"]);
  expect(calls.output).toContain("OK");
  expect(calls.child.exitCode).toBe(0);
});

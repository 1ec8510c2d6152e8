// Swaps of a plugin's module under load, by each way in; bench/swaps plays more of them and measures.
import { appendFileSync, writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "../bootstrap.ts";
import { useProcesses } from "../process-rig.ts";
import { moduleUpstream, SwapLoad } from "./load.ts";
import { SWAP_POLICY, VersionedModules } from "./modules.ts";
import { SwapRig, WAYS } from "./ways.ts";

const SWAPS = 4;
const CONNECTIONS = 16;

const upstream = moduleUpstream();
const processes = useProcesses({ concurrency: 2 });
let modules: VersionedModules;

beforeAll(async () => {
  modules = await VersionedModules.compile();
  await upstream.listen();
});
afterAll(() => upstream.close());

test.each(WAYS)(
  "by %s: nothing fails, nothing is closed, each answer is of one version",
  async (way) => {
    const rig = new SwapRig(way, processes.scratch, upstream.port);
    await rig.open();
    try {
      const policy = processes.scratch.write("policy.yaml", SWAP_POLICY);
      const flags = ["--wasm-policy", policy, ...rig.flags];
      const headgate = await processes.start(rig.config(modules.of("A")), { flags });
      const load = new SwapLoad(await headgate.listener(), CONNECTIONS, true);
      for (let i = 1; i <= SWAPS; i += 1) {
        const seen = load.answered;
        const letter = i % 2 === 0 ? "A" : "B";
        expect(await rig.swap(headgate, modules.of(letter))).toBe(true);
        await headgate.waitFor(() => load.answered > seen + CONNECTIONS, "traffic");
        const [kind, broken] = modules.broken[i % modules.broken.length] ?? [
          "none",
          modules.of("X"),
        ];
        expect([kind, await rig.swap(headgate, broken)]).toEqual([kind, false]);
      }
      await load.stop();
      expect(load.failures).toEqual([]);
      expect([load.failed, load.closed, load.mixed]).toEqual([0, 0, 0]);
      expect([...load.byModule.keys()].sort()).toEqual(["module-A", "module-B"]);
      // The old VMs end with their last streams.
      await headgate.waitFor(
        async () => (await headgate.stat("wasm.envoy.wasm.runtime.v8.active")) === 2,
        "the end of the old VMs",
      );
      expect(await headgate.stat("wasm.guest.stopped.trap")).toBe(0);
    } finally {
      rig.close();
    }
  },
);

test("a half-written file is refused, and its other half brings the module", async () => {
  const path = processes.scratch.path("guest.wasm");
  writeFileSync(path, modules.of("A"));
  const config = bootstrap({ upstreamPort: upstream.port, filters: [wasmFilter(path)] });
  const headgate = await processes.start(config, { flags: ["--watch-modules"] });
  const target = await headgate.listener();
  const seen = async (): Promise<string> => await (await fetch(`http://${target}/`)).text();
  const whole = modules.of("B");
  writeFileSync(path, whole.subarray(0, 500));
  await headgate.waitFor(async () => (await headgate.stat("wasm.module_update_rejected")) === 1);
  expect(await seen()).toBe("module-A");
  appendFileSync(path, whole.subarray(500));
  await headgate.waitFor(async () => (await headgate.stat("wasm.module_update_success")) === 1);
  expect(await seen()).toBe("module-B");
});

// A plugin that traps on every request of its route, in a real process: its neighbours feel nothing,
// before its breaker opens and after.
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const module: string = fileURLToPath(
  new URL("../../conformance/guests/wasm/c-trapping-dwarf4.wasm", import.meta.url),
);
const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 1 });
/** Of the open breaker's window this many take a small part. */
const WHILE_OPEN = 20;

/** A filter that is off for /good; its VM is made again after 0.1 to 2 seconds. */
function config(): object {
  const filter = wasmFilter(module, "guest") as { typed_config: { config: object } };
  const backoff = { base_interval: "0.1s", max_interval: "2s" };
  Object.assign(filter.typed_config.config, { reload_config: { backoff } });
  const type = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
  const route = { cluster: "up" };
  const good = {
    match: { prefix: "/good" },
    route,
    typed_per_filter_config: { guest: { "@type": type, disabled: true } },
  };
  const routes = [good, { match: { prefix: "/" }, route }];
  const hosts = [{ name: "all", domains: ["*"], routes }];
  return bootstrap({
    upstreamPort: upstream.port,
    filters: [filter],
    hcm: { route_config: { virtual_hosts: hosts } },
  });
}

/** One request that stops the guest, with one of the neighbour route beside it. */
async function both(target: string): Promise<void> {
  const bad = fetch(`http://${target}/bad`, { headers: { "x-fault": "trap" } });
  const good = fetch(`http://${target}/good`, { headers: { "x-fault": "trap" } });
  const answers = await Promise.all([bad, good]);
  const said = answers.map(async (answer) => `${answer.status} ${await answer.text()}`);
  expect(await Promise.all(said)).toEqual(["503 ", "200 ok"]);
}

interface Counts {
  readonly created: number;
  readonly refused: number;
}

async function counts(headgate: HeadgateProcess): Promise<Counts> {
  return {
    created: await headgate.stat("wasm.envoy.wasm.runtime.v8.created"),
    refused: await headgate.stat("wasm.guest.vm_reload_backoff"),
  };
}

test("a plugin that traps on every request harms nobody else, and is tried less and less", async () => {
  const headgate = await processes.start(config());
  const target = await headgate.listener();
  await headgate.waitFor(async () => {
    await both(target);
    return (await headgate.stat("wasm.guest.vm_crash_loop")) > 0;
  }, "the open breaker");
  await headgate.says("wasm vm of plugin guest crashes again and again: next try in ");
  // Ten crashes in a row, and no more VMs than that.
  const before = await counts(headgate);
  expect(before.created).toBeGreaterThanOrEqual(10);
  for (let i = 0; i < WHILE_OPEN; i += 1) await both(target);
  const after = await counts(headgate);
  const made = after.created - before.created;
  // Each was refused without the guest, but for one that may have been the breaker's try.
  expect(made).toBeLessThanOrEqual(1);
  expect(after.refused - before.refused).toBeGreaterThanOrEqual(WHILE_OPEN - 1);
  // All of it is one kind of request.
  await headgate.waitFor(async () => {
    const { queries_of_death: deadly } = JSON.parse(
      await headgate.admin("/wasm/plugins/guest/traps"),
    ) as { queries_of_death: readonly { count: number }[] };
    expect(deadly).toMatchObject([{ path: "/bad", method: "GET", kind: "trap" }]);
    return deadly[0]?.count === (await headgate.stat("wasm.guest.stopped.trap"));
  }, "a report of each trap");
});

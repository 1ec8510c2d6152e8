// The overload manager in a real process with two workers: a file says how full the resource is.
import { renameSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { KeptConnection } from "./http-clients.ts";
import { useProcesses } from "./process-rig.ts";

const API = "type.googleapis.com/envoy.extensions.resource_monitors";
const FILE = "envoy.resource_monitors.injected_resource";
const LIMIT = "envoy.resource_monitors.global_downstream_max_connections";

const processes = useProcesses({ concurrency: 2 });
let headgate: HeadgateProcess;
const clients: KeptConnection[] = [];

beforeEach(async () => {
  setPressure(0);
  const above = (value: number): object[] => [{ name: FILE, threshold: { value } }];
  const overload_manager = {
    refresh_interval: "0.01s",
    resource_monitors: [
      {
        name: FILE,
        typed_config: {
          "@type": `${API}.injected_resource.v3.InjectedResourceConfig`,
          filename: processes.scratch.path("pressure"),
        },
      },
      {
        name: LIMIT,
        typed_config: {
          "@type": `${API}.downstream_connections.v3.DownstreamConnectionsConfig`,
          max_active_downstream_connections: 3,
        },
      },
    ],
    actions: [
      { name: "envoy.overload_actions.stop_accepting_requests", triggers: above(0.9) },
      { name: "envoy.overload_actions.shrink_heap", triggers: above(0.9) },
    ],
  };
  const routes = [{ match: { prefix: "/" }, direct_response: { status: 200 } }];
  const hcm = { route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] } };
  const config = { ...bootstrap({ hcm }), overload_manager };
  headgate = await processes.start(config);
});

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});

function setPressure(value: number): void {
  renameSync(
    processes.scratch.write("pressure.new", String(value)),
    processes.scratch.path("pressure"),
  );
}

async function open(): Promise<KeptConnection> {
  const client = await KeptConnection.open(await headgate.listener());
  clients.push(client);
  return client;
}

/** The answer's status line; "" when the connection was closed instead. */
async function ask(client: KeptConnection): Promise<string> {
  const answer = await client.ask().catch(() => null);
  return answer === null ? "" : (answer.head.split("\r\n")[0] as string);
}

test("a full resource is answered with 503 by every worker, until it is not full", async () => {
  const waiting = [await open(), await open()];
  for (const client of waiting) expect(await ask(client)).toBe("HTTP/1.1 200 OK");
  setPressure(1);
  await headgate.waitFor(async () => {
    const answers = await Promise.all(waiting.map(ask));
    return answers.every((answer) => answer === "HTTP/1.1 503 Service Unavailable");
  });
  const action = "overload.envoy.overload_actions.stop_accepting_requests";
  expect(await headgate.stat(`${action}.active`)).toBe(1);
  expect(await headgate.stat(`overload.${FILE}.pressure`)).toBe(100);
  expect(await headgate.stat("http.main.downstream_rq_overload_close")).toBeGreaterThan(1);
  expect(await headgate.stat("overload.envoy.overload_actions.shrink_heap.shrink_count")).toBe(1);
  setPressure(0.5);
  await headgate.waitFor(async () => {
    const answers = await Promise.all(waiting.map(ask));
    return answers.every((answer) => answer === "HTTP/1.1 200 OK");
  });
  expect(await headgate.stat(`${action}.active`)).toBe(0);
});

test("connections of all workers together have a limit", async () => {
  const three = [await open(), await open(), await open()];
  for (const client of three) expect(await ask(client)).toBe("HTTP/1.1 200 OK");
  expect(await ask(await open())).toBe("");
  const overflow = (await headgate.admin("/stats"))
    .split("\n")
    .find((line) => /^listener\..*\.downstream_global_cx_overflow: 1$/.test(line));
  expect(overflow).toBeDefined();
  await headgate.waitFor(async () => (await headgate.stat(`overload.${LIMIT}.pressure`)) === 100);
  expect(await headgate.stat(`overload.${LIMIT}.failed_updates`)).toBe(1);
  (three[0] as KeptConnection).destroy();
  await headgate.waitFor(async () => (await headgate.stat(`overload.${LIMIT}.pressure`)) === 67);
  expect(await ask(await open())).toBe("HTTP/1.1 200 OK");
});

// Modules that come from an HTTP server, in a real process.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { bootstrap, socketAddress, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";
import { HttpUpstream } from "./upstreams.ts";

const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 2 });
let guest: Uint8Array;
/** What the server has. */
let guestNow: Uint8Array;
let sha256 = "";
/** Answers of 503 before the good one. */
let failures = 0;
let asked: string[] = [];

const store = new HttpUpstream((request, response) => {
  asked.push(`${request.headers.host} ${request.url}`);
  failures -= 1;
  if (failures >= 0) response.writeHead(503).end();
  else response.end(guestNow);
});

beforeAll(async () => {
  guest = await compileGuest("versioned");
  sha256 = createHash("sha256").update(guest).digest("hex");
  await store.listen();
});
beforeEach(() => {
  guestNow = guest;
  failures = 0;
  asked = [];
});
afterAll(() => store.close());

interface Wanted {
  /** Of the module's server. */
  readonly port?: number;
  readonly policy?: string;
  readonly isRequired?: boolean;
}

function configOf(digest: string, wanted: Wanted = {}): object {
  const { port = store.port, policy, isRequired = false } = wanted;
  const filter = wasmFilter("") as {
    typed_config: { config: { failure_policy?: string; vm_config: Record<string, unknown> } };
  };
  if (policy !== undefined) filter.typed_config.config.failure_policy = policy;
  const { vm_config } = filter.typed_config.config;
  vm_config["nack_on_code_cache_miss"] = isRequired;
  vm_config["code"] = {
    remote: {
      http_uri: { uri: "http://modules.local/a/guest.wasm", cluster: "store", timeout: "5s" },
      sha256: digest,
      retry_policy: { num_retries: 2, retry_back_off: { base_interval: "0.01s" } },
    },
  };
  const config = bootstrap({ upstreamPort: upstream.port, filters: [filter] }) as {
    static_resources: { clusters: object[] };
  };
  const lb_endpoints = [{ endpoint: { address: socketAddress(port) } }];
  config.static_resources.clusters.push({
    name: "store",
    type: "STATIC",
    load_assignment: { cluster_name: "store", endpoints: [{ lb_endpoints }] },
  });
  return config;
}

test("a module is fetched once, with retries, and a reload needs no server", async () => {
  failures = 2;
  const headgate = await processes.start(configOf(sha256));
  const answer = await fetch(`http://${await headgate.listener()}/`);
  expect(answer.headers.get("x-module")).toBe("module-A");
  expect(asked).toEqual(Array(3).fill("modules.local /a/guest.wasm"));
  expect(await headgate.stat("cluster.store.upstream_rq_503")).toBe(2);
  const from = headgate.output.length;
  headgate.child.kill("SIGHUP");
  await headgate.says("reloaded", from);
  expect(asked.length).toBe(3);
});

test("a module that comes later serves new streams; until then they fail, or pass", async () => {
  failures = 6;
  const headgate = await processes.start(configOf(sha256, { policy: "FAIL_CLOSED" }));
  expect(asked.length).toBeGreaterThanOrEqual(3);
  const url = `http://${await headgate.listener()}/`;
  await headgate.says("http://modules.local/a/guest.wasm was loaded again: version 2");
  const answer = await fetch(url);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-module")).toBe("module-A");
  expect(asked.length).toBe(7);
  expect(await headgate.stat("wasm.remote_load_pending")).toBe(0);
  expect(await headgate.stat("wasm.remote_load_fetch_successes")).toBe(1);
  expect(await headgate.stat("wasm.remote_load_fetch_failures")).toBe(4);
  expect(await headgate.stat("wasm.module_update_success")).toBe(1);
});

test("a server that is not there fails streams", async () => {
  const headgate = await processes.start(configOf(sha256, { port: 1, policy: "FAIL_CLOSED" }));
  const answer = await fetch(`http://${await headgate.listener()}/`);
  expect(answer.status).toBe(503);
  expect(await answer.text()).toBe("");
  expect(headgate.output).toContain("cannot be fetched from store: ");
  expect(await headgate.stat("wasm.remote_load_pending")).toBe(1);
});

test("nack_on_code_cache_miss refuses a configuration whose module cannot be had", async () => {
  const config = configOf(sha256, { port: 1, isRequired: true });
  const headgate = HeadgateProcess.launch(processes.scratch, config);
  const { code } = await headgate.exited;
  expect(code).toBe(1);
  const found = "http://modules.local/a/guest.wasm: cannot be had now";
  expect(headgate.output).toContain(`typed_config.config: ${found}, see nack_on_code_cache_miss`);
});

test("another module than the pinned one is not taken, and streams pass by fail_open", async () => {
  const headgate = await processes.start(configOf("0".repeat(64), { policy: "FAIL_OPEN" }));
  expect(headgate.output).toContain(`http://modules.local/a/guest.wasm: found sha256 ${sha256}`);
  const answer = await fetch(`http://${await headgate.listener()}/`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("x-module")).toBeNull();
  expect(await headgate.stat("wasm.remote_load_pending")).toBe(1);
});

test("a module that was fetched and is none refuses the configuration", async () => {
  guestNow = new Uint8Array([1, 2, 3]);
  const digest = createHash("sha256").update(guestNow).digest("hex");
  const headgate = HeadgateProcess.launch(processes.scratch, configOf(digest));
  const { code } = await headgate.exited;
  expect(code).toBe(1);
  expect(headgate.output).toContain("http://modules.local/a/guest.wasm: ");
});

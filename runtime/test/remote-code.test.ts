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
let sha256 = "";
/** Answers of 503 before the good one. */
let failures = 0;
let asked: string[] = [];

const store = new HttpUpstream((request, response) => {
  asked.push(`${request.headers.host} ${request.url}`);
  failures -= 1;
  if (failures >= 0) response.writeHead(503).end();
  else response.end(guest);
});

beforeAll(async () => {
  guest = await compileGuest("versioned");
  sha256 = createHash("sha256").update(guest).digest("hex");
  await store.listen();
});
beforeEach(() => {
  failures = 0;
  asked = [];
});
afterAll(() => store.close());

function configOf(digest: string, port = store.port): object {
  const filter = wasmFilter("") as {
    typed_config: { config: { vm_config: { code: object } } };
  };
  filter.typed_config.config.vm_config.code = {
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

async function refusal(config: object): Promise<string> {
  const headgate = HeadgateProcess.launch(processes.scratch, config);
  const { code } = await headgate.exited;
  expect(code).toBe(1);
  return headgate.output;
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

test("another module than the pinned one is refused", async () => {
  const said = await refusal(configOf("0".repeat(64)));
  expect(said).toContain(`http://modules.local/a/guest.wasm: found sha256 ${sha256}`);
});

test("a server that fails, or is not there, is told when the retries are used up", async () => {
  failures = 100;
  const words = "cannot be fetched from store: found status 503, expected 200";
  expect(await refusal(configOf(sha256))).toContain(words);
  expect(asked.length).toBe(3);
  expect(await refusal(configOf(sha256, 1))).toContain("remote connection failure");
});

// Wasm services of the bootstrap in a real process: without a listener, for ticks and calls.
import { writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { crashableMain } from "./headgate-process.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const processes = useProcesses({ concurrency: 2 });
const upstream = useUpstream("hello");
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
});

function service(name: string, singleton: boolean, script: readonly string[]): object {
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, guest);
  const { typed_config } = wasmFilter(module, name, script.join("\n")) as {
    typed_config: { config: object };
  };
  const type = "type.googleapis.com/envoy.extensions.wasm.v3.WasmService";
  return {
    name: "envoy.bootstrap.wasm",
    typed_config: { "@type": type, singleton, config: typed_config.config },
  };
}

function config(services: readonly object[]): object {
  return { ...bootstrap({ upstreamPort: upstream.port }), bootstrap_extensions: services };
}

const counted = (name: string): string[] => [
  `configure define_metric 0 ${name}_starts`,
  "configure increment_metric 4 1",
];

test("one for each worker, or one for the process", async () => {
  const headgate = await processes.start(
    config([service("each", false, counted("each")), service("one", true, counted("one"))]),
  );
  expect(await headgate.stat("wasmcustom.each_starts")).toBe(2);
  expect(await headgate.stat("wasmcustom.one_starts")).toBe(1);
});

test("a singleton is started again when its worker dies, and never twice", async () => {
  const script = [...counted("one"), "configure set_tick_period 20"];
  const services = [service("one", true, script), service("each", false, counted("each"))];
  const headgate = await processes.start(config(services), { command: crashableMain });
  await headgate.says("tick(1)");
  expect(await headgate.stat("wasmcustom.one_starts")).toBe(1);
  // The first worker is the first to die.
  const at = headgate.output.length;
  headgate.kill("SIGUSR2");
  await headgate.says(/worker 0 died/, at);
  await headgate.says("tick(1)", headgate.output.lastIndexOf("worker 0 died"));
  expect(await headgate.stat("wasmcustom.one_starts")).toBe(2);
  // Another worker's death is nothing to it.
  headgate.kill("SIGUSR2");
  await headgate.waitFor(async () => (await headgate.stat("wasmcustom.each_starts")) === 4);
  expect(await headgate.stat("wasmcustom.one_starts")).toBe(2);
});

test("a singleton has no standby: there is to be one of it", async () => {
  const headgate = await processes.start(
    config([service("one", true, []), service("each", false, [])]),
  );
  // Wishes are served in order: that of the singleton would have come before.
  await headgate.waitFor(async () => (await headgate.stat("wasm.each.standby_ready")) === 2);
  expect(await headgate.stat("wasm.one.standby_made")).toBe(0);
});

test("it ticks and calls clusters without any traffic, until the configuration has it no more", async () => {
  const call = "http_call up :method=GET,:path=/,:authority=a ~ ~ 1000";
  const script = [
    "configure set_tick_period 20",
    "configure define_metric 0 answers",
    `tick#1 ${call}`,
    "http_call_response get_header_map_value 6 :status",
    "http_call_response increment_metric 4 1",
  ];
  const headgate = await processes.start(config([service("one", true, script)]));
  await headgate.says("get_header_map_value 6 :status -> 0 [200]");
  expect(await headgate.stat("wasmcustom.answers")).toBe(1);
  processes.scratch.write("envoy.yaml", config([]));
  headgate.kill("SIGHUP");

  await headgate.says("done(1)");
  await headgate.says("delete(1)");
});

test("what is no wasm service is refused by name", async () => {
  const other = {
    name: "x",
    typed_config: { "@type": "type.googleapis.com/google.protobuf.StringValue", value: "x" },
  };
  const path = processes.scratch.write("bad.json", config([other]));
  const run = await processes.run("-c", path, "--mode", "validate");
  expect(run.output).toContain("the bootstrap extension google.protobuf.StringValue");
});

// The file of --wasm-policy: what it means, and what is said about mistakes.
import { expect, test } from "vitest";
import { ConfigErrors } from "./config-error.ts";
import { defaultWasmPolicy, policyOf } from "./wasm-policy.ts";
import { parseWasmPolicies, readWasmPolicies } from "./wasm-policy-reader.ts";

function problemsOf(text: string): string[] {
  try {
    parseWasmPolicies(text, "p.yaml");
    return [];
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    return error.message.split("\n");
  }
}

test("an empty file is the default for everything", () => {
  for (const text of ["", "{}", "default: {}\nplugins: {}"]) {
    const policies = parseWasmPolicies(text, "p.yaml");
    expect(policyOf(policies, "any")).toEqual(defaultWasmPolicy);
  }
});

test("a plugin has what its entry says, else what default says, else the default", () => {
  const text = `
default:
  fuel: {callback: 5000000}
  limits: {metrics: 10}
plugins:
  trusted: {fuel: off}
  waf:
    fuel: {configure: 20000000000}
    memory_pages: 4096
    limits: {log_lines_per_second: 5}
  metered: {fuel: on}
  from-json: {"fuel": "off", "standby": "off"}
  alone: {standby: off, start_time_ms: off, callback_time_ms: off, live_start_time_ms: off}
  slow: {start_time_ms: 60000, callback_time_ms: 1000, live_start_time_ms: 5000}
  ready: {standby: always}
`;
  const policies = parseWasmPolicies(text, "p.yaml");
  expect(policyOf(policies, "nobody").fuel?.callback).toBe(5_000_000);
  expect(policyOf(policies, "nobody").limits.metrics).toBe(10);
  expect(policyOf(policies, "trusted").fuel).toBeNull();
  expect(policyOf(policies, "from-json").fuel).toBeNull();
  expect(policyOf(policies, "metered").fuel?.callback).toBe(5_000_000);
  expect(
    ["nobody", "alone", "ready", "from-json"].map((n) => policyOf(policies, n).standby),
  ).toEqual(["on", "off", "always", "off"]);
  expect(["nobody", "alone", "slow"].map((n) => policyOf(policies, n).startTimeMs)).toEqual([
    30_000,
    null,
    60_000,
  ]);
  expect(["nobody", "alone", "slow"].map((n) => policyOf(policies, n).callbackTimeMs)).toEqual([
    200,
    null,
    1000,
  ]);
  expect(["nobody", "alone", "slow"].map((n) => policyOf(policies, n).liveStartTimeMs)).toEqual([
    200,
    null,
    5000,
  ]);
  const waf = policyOf(policies, "waf");
  expect(waf.fuel).toEqual({ callback: 5e6, configure: 2e10, start: 1e10 });
  expect([waf.memoryPagesMax, waf.limits.metrics, waf.limits.logLinesPerSecond]).toEqual([
    4096, 10, 5,
  ]);
});

test("mistakes are told at their places, all at once", () => {
  const text = `default:
  fule: off
  memory_pages: 70000
  limits: {metrics: 0, body_bytes: lots}
plugins:
  a: {fuel: {calback: 5}}
  b: 7
  c: {standby: warm}
  d: {files: many}
  e: {callback_time_ms: fast, start_time_ms: 0}
  f: {timing: often, trace: loud}
`;
  expect(problemsOf(text)).toEqual([
    'p.yaml:2:3: default.fule: unknown field (did you mean "fuel"?), ' +
      "expected fuel, callback_time_ms, memory_pages, start_time_ms, live_start_time_ms, standby, files, trace, " +
      "timing, debug_file, canary, version_header, limits",
    "p.yaml:3:17: default.memory_pages: found 70000, expected a whole number from 1 to 65536",
    "p.yaml:4:21: default.limits.metrics: found 0, expected a whole number from 1 to 2147483647",
    'p.yaml:4:36: default.limits.body_bytes: found "lots", ' +
      "expected a whole number from 1 to 2147483647",
    'p.yaml:6:14: plugins.a.fuel.calback: unknown field (did you mean "callback"?), ' +
      "expected callback, configure, start",
    "p.yaml:7:6: plugins.b: found 7, expected a map",
    'p.yaml:8:16: plugins.c.standby: found "warm", expected on, off or always',
    'p.yaml:9:14: plugins.d.files: found "many", expected on or off',
    'p.yaml:10:25: plugins.e.callback_time_ms: found "fast", ' +
      "expected a whole number from 1 to 2147483647, or off",
    "p.yaml:10:46: plugins.e.start_time_ms: found 0, " +
      "expected a whole number from 1 to 2147483647, or off",
    'p.yaml:11:29: plugins.f.trace: found "loud", ' +
      "expected a whole number from 1 to 2147483647, on, off, or a map of every and header",
    'p.yaml:11:15: plugins.f.timing: found "often", ' +
      "expected a whole number from 1 to 1000000, on or off",
  ]);
  expect(problemsOf("default: [")[0]).toMatch(/^p.yaml:1:\d+: not valid YAML/);
  expect(problemsOf("- a")).toEqual(["p.yaml:1:1: found a list, expected a map"]);
  expect(problemsOf("default: {fuel: fast}")[0]).toContain("expected off, on, or a map");
});

test("a file that is not there is named", () => {
  expect(() => readWasmPolicies("/nowhere/p.yaml")).toThrow(
    "/nowhere/p.yaml: cannot be read: no such file",
  );
});

test("a trace is of every stream, of one in so many, of those with a header", () => {
  const text = `plugins:
  on: {trace: on}
  tenth: {trace: 10}
  both: {trace: {every: 10, header: "x-debug: 1"}}
  named: {trace: {header: X-Debug}}`;
  const policies = parseWasmPolicies(text, "p.yaml");
  const traceOf = (plugin: string): unknown => policyOf(policies, plugin).trace;
  expect(["on", "tenth", "both", "named", "other"].map(traceOf)).toEqual([
    { every: 1, header: "", value: null },
    { every: 10, header: "", value: null },
    { every: 10, header: "x-debug", value: "1" },
    { every: 1, header: "x-debug", value: null },
    null,
  ]);
  expect(problemsOf('default: {trace: {header: "x y", other: 1}}')).toEqual([
    expect.stringContaining("p.yaml:1:34: default.trace.other: "),
    expect.stringContaining('default.trace.header: found "x y", expected the name of a request'),
  ]);
});

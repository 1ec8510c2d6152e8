import { chmodSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { AccessLogConfig } from "../snapshot.ts";
import {
  boot,
  type Fields,
  HCM_PATH,
  hcmOf,
  hcmProblems,
  translate,
  type,
  warnings,
  wasmFilter,
} from "./bootstrap-for-test.ts";

const LOGGERS = "envoy.extensions.access_loggers";
const FILE = `${LOGGERS}.file.v3.FileAccessLog`;
const STDOUT = `${LOGGERS}.stream.v3.StdoutAccessLog`;
const STDERR = `${LOGGERS}.stream.v3.StderrAccessLog`;
const WASM_LOG = `${LOGGERS}.wasm.v3.WasmAccessLog`;
const GRPC_LOG = `${LOGGERS}.grpc.v3.HttpGrpcAccessLogConfig`;
const at = `${HCM_PATH}.access_log[0]`;
const ignoring = { ignoreUnsupported: true };
const folder = mkdtempSync(join(tmpdir(), "access-log-reader-"));

const format = { omitEmptyValues: false, contentType: "", text: "", json: null };
const stdout = type(STDOUT);

async function logOf(log: Fields): Promise<AccessLogConfig> {
  const manager = await hcmOf({ access_log: [{ name: "l", ...log }] });
  return manager.accessLogs[0] as AccessLogConfig;
}

const logProblems = (log: Fields): Promise<string[]> =>
  hcmProblems({ access_log: [{ name: "l", ...log }] });
const fileProblems = (fields: Fields): Promise<string[]> =>
  logProblems({ typed_config: { ...type(FILE), path: "/dev/null", ...fields } });

describe("sinks", () => {
  const text = { text_format_source: { inline_string: "%PROTOCOL%\n" } };
  const json = { json_format: { b: "%PROTOCOL%", a: [1, true, null] }, omit_empty_values: true };
  const path = join(folder, "new.log");
  test.each<[string, Fields, unknown]>([
    ["file", { ...type(FILE), path }, { kind: "file", path, format: null }],
    [
      "file with a format",
      { ...type(FILE), path, log_format: text },
      { kind: "file", path, format: { ...format, kind: "text", text: "%PROTOCOL%\n" } },
    ],
    [
      "file with the deprecated format",
      { ...type(FILE), path, format: "%PROTOCOL%\n" },
      { kind: "file", path, format: { ...format, kind: "text", text: "%PROTOCOL%\n" } },
    ],
    [
      "file with the deprecated empty format",
      { ...type(FILE), path, format: "" },
      { kind: "file", path, format: null },
    ],
    [
      "file with the deprecated json_format",
      { ...type(FILE), path, json_format: { a: "%PROTOCOL%" } },
      { kind: "file", path, format: { ...format, kind: "json", json: { a: "%PROTOCOL%" } } },
    ],
    [
      "file with the deprecated typed_json_format",
      { ...type(FILE), path, typed_json_format: { a: { b: 5 } } },
      { kind: "file", path, format: { ...format, kind: "json", json: { a: { b: 5 } } } },
    ],
    ["stdout", stdout, { kind: "stdout", format: null }],
    [
      "stderr with a format",
      { ...type(STDERR), log_format: json },
      {
        kind: "stderr",
        format: {
          ...format,
          kind: "json",
          json: { b: "%PROTOCOL%", a: [1, true, null] },
          omitEmptyValues: true,
        },
      },
    ],
  ])("%s", async (_, typed, sink) => {
    expect(await logOf({ typed_config: typed })).toEqual({ name: "l", filter: null, sink });
  });

  test("wasm, named after the logger", async () => {
    const { typed_config } = wasmFilter("w") as { typed_config: { config: Fields } };
    const typed = { ...type(WASM_LOG), config: typed_config.config };
    const config = boot({ hcm: { access_log: [{ name: "l", typed_config: typed }] } });
    const { snapshot } = await translate(config);
    expect(snapshot.plugins.map((plugin) => plugin.name)).toEqual(["l"]);
    expect(snapshot.listeners[0]?.filterChains[0]?.hcm?.accessLogs).toEqual([
      { name: "l", filter: null, sink: { kind: "wasm", plugin: 0 } },
    ]);
  });

  test.each<[Fields, string]>([
    [{}, ".typed_config: not set: value is required"],
    [
      {
        typed_config: {
          ...type(GRPC_LOG),
          common_config: { log_name: "x", grpc_service: { envoy_grpc: { cluster_name: "up" } } },
        },
      },
      `.typed_config: the access logger ${GRPC_LOG} is not implemented by Headgate`,
    ],
    [{ typed_config: type(WASM_LOG) }, ".typed_config.config: not set: value is required"],
  ])("refuse %j", async (log, expected) => {
    expect(await logProblems(log)).toEqual([`${at}${expected}`]);
  });

  test("must be writable, and are not made", async () => {
    expect(await fileProblems({ path: folder })).toEqual([
      `${at}.typed_config.path: unable to open the file ${folder}: is a directory`,
    ]);
    const missing = join(folder, "none", "x.log");
    expect(await fileProblems({ path: missing })).toEqual([
      `${at}.typed_config.path: unable to open the file ${missing}: ENOENT: no such file or directory, access '${join(folder, "none")}'`,
    ]);
    const path = join(folder, "made.log");
    writeFileSync(path, "");
    chmodSync(path, 0o600);
    expect(await fileProblems({ path })).toEqual([]);
  });

  test("are left out when told to ignore them", async () => {
    const typed = {
      ...type(GRPC_LOG),
      common_config: { log_name: "x", grpc_service: { envoy_grpc: { cluster_name: "up" } } },
    };
    const config = boot({ hcm: { access_log: [{ name: "l", typed_config: typed }] } });
    const { snapshot } = await translate(config, ignoring);
    expect(snapshot.listeners[0]?.filterChains[0]?.hcm?.accessLogs).toEqual([]);
  });
});

describe("formats", () => {
  const source = (text: string): Fields => ({ text_format_source: { inline_string: text } });
  const inFormat = `${at}.typed_config.log_format`;
  test.each<[Fields, string]>([
    [
      source("50% x"),
      ".text_format_source: incorrect configuration: 50% x. Couldn't find valid command at position 2",
    ],
    [source("%NOPE%"), ".text_format_source: not supported field in StreamInfo: NOPE"],
    [
      { json_format: { a: { b: "%NOPE%" } } },
      ".json_format: not supported field in StreamInfo: NOPE",
    ],
    [{ text_format: "%CEL(1)%" }, ".text_format: the command %CEL% is not implemented by Headgate"],
    [{ ...source("a"), formatters: [{}] }, ".formatters: not implemented by Headgate"],
  ])("refuse %j", async (fields, expected) => {
    expect(await fileProblems({ log_format: fields })).toContain(`${inFormat}${expected}`);
  });

  test("fall back to Envoy's default line when told to ignore their commands", async () => {
    const typed = { ...stdout, log_format: source("%CEL(1)%") };
    const config = boot({ hcm: { access_log: [{ name: "l", typed_config: typed }] } });
    expect(await warnings(config, ignoring)).toEqual([
      `${inFormat}.text_format_source: the command %CEL% is not implemented by Headgate`,
    ]);
    const { snapshot } = await translate(config, ignoring);
    const [log] = snapshot.listeners[0]?.filterChains[0]?.hcm?.accessLogs ?? [];
    expect(log?.sink).toEqual({ kind: "stdout", format: null });
  });
});

describe("filters", () => {
  const value = { default_value: 500, runtime_key: "k" };
  const comparison = { op: "GE", value };
  const ours = { kind: "status_code", op: "ge", value: 500, runtimeKey: "k" };
  const share = { kind: "runtime", runtimeKey: "k", denominator: 100 };
  const traceable = { traceable_filter: {} };
  const metadata = { metadata_filter: {} };

  test.each<[Fields, unknown]>([
    [{ status_code_filter: { comparison } }, ours],
    [{ status_code_filter: { comparison: { value } } }, { ...ours, op: "eq" }],
    [
      { duration_filter: { comparison: { op: "LE", value } } },
      { ...ours, kind: "duration", op: "le" },
    ],
    [
      { duration_filter: { comparison: { op: "NE", value } } },
      { ...ours, kind: "duration", op: "ne" },
    ],
    [{ not_health_check_filter: {} }, { kind: "not_health_check" }],
    [traceable, { kind: "traceable" }],
    [
      {
        runtime_filter: {
          runtime_key: "k",
          percent_sampled: { numerator: 5 },
          use_independent_randomness: true,
        },
      },
      { ...share, numerator: 5, useIndependentRandomness: true },
    ],
    [
      { runtime_filter: { runtime_key: "k" } },
      { ...share, numerator: 0, useIndependentRandomness: false },
    ],
    [
      { and_filter: { filters: [traceable, { status_code_filter: { comparison } }] } },
      { kind: "and", filters: [{ kind: "traceable" }, ours] },
    ],
    [
      { or_filter: { filters: [traceable, { status_code_filter: { comparison } }] } },
      { kind: "or", filters: [{ kind: "traceable" }, ours] },
    ],
    [
      { header_filter: { header: { name: "X-A" } } },
      {
        kind: "header",
        header: {
          name: "x-a",
          match: { kind: "present", present: true },
          invert: false,
          treatMissingAsEmpty: false,
        },
      },
    ],
    [{ response_flag_filter: {} }, { kind: "response_flag", flags: 0 }],
    [
      { response_flag_filter: { flags: ["LH", "NR", "UDO"] } },
      { kind: "response_flag", flags: 0x20000101 },
    ],
    [
      { grpc_status_filter: { statuses: ["OK", "CANCELED", "UNAUTHENTICATED"], exclude: true } },
      { kind: "grpc_status", statuses: [0, 1, 16], exclude: true },
    ],
  ])("%j", async (filter, expected) => {
    expect((await logOf({ typed_config: stdout, filter })).filter).toEqual(expected);
  });

  test.each<[Fields, string]>([
    [metadata, ".filter.metadata_filter: metadata_filter is not implemented by Headgate"],
    [
      { log_type_filter: { types: ["DownstreamEnd"] } },
      ".filter.log_type_filter: log_type_filter is not implemented by Headgate",
    ],
    [
      { and_filter: { filters: [traceable, metadata] } },
      ".filter.and_filter.filters[1].metadata_filter: metadata_filter is not implemented by Headgate",
    ],
  ])("refuse %j", async (filter, expected) => {
    expect(await logProblems({ typed_config: stdout, filter })).toEqual([`${at}${expected}`]);
  });

  test.each<[Fields, unknown]>([
    [metadata, null],
    [
      { and_filter: { filters: [traceable, metadata] } },
      { kind: "and", filters: [{ kind: "traceable" }] },
    ],
    [{ and_filter: { filters: [metadata, metadata] } }, null],
    [{ or_filter: { filters: [traceable, metadata] } }, null],
  ])("log rather too much than too little when told to ignore: %j", async (filter, expected) => {
    const log = { name: "l", typed_config: stdout, filter };
    const { snapshot } = await translate(boot({ hcm: { access_log: [log] } }), ignoring);
    expect(snapshot.listeners[0]?.filterChains[0]?.hcm?.accessLogs[0]?.filter).toEqual(expected);
  });
});

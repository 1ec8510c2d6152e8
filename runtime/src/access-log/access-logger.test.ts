import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { AccessLogConfig } from "../config/access-log-config.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import { SeededRandom } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { StreamInfo } from "../core/stream-info.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import { StatsStore } from "../stats/store.ts";
import { createAccessLoggers } from "./access-logger.ts";
import type { AccessLogContext } from "./access-logger.ts";
import { FileSinks, FileStats } from "./file-sink.ts";

let folder: string;
let sinks: FileSinks;
let wasmCalls: number[];
let context: AccessLogContext;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "headgate-log-"));
  const stats = new FileStats(new StatsStore({ slotsMax: 5000 }));
  sinks = new FileSinks({ flushIntervalMs: 1000, stats });
  wasmCalls = [];
  context = {
    clock: new Clock({ monotonicMs: () => 1000, epochMs: () => 1_795_264_785_000 }),
    random: new SeededRandom(1),
    runtime: new Runtime(),
    hostname: "box",
    sinks,
    createWasmLogger: (plugin): AccessLogger => ({
      log: () => {
        wasmCalls.push(plugin);
      },
    }),
  };
});

afterEach(() => {
  sinks.close();
  rmSync(folder, { recursive: true });
});

function stream(status: number): { info: StreamInfo; request: HeaderMap } {
  const info = new StreamInfo();
  info.startMs = 1000;
  info.endMs = 1003;
  info.responseCode = status;
  info.protocol = 11;
  const request = new HeaderMap();
  request.method = "GET";
  request.path = "/a";
  request.authority = "h";
  request.set("x-bytes", "\u00ff\u00e9");
  return { info, request };
}

const base = { json: null, omitEmptyValues: false, contentType: "" } as const;
const only500: AccessLogConfig["filter"] = {
  kind: "status_code",
  op: "ge",
  value: 500,
  runtimeKey: "",
};

test("each logger has its format and its filter; one path is one file", () => {
  const path = join(folder, "a.log");
  const text = "%HOSTNAME% %RESPONSE_CODE% %REQ(X-BYTES)%\n";
  const loggers = createAccessLoggers(
    [
      { name: "default", filter: null, sink: { kind: "file", path, format: null } },
      {
        name: "text",
        filter: only500,
        sink: { kind: "file", path, format: { ...base, kind: "text", text } },
      },
      {
        name: "json",
        filter: null,
        sink: {
          kind: "file",
          path,
          format: { ...base, kind: "json", text: "", json: { c: "%RESPONSE_CODE%" } },
        },
      },
    ],
    context,
  );
  for (const status of [200, 500]) {
    const { info, request } = stream(status);
    for (const logger of loggers) logger.log(info, request, null, null);
  }
  sinks.flushSync();
  const line = (status: number): string =>
    `[2026-11-21T12:39:45.000Z] "GET /a HTTP/1.1" ${status} - 0 0 3 - "-" "-" "-" "h" "-"\n`;
  expect(readFileSync(path, "latin1")).toBe(
    `${line(200)}{"c":200}\n${line(500)}box 500 \u00ff\u00e9\n{"c":500}\n`,
  );
});

test("a guest's logger is asked behind its filter", () => {
  const loggers = createAccessLoggers(
    [
      { name: "w", filter: only500, sink: { kind: "wasm", plugin: 3 } },
      { name: "v", filter: null, sink: { kind: "wasm", plugin: 4 } },
    ],
    context,
  );
  for (const status of [200, 503]) {
    const { info, request } = stream(status);
    for (const logger of loggers) logger.log(info, request, null, null);
  }
  expect(wasmCalls).toEqual([4, 3, 4]);
});

test("a format that configuration should have refused is an error", () => {
  const format = { ...base, kind: "text", text: "%NOPE%" } as const;
  const config: AccessLogConfig = { name: "x", filter: null, sink: { kind: "stderr", format } };
  expect(() => createAccessLoggers([config], context)).toThrow("NOPE");
});

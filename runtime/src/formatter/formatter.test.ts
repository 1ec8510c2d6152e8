import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Clock } from "../core/clock.ts";
import { ConnectionInfo } from "../core/connection-info.ts";
import { SeededRandom } from "../core/random.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import { Protocol, StreamInfo } from "../core/stream-info.ts";
import type { JsonValue } from "./format-config.ts";
import { FormatContext } from "./format-context.ts";
import { headersOf } from "./formatter-for-test.ts";
import { compileFormat, compileText, DEFAULT_LOG_FORMAT } from "./formatter.ts";
import { compileTimeFormat, isoTime } from "./time-format.ts";

/** What Envoy 1.40 logged for six requests, by format: without and with omit_empty_values. */
interface Recorded {
  readonly texts: Readonly<Record<string, readonly (readonly [string, string] | null)[]>>;
  readonly jsonTree: JsonValue;
  readonly jsonLines: readonly (readonly [string, string])[];
  /** START_TIME of 1795264784.749641 with TZ=America/New_York. */
  readonly times: Readonly<Record<string, string>>;
  /** Envoy's complaint, null when it accepts the format. */
  readonly errors: Readonly<Record<string, string | null>>;
}

const recorded = JSON.parse(
  readFileSync(new URL("./fixtures/envoy-formats.json", import.meta.url), "utf8"),
) as Recorded;

/** Names that Envoy 1.40's formatter takes. */
const commands = JSON.parse(
  readFileSync(new URL("./fixtures/envoy-commands.json", import.meta.url), "utf8"),
) as readonly string[];

/** What needs data that is not there yet. */
const laterCommands: readonly string[] = [
  "CEL",
  "CLUSTER_METADATA",
  "COALESCE",
  "DOWNSTREAM_CX_RTT",
  "DOWNSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
  "DOWNSTREAM_DETECTED_CLOSE_TYPE",
  "DOWNSTREAM_HEADER_BYTES_RECEIVED",
  "DOWNSTREAM_LOCAL_CLOSE_REASON",
  "QUERY_PARAMS",
  "ROUTE_RESOLUTION_COUNT",
  "ROUTE_RESOLUTION_TIME_US",
  "UPSTREAM_CONNECTION_IDS_ATTEMPTED",
  "UPSTREAM_DECOMPRESSED_HEADER_BYTES_RECEIVED",
  "UPSTREAM_DETECTED_CLOSE_TYPE",
  "UPSTREAM_HEADER_BYTES_RECEIVED",
  "UPSTREAM_HOSTS_ATTEMPTED",
  "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT",
  "UPSTREAM_HOST_NAMES_ATTEMPTED",
  "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT",
  "UPSTREAM_LOCAL_CLOSE_REASON",
  "UPSTREAM_METADATA",
  "XFCC_VALUE",
];

const environment = { TZ: process.env["TZ"], FOOENV: process.env["FOOENV"] };

beforeAll(() => {
  process.env["TZ"] = "America/New_York";
  process.env["FOOENV"] = "envvalue";
});

afterAll(() => {
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = value;
  }
});

const clock = new Clock({ monotonicMs: () => 1000, epochMs: () => 1_795_264_785_000 });

interface Stream {
  readonly request: Readonly<Record<string, string>> | null;
  readonly response: Readonly<Record<string, string>>;
  readonly info: Partial<StreamInfo>;
}

const upstream: Partial<StreamInfo> = {
  upstreamCluster: "up",
  upstreamHost: "127.0.0.1:28109",
  upstreamHostName: "hn",
  upstreamLocalAddress: "127.0.0.1:47088",
  upstreamConnectionId: 2,
  attemptCount: 1,
  responseCode: 200,
  responseCodeDetails: "via_upstream",
  bytesSent: 2,
};
const get = { ":method": "GET", ":authority": "h", ":scheme": "http" };
const fromUpstream = {
  ":status": "200",
  "x-up": "a",
  "x-long": "0123456789",
  "x-bin": 'caf\u00e9 "q" \\ \ttab',
};

/** The streams that stand behind the recorded lines. */
const streams: readonly Stream[] = [
  {
    request: {
      ...get,
      ":path": "/ok/p?a=1&b=two%20x&e=",
      ":authority": "h.example:80",
      "x-a": "va",
      "x-b": "vb",
      "x-long": "abcdefghij",
      "x-dup": "d1",
      "x-empty": "",
      "x-utf": '\u00c3\u00a9\u00c3\u00bc\u00e9 "q" \\ ?',
    },
    response: { ":status": "200" },
    info: {
      responseCode: 200,
      responseCodeDetails: "direct_response",
      bytesSent: 2,
      routeName: "okroute",
    },
  },
  {
    request: {
      ...get,
      ":method": "POST",
      ":path": "/new/x?a=1&b=two",
      "x-envoy-original-path": "/rw/x?a=1&b=two",
      "x-utf": "\u00e9",
    },
    response: fromUpstream,
    info: { ...upstream, bytesReceived: 3 },
  },
  {
    request: { ...get, ":path": "/up/grpc", "content-type": "application/grpc" },
    response: { ...fromUpstream, "grpc-status": "5" },
    info: upstream,
  },
  {
    request: { ...get, ":path": "/dead" },
    response: { ":status": "503" },
    info: {
      responseCode: 503,
      responseCodeDetails:
        "upstream_reset_before_response_started{remote_connection_failure|" +
        "delayed_connect_error:_Connection_refused}",
      responseFlags: ResponseFlag.UpstreamConnectionFailure,
      bytesSent: 98,
      upstreamCluster: "dead",
      upstreamHost: "127.0.0.1:28108",
      upstreamTransportFailureReason: "delayed connect error: Connection refused",
      attemptCount: 1,
    },
  },
  {
    request: { ...get, ":path": "/none" },
    response: { ":status": "404" },
    info: {
      responseCode: 404,
      responseCodeDetails: "route_not_found",
      responseFlags: ResponseFlag.NoRouteFound,
    },
  },
  {
    request: null,
    response: { ":status": "400" },
    info: {
      responseCode: 400,
      responseCodeDetails: "http1.codec_error",
      responseFlags: ResponseFlag.DownstreamProtocolError,
      bytesSent: 11,
    },
  },
];

function contextOf(stream: Stream): FormatContext {
  const peer = { ip: "127.0.0.1", port: 5000 };
  const local = { ip: "127.0.0.1", port: 28120 };
  const info = new StreamInfo();
  info.reset(new ConnectionInfo(1, peer, local, 900), 1, 749.641);
  info.protocol = Protocol.Http11;
  Object.assign(info, stream.info);
  const context = new FormatContext(clock);
  const request = stream.request === null ? null : headersOf(stream.request);
  context.set(info, request, headersOf(stream.response), null);
  return context;
}

function textOf(format: string, omitEmptyValues: boolean, context: FormatContext): string {
  const compiled = compileText(format, { hostname: "vm", omitEmptyValues });
  return typeof compiled === "function" ? compiled(context) : `error: ${compiled.message}`;
}

test.each(Object.entries(recorded.texts))("%s gives what it gives in Envoy", (format, rows) => {
  for (const [i, row] of rows.entries()) {
    if (row === null) continue;
    const context = contextOf(streams[i] as Stream);
    const texts = [textOf(format, false, context), textOf(format, true, context)];
    expect(texts, `stream ${i}`).toEqual(row);
  }
});

test.each(recorded.jsonLines.map((lines, i) => [i, lines] as const))(
  "the JSON line of stream %d is Envoy's, byte for byte",
  (i, lines) => {
    const context = contextOf(streams[i] as Stream);
    const tree = recorded.jsonTree as Readonly<Record<string, JsonValue>>;
    const written = [false, true].map((omitEmptyValues) => {
      const json = { ...tree, _id: omitEmptyValues ? "J0o" : "J0" };
      const base = { kind: "json", text: "", contentType: "" } as const;
      const compiled = compileFormat({ ...base, json, omitEmptyValues }, "vm");
      return typeof compiled === "function" ? compiled(context) : compiled.message;
    });
    expect(written).toEqual(lines.map((line) => `${line}\n`));
  },
);

test("time formats give what they give in Envoy, in UTC and in local time", () => {
  const at = 1_795_264_784_749.641;
  const ours: Record<string, string> = {};
  for (const format of Object.keys(recorded.times)) {
    const [, local, args = ""] = /^%START_TIME(_LOCAL)?\((.*)\)%$/.exec(format) ?? [];
    ours[format] = compileTimeFormat(args, local !== undefined)(at);
  }
  expect(ours).toEqual(recorded.times);
});

test.each([
  ["2024-12-30T00:00:00Z", "%G-%V %g %U %W %j", "2025-01 25 52 53 365"],
  ["2027-01-01T00:00:00Z", "%G-%V %g %U %W %j", "2026-53 26 00 00 001"],
  ["2024-02-29T23:59:59.999Z", "%e %k %l %I %E*S", "29 23 11 11 59.999"],
  ["2026-01-02T03:04:05Z", "%-d %_d %0e %-H %E*S %E2S %E*f", "2  2 02 3 05 05.00 0"],
])("%s as %s is %s", (time, format, text) => {
  expect(compileTimeFormat(format, false)(Date.parse(time))).toBe(text);
});

test("the default time carries milliseconds over seconds", () => {
  const format = isoTime();
  expect(format(1_795_264_784_749.9)).toBe("2026-11-21T12:39:44.749Z");
  expect(format(1_795_264_784_001)).toBe("2026-11-21T12:39:44.001Z");
  expect(format(1_795_264_785_000)).toBe("2026-11-21T12:39:45.000Z");
});

test("what Envoy refuses is refused, what it accepts is accepted or not implemented yet", () => {
  const wrong: string[] = [];
  for (const [format, complaint] of Object.entries(recorded.errors)) {
    const compiled = compileText(format, { hostname: "vm", omitEmptyValues: false });
    const verdict =
      typeof compiled === "function" ? "ok" : compiled.isUnimplemented ? "later" : "refused";
    if (complaint === null ? verdict === "refused" : verdict === "ok") wrong.push(format);
  }
  expect(wrong).toEqual([]);
});

test("each command of Envoy 1.40 works or is refused as not implemented, by its name", () => {
  const later: string[] = [];
  const unknown: string[] = [];
  for (const name of commands) {
    // Those that want arguments complain of them; that shows they are known.
    const compiled = compileText(`%${name}%`, { hostname: "vm", omitEmptyValues: false });
    if (typeof compiled === "function") continue;
    if (compiled.isUnimplemented) later.push(name);
    else if (compiled.message.startsWith("not supported")) unknown.push(name);
  }
  expect({ later, unknown }).toEqual({ later: laterCommands, unknown: [] });
});

test("metadata: dynamic only, other kinds come later", () => {
  const message = (format: string): string => {
    const compiled = compileText(format, { hostname: "", omitEmptyValues: false });
    return typeof compiled === "function" ? "" : compiled.message;
  };
  expect(message("%METADATA(DYNAMIC:a:b)%")).toBe("");
  expect(message("%METADATA(ROUTE:a:b)%")).toBe(
    "the command %METADATA(ROUTE:a:b)% is not implemented by Headgate yet",
  );
  expect(message("%METADATA(NOWHERE:a)%")).toBe("METADATA has an unknown type NOWHERE");
});

test("errors name the command or the place", () => {
  const message = (format: string): string => {
    const compiled = compileText(format, { hostname: "", omitEmptyValues: false });
    return typeof compiled === "function" ? "" : compiled.message;
  };
  expect(message("%REQ%")).toBe("REQ requires parameters");
  expect(message("%NOPE%")).toBe("not supported field in StreamInfo: NOPE");
  expect(message("%CEL(x)%")).toContain("not implemented by Headgate yet");
  expect(message("ab %x")).toContain("at position 3");
  expect(message("%PROTOCOL:3%")).toBe("PROTOCOL does not allow length to be specified");
});

test("the default line is Envoy's", () => {
  const context = contextOf(streams[3] as Stream);
  const info = context.info as StreamInfo;
  info.startMs = 749.641;
  info.endMs = 754.9;
  expect(textOf(DEFAULT_LOG_FORMAT, false, context)).toBe(
    '[2026-11-21T12:39:44.749Z] "GET /dead HTTP/1.1" 503 UF 0 98 5 - "-" "-" "-" "h" ' +
      '"127.0.0.1:28108"\n',
  );
});

test("durations need both their ends and are whole", () => {
  const context = contextOf(streams[1] as Stream);
  const info = context.info as StreamInfo;
  info.startMs = 100;
  info.requestEndMs = 101.9;
  info.upstreamFirstRxMs = 104.25;
  info.downstreamLastTxMs = 106;
  info.endMs = 107;
  expect(textOf("%REQUEST_DURATION% %RESPONSE_DURATION%", false, context)).toBe("1 4");
  expect(textOf("%RESPONSE_TX_DURATION% %DURATION%", false, context)).toBe("1 7");
  expect(textOf("%REQUEST_TX_DURATION%", false, context)).toBe("-");
  expect(textOf("%COMMON_DURATION(DS_RX_BEG:US_RX_BEG:us)%", false, context)).toBe("4250");
  expect(textOf("%COMMON_DURATION(DS_RX_BEG:US_RX_BEG)%", false, context)).toBe("4");
  expect(textOf("%COMMON_DURATION(DS_RX_BEG:SOMETHING:ms)%", false, context)).toBe("-");
});

test("gRPC statuses come from trailers, headers, or the HTTP status", () => {
  const context = contextOf(streams[2] as Stream);
  const format = "%GRPC_STATUS%|%GRPC_STATUS(SNAKE_STRING)%|%GRPC_STATUS_NUMBER%";
  context.responseTrailers = headersOf({ "grpc-status": "1" });
  expect(textOf(format, false, context)).toBe("Canceled|CANCELLED|1");
  context.responseTrailers = headersOf({ "grpc-status": "99" });
  expect(textOf(format, false, context)).toBe("-1|-1|-1");
  context.responseTrailers = null;
  context.responseHeaders = headersOf({ ":status": "503" });
  (context.info as StreamInfo).responseCode = 503;
  expect(textOf(format, false, context)).toBe("Unavailable|UNAVAILABLE|14");
});

test("dynamic metadata and filter state keep their values", () => {
  const context = contextOf(streams[1] as Stream);
  const info = context.info as StreamInfo;
  const values = new Map<string, unknown>([
    ["text", "\u00e9"],
    ["number", 1.5],
    ["tree", { a: [1, { b: true }] }],
  ]);
  info.dynamicMetadata = new Map([["ns", values]]);
  info.filterState = new Map([["wasm.k", Buffer.from("v\u00e9", "utf8")]]);
  expect(textOf("%DYNAMIC_METADATA(ns:text)%", false, context)).toBe("\u00c3\u00a9");
  expect(textOf("%DYNAMIC_METADATA(ns:number)%", false, context)).toBe("1.5");
  expect(textOf("%DYNAMIC_METADATA(ns:tree:a)%", false, context)).toBe('[1,{"b":true}]');
  expect(textOf("%DYNAMIC_METADATA(ns:tree:a):3%", false, context)).toBe("[1,");
  expect(textOf("%DYNAMIC_METADATA(ns:none)%", false, context)).toBe("-");
  expect(textOf("%DYNAMIC_METADATA(ns)%", false, context)).toContain('"number":1.5');
  expect(textOf("%FILTER_STATE(wasm.k:PLAIN)%", false, context)).toBe("v\u00c3\u00a9");
});

const JSON_CONFIG = { kind: "json", text: "", omitEmptyValues: false, contentType: "" } as const;

test("filter state shows itself as Envoy's object of its key does", () => {
  const context = contextOf(streams[1] as Stream);
  const info = context.info as StreamInfo;
  const state = (texts: Readonly<Record<string, string>>): Map<string, Uint8Array> =>
    new Map(Object.entries(texts).map(([key, text]) => [key, Buffer.from(text)]));
  info.filterState = state({
    "envoy.string": 'a "b"',
    "wasm.k": "v",
    "envoy.tcp_proxy.cluster": "up",
  });
  (info.connection as ConnectionInfo).filterState = state({
    "envoy.upstream.dynamic_port": "80",
    "wasm.k": "hidden",
  });
  const shown = (format: string): string => textOf(format, false, context);
  expect(shown("%FILTER_STATE(envoy.string)% %FILTER_STATE(envoy.string:PLAIN)%")).toBe(
    '"a \\"b\\"" a "b"',
  );
  const bytes = '{"@type":"type.googleapis.com/google.protobuf.BytesValue","value":"dg=="}';
  expect(shown("%FILTER_STATE(wasm.k)%|%FILTER_STATE(wasm.k:TYPED):3%")).toBe(`${bytes}|{"@`);
  expect(shown("%FILTER_STATE(envoy.tcp_proxy.cluster)%")).toBe("-");
  expect(shown("%FILTER_STATE(envoy.upstream.dynamic_port)%")).toBe("80");
  const json = { a: "%FILTER_STATE(wasm.k):3%", b: "%FILTER_STATE(envoy.upstream.dynamic_port)%" };
  const line = compileFormat({ ...JSON_CONFIG, json }, "");
  expect(typeof line === "function" && line(context)).toBe(`{"a":${bytes},"b":80}\n`);
});

test("configuration text becomes UTF-8 bytes, one character each", () => {
  const base = { text: "", json: null, omitEmptyValues: false, contentType: "" } as const;
  const context = contextOf(streams[1] as Stream);
  const text = compileFormat({ ...base, kind: "text", text: "\u20ac %REQ(X-UTF)%" }, "");
  const json = compileFormat({ ...base, kind: "json", json: { "\u20ac": "\u20ac" } }, "");
  if (typeof text !== "function" || typeof json !== "function") throw new Error("refused");
  expect(text(context)).toBe("\u00e2\u0082\u00ac \u00e9");
  expect(json(context)).toBe('{"\u00e2\u0082\u00ac":"\u00e2\u0082\u00ac"}\n');
});

test("any text either compiles or is refused in words, and what compiles runs", () => {
  const random = new SeededRandom(7);
  const words = "% %% ( ) : ? REQ RESP START_TIME PROTOCOL x-a 3 DURATION PATH NQ %REQ(x)% \u00ff";
  const pieces = words.split(" ");
  const context = contextOf(streams[0] as Stream);
  const problems: string[] = [];
  let compiledCount = 0;
  for (let round = 0; round < 20_000; round += 1) {
    let format = "";
    for (let length = random.u32() % 9; length > 0; length -= 1) {
      format += pieces[random.u32() % pieces.length];
    }
    const compiled = compileText(format, { hostname: "h", omitEmptyValues: false });
    if (typeof compiled === "function") compiledCount += 1;
    const text = typeof compiled === "function" ? compiled(context) : compiled.message;
    if (typeof text !== "string" || (text === "" && typeof compiled !== "function")) {
      problems.push(format);
    }
  }
  expect(problems).toEqual([]);
  expect(compiledCount).toBeGreaterThan(1000);
});

test("the client's address is the stream's, where a proxy told it", () => {
  const peer = { ip: "10.0.0.1", port: 5000 };
  const info = new StreamInfo();
  info.reset(new ConnectionInfo(1, peer, peer, 0), 1, 0);
  const context = new FormatContext(new Clock());
  context.set(info, null, null, null);
  const format =
    "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT% " +
    "%DOWNSTREAM_REMOTE_PORT% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%";
  expect(textOf(format, false, context)).toBe("10.0.0.1:5000 10.0.0.1 5000 10.0.0.1:5000");
  info.forwardedIp = "2001:db8::1";
  expect(textOf(format, false, context)).toBe("[2001:db8::1]:0 2001:db8::1 0 10.0.0.1:5000");
});

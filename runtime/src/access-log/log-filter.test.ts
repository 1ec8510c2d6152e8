// Answers recorded from Envoy 1.40: one access log per filter, one request per row.
import { expect, test } from "vitest";
import type { AccessLogFilterConfig, ComparisonOp } from "../config/access-log-config.ts";
import { Clock } from "../core/clock.ts";
import { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import { Runtime } from "../core/runtime.ts";
import { ResponseFlag } from "../core/response-flags.ts";
import { StreamInfo } from "../core/stream-info.ts";
import { compileLogFilter } from "./log-filter.ts";

const status = (op: ComparisonOp, value: number): AccessLogFilterConfig => ({
  kind: "status_code",
  op,
  value,
  runtimeKey: "",
});
const duration = (op: ComparisonOp, value: number): AccessLogFilterConfig => ({
  kind: "duration",
  op,
  value,
  runtimeKey: "",
});
const share = (
  numerator: number,
  denominator: number,
  useIndependentRandomness = false,
): AccessLogFilterConfig => ({
  kind: "runtime",
  runtimeKey: "k",
  numerator,
  denominator,
  useIndependentRandomness,
});
const runtime = new Runtime();
const flags = (bits: number): AccessLogFilterConfig => ({ kind: "response_flag", flags: bits });
const grpc = (statuses: readonly number[], exclude = false): AccessLogFilterConfig => ({
  kind: "grpc_status",
  statuses,
  exclude,
});
const header = (invert: boolean): AccessLogFilterConfig => ({
  kind: "header",
  header: {
    name: "x-a",
    match: { kind: "present", present: true },
    invert,
    treatMissingAsEmpty: false,
  },
});

const filters: Readonly<Record<string, AccessLogFilterConfig>> = {
  sc_eq200: status("eq", 200),
  sc_ge400: status("ge", 400),
  sc_le404: status("le", 404),
  sc_ne404: status("ne", 404),
  dur_ge0: duration("ge", 0),
  dur_ge9: duration("ge", 9999),
  nhc: { kind: "not_health_check" },
  trace: { kind: "traceable" },
  rt0: share(0, 100),
  rt100: share(100, 100),
  rt50: share(50, 100),
  rt8: share(8, 100),
  rt7: share(7, 100),
  rtm: share(123, 1_000_000),
  and: { kind: "and", filters: [status("ge", 400), status("le", 404)] },
  or: { kind: "or", filters: [status("eq", 200), status("eq", 503)] },
  flag_any: flags(0),
  flag_uf: flags(ResponseFlag.UpstreamConnectionFailure | ResponseFlag.UpstreamRequestTimeout),
  flag_nr: flags(ResponseFlag.NoRouteFound),
  g_ok: grpc([0]),
  g_unav: grpc([14]),
  g_unk: grpc([2]),
  g_nf: grpc([5]),
  g_unimpl: grpc([12]),
  g_internal: grpc([13]),
  g_ex: grpc([2, 0], true),
  g_empty: grpc([]),
  hdr: header(false),
  hdr_inv: header(true),
};

interface Request {
  readonly id: string | null;
  readonly hasA?: boolean;
  readonly status: number;
  readonly flags: number;
  readonly grpcStatus?: string;
  readonly passed: string;
}

const ID = "0000006b-aaaa-4bbb-8ccc-dddddddddddd";
const requests: Readonly<Record<string, Request>> = {
  ok: {
    id: ID,
    hasA: true,
    status: 200,
    flags: 0,
    passed: "sc_eq200 sc_le404 sc_ne404 dur_ge0 nhc rt100 rt50 rt8 rtm or g_unk hdr",
  },
  none: {
    id: ID,
    status: 404,
    flags: ResponseFlag.NoRouteFound,
    passed:
      "sc_ge400 sc_le404 dur_ge0 nhc rt100 rt50 rt8 rtm and flag_any flag_nr g_unimpl g_ex hdr_inv",
  },
  dead: {
    id: "abc",
    status: 503,
    flags: ResponseFlag.UpstreamConnectionFailure,
    passed: "sc_ge400 sc_ne404 dur_ge0 nhc rt100 or flag_any flag_uf g_unav g_ex hdr_inv",
  },
  grpc: {
    id: ID,
    status: 200,
    flags: 0,
    grpcStatus: "5",
    passed: "sc_eq200 sc_le404 sc_ne404 dur_ge0 nhc rt100 rt50 rt8 rtm or g_nf g_ex hdr_inv",
  },
  bad: {
    id: null,
    status: 400,
    flags: ResponseFlag.DownstreamProtocolError,
    passed: "sc_ge400 sc_le404 sc_ne404 dur_ge0 nhc rt100 and flag_any g_internal g_ex hdr_inv",
  },
};

const clock = new Clock({ monotonicMs: () => 500, epochMs: () => 0 });
/** Large enough to be outside every fraction but the whole. */
const random: Random = { u32: () => 999_999, uuid: () => "" };

function infoOf(request: Request): StreamInfo {
  const info = new StreamInfo();
  info.startMs = 100;
  info.endMs = 105.5;
  info.responseCode = request.status;
  info.responseFlags = request.flags;
  return info;
}

test.each(Object.entries(requests))("request %s passes the filters it passes in Envoy", (_, r) => {
  const info = infoOf(r);
  const requestHeaders = r.id === null ? null : new HeaderMap();
  requestHeaders?.set("x-request-id", r.id ?? "");
  if (r.hasA === true) requestHeaders?.set("x-a", "1");
  const responseHeaders = new HeaderMap();
  if (r.grpcStatus !== undefined) responseHeaders.set("grpc-status", r.grpcStatus);
  const passed = Object.entries(filters)
    .filter(([, config]) => {
      const filter = compileLogFilter(config, { clock, random, runtime });
      return filter(info, requestHeaders, responseHeaders, null);
    })
    .map(([name]) => name);
  expect(passed.join(" ")).toBe(r.passed);
});

test("a duration counts whole milliseconds, up to now for a stream that runs", () => {
  const info = infoOf(requests["ok"] as Request);
  const passes = (op: ComparisonOp, value: number): boolean =>
    compileLogFilter(duration(op, value), { clock, random, runtime })(info, null, null, null);
  expect(passes("eq", 5)).toBe(true);
  info.endMs = -1;
  expect(passes("eq", 400)).toBe(true);
  info.startMs = -1;
  expect(passes("ge", 0)).toBe(false);
});

test("independent randomness does not look at the request id", () => {
  const headers = new HeaderMap();
  headers.set("x-request-id", ID);
  const info = infoOf(requests["ok"] as Request);
  const passes = (useIndependentRandomness: boolean, value: number): boolean =>
    compileLogFilter(share(8, 100, useIndependentRandomness), {
      clock,
      random: { u32: () => value, uuid: () => "" },
      runtime,
    })(info, headers, null, null);
  expect(passes(false, 99)).toBe(true);
  expect(passes(true, 99)).toBe(false);
  expect(passes(true, 207)).toBe(true);
});

test("health checks are left out, trailers' gRPC status comes before the headers'", () => {
  const info = infoOf(requests["ok"] as Request);
  info.healthCheck = true;
  const health = compileLogFilter({ kind: "not_health_check" }, { clock, random, runtime });
  expect(health(info, null, null, null)).toBe(false);
  const headers = new HeaderMap();
  headers.set("grpc-status", "0");
  const trailers = new HeaderMap();
  trailers.set("grpc-status", "5");
  const notFound = compileLogFilter(grpc([5]), { clock, random, runtime });
  expect(notFound(info, null, headers, trailers)).toBe(true);
  expect(notFound(info, null, headers, null)).toBe(false);
});

// Headers that requests gain and lose before routing, in the order in which Envoy 1.40 wrote them.
import { describe, expect, test } from "vitest";
import type { HcmConfig } from "../config/snapshot.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Random } from "../core/random.ts";
import { remoteAddressOf, remoteIpOf, remotePortOf } from "../core/stream-info.ts";
import { tlsInfoForTest } from "../core/tls-info-for-test.ts";
import {
  connectionFrom,
  defaultConfig,
  getRequest,
  infoOf,
  parsedRequest,
  writtenLines,
} from "./hcm-for-test.ts";
import { joinRequestLines } from "./joined-headers.ts";
import { RequestSanitizer, takesContinue } from "./request-sanitizer.ts";

const random: Random = { u32: () => 0, uuid: () => "new-id" };
const HOST_IP = "192.0.2.2";
const node = { id: "the-node", cluster: "the-cluster", hostIp: HOST_IP };
const loopback = { internalCidrs: [{ address: "127.0.0.0", prefixLength: 8 }] };
const remote = { useRemoteAddress: true };

function sanitizerOf(changes: Partial<HcmConfig>): RequestSanitizer {
  return new RequestSanitizer({ ...defaultConfig, ...changes }, node, random);
}

interface Outcome {
  readonly lines: string[];
  readonly remote: string;
  readonly scheme: string | null;
}

function sanitize(
  headers: HeaderMap,
  changes: Partial<HcmConfig> = {},
  peer = "127.0.0.1",
  isTls = false,
): Outcome {
  const connection = connectionFrom(peer);
  if (isTls) connection.tls = tlsInfoForTest();
  const info = infoOf(connection);
  joinRequestLines(headers);
  sanitizerOf(changes).sanitize(headers, connection, info);
  return { lines: writtenLines(headers), remote: remoteAddressOf(info), scheme: headers.scheme };
}

const PROTO = "x-forwarded-proto: http";
const ID = "x-request-id: new-id";
const XFF = `x-forwarded-for: ${HOST_IP}`;
const EXTERNAL = "x-envoy-external-address: 127.0.0.1";
const INTERNAL = "x-envoy-internal: true";

describe("by default", () => {
  test("an ordinary request gains x-forwarded-proto and x-request-id", () => {
    const outcome = sanitize(getRequest("/", "Accept: */*", "X-Enough: 1"));
    expect(outcome.lines).toEqual(["accept: */*", "x-enough: 1", PROTO, ID]);
    expect(outcome.scheme).toBe("http");
    expect(outcome.remote).toBe("127.0.0.1:5555");
  });

  test("TLS makes it https", () => {
    const outcome = sanitize(getRequest("/"), {}, "10.0.0.1", true);
    expect(outcome.lines).toEqual(["x-forwarded-proto: https", ID]);
    expect(outcome.scheme).toBe("https");
  });

  test.each([
    ["https", "https"],
    ["HTTPS", "https"],
    ["gopher", "http"],
    ["", "http"],
  ])("x-forwarded-proto %s stays and makes scheme %s", (proto, scheme) => {
    const outcome = sanitize(getRequest("/", `X-Forwarded-Proto: ${proto}`));
    expect(outcome.lines).toEqual([`x-forwarded-proto: ${proto}`, ID]);
    expect(outcome.scheme).toBe(scheme);
  });

  test("a scheme of an absolute target stays", () => {
    const headers = parsedRequest("GET https://a/ HTTP/1.1", "Host: a");
    expect(sanitize(headers)).toMatchObject({ scheme: "https", lines: [PROTO, ID] });
  });

  test("hop-by-hop headers go, te: trailers stays", () => {
    const lines = ["Connection: keep-alive", "Keep-Alive: 1", "Proxy-Connection: x", "TE: gzip"];
    expect(sanitize(getRequest("/", ...lines)).lines).toEqual([PROTO, ID]);
    expect(sanitize(getRequest("/", "TE: trailers")).lines).toEqual(["te: trailers", PROTO, ID]);
  });

  test("an upgrade keeps its headers, so that it can be refused after routing", () => {
    const headers = getRequest("/", "Connection: upgrade", "Upgrade: x");
    expect(sanitize(headers).lines.slice(0, 2)).toEqual(["connection: upgrade", "upgrade: x"]);
    expect(sanitize(getRequest("/", "Upgrade: x")).lines).toEqual([PROTO, ID]);
  });

  test("scheme_to_overwrite sets both", () => {
    const outcome = sanitize(getRequest("/", "X-Forwarded-Proto: http"), {
      schemeToOverwrite: "https",
    });
    expect(outcome).toMatchObject({ scheme: "https", lines: ["x-forwarded-proto: https", ID] });
  });

  test("lists that came in several lines become one", () => {
    const headers = getRequest("/", "X-Request-Id: a", "X-Other: 1", "X-Request-Id: b");
    expect(sanitize(headers).lines).toEqual(["x-request-id: a,b", "x-other: 1", PROTO]);
  });

  test("x-forwarded-client-cert goes", () => {
    expect(sanitize(getRequest("/", "X-Forwarded-Client-Cert: a")).lines).toEqual([PROTO, ID]);
  });
});

describe("x-forwarded-for", () => {
  test.each([
    [[], {}, [PROTO, ID], "127.0.0.1:5555"],
    [["1.2.3.4"], {}, ["x-forwarded-for: 1.2.3.4", PROTO, ID], "1.2.3.4:0"],
    [["a, 1.2.3.4 "], {}, ["x-forwarded-for: a, 1.2.3.4", PROTO, ID], "1.2.3.4:0"],
    [["x"], {}, ["x-forwarded-for: x", PROTO, ID], "127.0.0.1:5555"],
    [["1.2.3.4:80"], {}, ["x-forwarded-for: 1.2.3.4:80", PROTO, ID], "127.0.0.1:5555"],
    [["127.0.0.1"], {}, ["x-forwarded-for: 127.0.0.1", PROTO, ID], "127.0.0.1:0"],
    [["1.1.1.1, 2.2.2.2"], { xffNumTrustedHops: 1 }, null, "1.1.1.1:0"],
    [["1.1.1.1"], { xffNumTrustedHops: 1 }, null, "127.0.0.1:5555"],
    [[], remote, [XFF, PROTO, EXTERNAL, ID], "127.0.0.1:5555"],
    [["1.2.3.4"], remote, [`x-forwarded-for: 1.2.3.4,${HOST_IP}`, PROTO, EXTERNAL, ID], null],
    [[""], remote, [XFF, PROTO, EXTERNAL, ID], null],
    [
      ["1.1.1.1", "2.2.2.2"],
      remote,
      [`x-forwarded-for: 1.1.1.1,2.2.2.2,${HOST_IP}`, PROTO, EXTERNAL, ID],
      null,
    ],
    [
      ["1.1.1.1, 2.2.2.2"],
      { ...remote, xffNumTrustedHops: 1 },
      [
        `x-forwarded-for: 1.1.1.1, 2.2.2.2,${HOST_IP}`,
        PROTO,
        "x-envoy-external-address: 2.2.2.2",
        ID,
      ],
      "2.2.2.2:0",
    ],
    [
      ["2001:DB8:0:0::1"],
      { ...remote, xffNumTrustedHops: 1 },
      [
        `x-forwarded-for: 2001:DB8:0:0::1,${HOST_IP}`,
        PROTO,
        "x-envoy-external-address: 2001:db8::1",
        ID,
      ],
      "[2001:db8::1]:0",
    ],
    [
      ["garbage"],
      { ...remote, xffNumTrustedHops: 1 },
      [`x-forwarded-for: garbage,${HOST_IP}`, PROTO, EXTERNAL, ID],
      "127.0.0.1:5555",
    ],
    [["1.1.1.1"], { ...remote, xffNumTrustedHops: 2 }, null, "127.0.0.1:5555"],
    [
      ["1.2.3.4"],
      { ...remote, skipXffAppend: true },
      ["x-forwarded-for: 1.2.3.4", PROTO, EXTERNAL, ID],
      null,
    ],
  ])("%o with %o", (values, changes, lines, address) => {
    const headers = getRequest("/", ...values.map((value) => `X-Forwarded-For: ${value}`));
    const outcome = sanitize(headers, changes);
    expect(outcome).toMatchObject({
      lines: lines ?? outcome.lines,
      remote: address ?? outcome.remote,
    });
  });

  test("other peers stand there as they are", () => {
    expect(sanitize(getRequest("/"), remote, "127.0.0.5").lines).toEqual([
      "x-forwarded-for: 127.0.0.5",
      PROTO,
      "x-envoy-external-address: 127.0.0.5",
      ID,
    ]);
    expect(sanitize(getRequest("/"), remote, "::1").lines).toEqual([
      XFF,
      PROTO,
      "x-envoy-external-address: ::1",
      ID,
    ]);
  });

  test("one sanitizer keeps peers apart", () => {
    const sanitizer = sanitizerOf({ ...remote, ...loopback });
    for (const peer of ["10.0.0.1", "127.0.0.1", "10.0.0.1", "/a.sock", "127.0.0.2"]) {
      const connection = connectionFrom(peer);
      const headers = getRequest("/");
      sanitizer.sanitize(headers, connection, infoOf(connection));
      const shown = peer === "127.0.0.1" ? HOST_IP : peer;
      const isPath = peer.startsWith("/");
      expect(headers.get("x-forwarded-for")).toBe(isPath ? undefined : shown);
      const isLocal = peer.startsWith("127.");
      expect(headers.get("x-envoy-internal")).toBe(isLocal ? "true" : undefined);
      expect(headers.get("x-envoy-external-address")).toBe(isLocal || isPath ? undefined : peer);
    }
  });

  test("the forwarded address belongs to the stream, not to the connection", () => {
    const connection = connectionFrom("10.0.0.1");
    const info = infoOf(connection);
    const sanitizer = sanitizerOf({});
    sanitizer.sanitize(getRequest("/", "X-Forwarded-For: 1.2.3.4"), connection, info);
    expect([remoteIpOf(info), remotePortOf(info)]).toEqual(["1.2.3.4", 0]);
    expect(connection.remoteIp).toBe("10.0.0.1");
    expect([remoteIpOf(infoOf(connection)), remotePortOf(infoOf(connection))]).toEqual([
      "10.0.0.1",
      5555,
    ]);
  });
});

describe("x-forwarded-proto and -port at the edge", () => {
  const port = { appendXForwardedPort: true };
  test.each([
    [remote, ["X-Forwarded-Proto: https"], [PROTO, XFF, EXTERNAL, ID]],
    [{ ...remote, ...port }, [], [XFF, PROTO, "x-forwarded-port: 8080", EXTERNAL, ID]],
    [{ ...remote, ...port }, ["X-Forwarded-Port: 1"], ["x-forwarded-port: 8080", XFF, PROTO]],
    [
      { ...remote, ...port, xffNumTrustedHops: 1 },
      ["X-Forwarded-Port: 1", "X-Forwarded-Proto: https"],
      ["x-forwarded-port: 1", "x-forwarded-proto: https", XFF],
    ],
    [port, [], [PROTO, "x-forwarded-port: 8080", ID]],
    [port, ["X-Forwarded-Port: 1"], ["x-forwarded-port: 1", PROTO, ID]],
  ])("%o with %o", (changes, lines, expected) => {
    expect(sanitize(getRequest("/", ...lines), changes).lines.slice(0, expected.length)).toEqual(
      expected,
    );
  });
});

describe("internal requests", () => {
  test.each([
    [loopback, [], false],
    [loopback, ["X-Forwarded-For: 127.0.0.5"], true],
    [loopback, ["X-Forwarded-For: 1.2.3.4"], false],
    [loopback, ["X-Forwarded-For: 127.0.0.5,127.0.0.6"], false],
    [{ ...loopback, ...remote }, [], true],
    [{ ...loopback, ...remote }, ["X-Forwarded-For: 127.0.0.5"], false],
    [{}, ["X-Forwarded-For: 127.0.0.5", "x-envoy-internal: true"], false],
  ])("%o with %o: %s", (changes, lines, expected) => {
    const outcome = sanitize(getRequest("/", ...lines), changes);
    expect(outcome.lines.includes(INTERNAL)).toBe(expected);
  });

  test("IPv6 ranges hold IPv6 addresses", () => {
    const changes = { internalCidrs: [{ address: "2001:db8::", prefixLength: 33 }] };
    const lines = (ip: string): string[] =>
      sanitize(getRequest("/", `X-Forwarded-For: ${ip}`), changes).lines;
    expect(lines("2001:db8:7fff::1")).toContain(INTERNAL);
    expect(lines("2001:db8:8000::1")).not.toContain(INTERNAL);
    expect(lines("1.2.3.4")).not.toContain(INTERNAL);
  });

  test("peers on unix sockets are internal when configured", () => {
    const changes = { ...remote, internalUnixSockets: true, appendXForwardedPort: true };
    expect(sanitize(getRequest("/"), changes, "/a.sock").lines).toEqual([PROTO, INTERNAL, ID]);
    expect(sanitize(getRequest("/"), remote, "/a.sock").lines).toEqual([PROTO, ID]);
    const unix = { internalUnixSockets: true };
    expect(sanitize(getRequest("/"), unix, "/a.sock").lines).toEqual([PROTO, ID]);
  });
});

describe("control headers", () => {
  const stripped = [
    "retriable-status-codes retriable-header-names retry-on retry-grpc-on max-retries",
    "upstream-alt-stat-name upstream-rq-timeout-ms upstream-rq-per-try-timeout-ms",
    "upstream-rq-timeout-alt-response expected-rq-timeout-ms force-trace ip-tags original-url",
    "hedge-on-per-try-timeout upstream-stream-duration-ms",
  ].flatMap((text) => text.split(" "));
  const behindEdge = ["decorator-operation", "downstream-service-cluster"].concat([
    "downstream-service-node",
    "original-path",
    "original-host",
  ]);
  const kept = ["overloaded", "attempt-count", "upstream-canary", "degraded", "peer-metadata"];
  const every = [...stripped, ...behindEdge, ...kept];
  const request = (...more: string[]): HeaderMap =>
    getRequest("/", ...every.map((name) => `X-Envoy-${name}: 5`), ...more);
  const left = (lines: string[]): string[] =>
    lines.filter((line) => line.endsWith(": 5")).map((line) => line.slice(8, -3));

  test("external clients lose those of internal ones", () => {
    expect(left(sanitize(request()).lines)).toEqual([...behindEdge, ...kept]);
  });

  test("at the edge more goes", () => {
    expect(left(sanitize(request(), remote).lines)).toEqual(kept);
  });

  test("internal clients keep all", () => {
    const headers = request("X-Forwarded-For: 127.0.0.9");
    expect(left(sanitize(headers, loopback).lines)).toEqual(every);
  });

  test("each alone is found", () => {
    for (const name of stripped) {
      const outcome = sanitize(getRequest("/", `x-envoy-${name}: 1`, "x-enough: 1"));
      expect(outcome.lines).toEqual(["x-enough: 1", PROTO, ID]);
    }
  });

  test("internal_only_headers go, too", () => {
    const routes = { ...defaultConfig.routes, internalOnlyHeaders: ["x-mine"] };
    const mine = (...more: string[]): HeaderMap => getRequest("/", "X-Mine: 1", ...more);
    expect(sanitize(mine(), { routes }).lines).toEqual([PROTO, ID]);
    const inside = sanitize(mine("X-Forwarded-For: 127.0.0.1"), { routes, ...loopback });
    expect(inside.lines).toContain("x-mine: 1");
  });
});

describe("x-request-id", () => {
  const uuid = "0e0e0e0e-1111-4222-8333-444444444444";
  const traced = "0e0e0e0e-1111-9222-8333-444444444444";
  const keeps = { ...remote, preserveExternalRequestId: true };
  test.each([
    [uuid, {}, uuid],
    [traced, {}, traced],
    ["odd", {}, "odd"],
    ["", {}, "new-id"],
    [uuid, remote, "new-id"],
    [uuid, keeps, uuid],
    [traced, keeps, uuid],
    ["x".repeat(36), keeps, `${"x".repeat(14)}4${"x".repeat(21)}`],
    ["x".repeat(35), keeps, "x".repeat(35)],
    ["", keeps, "new-id"],
    [uuid, { ...remote, ...loopback }, uuid],
    ["", { generateRequestId: false }, ""],
  ])("%s with %o becomes %s, in its place", (id, changes, expected) => {
    const { lines } = sanitize(getRequest("/", `X-Request-Id: ${id}`, "X-A: 1"), changes);
    expect(lines.slice(0, 2)).toEqual([`x-request-id: ${expected}`, "x-a: 1"]);
  });
});

test("add_user_agent and via stand before the external address", () => {
  const changes = { ...remote, addUserAgent: true, via: "gate" };
  expect(sanitize(getRequest("/"), changes).lines).toEqual([
    XFF,
    PROTO,
    "x-envoy-downstream-service-cluster: the-cluster",
    "user-agent: the-cluster",
    "x-envoy-downstream-service-node: the-node",
    "via: gate",
    EXTERNAL,
    ID,
  ]);
  const given = getRequest("/", "User-Agent: x", "Via: 1.1 a", "Via: 1.1 b");
  expect(sanitize(given, changes).lines.slice(0, 2)).toEqual([
    "user-agent: x",
    "via: 1.1 a,1.1 b, gate",
  ]);
});

test("a referer that is no reference goes; two lines are one value", () => {
  expect(sanitize(getRequest("/", "Referer: about:blank")).lines).toEqual([PROTO, ID]);
  const headers = getRequest("/", "Referer: http://a/", "Referer: http://b/");
  expect(sanitize(headers).lines[0]).toBe("referer: http://a/,http://b/");
});

test.each([
  [["Expect: 100-continue"], true, []],
  [["Expect: 100-Continue"], true, []],
  [["Expect: pizza"], false, ["expect: pizza"]],
  [["Expect: 100-continue, x"], false, ["expect: 100-continue, x"]],
  [["Expect: 100-continue", "Expect: x"], false, ["expect: 100-continue,x"]],
  [[], false, []],
])("%o: 100 Continue %s", (lines, expected, left) => {
  const headers = getRequest("/", ...lines);
  joinRequestLines(headers);
  expect(takesContinue(headers)).toBe(expected);
  expect(writtenLines(headers)).toEqual(left);
});

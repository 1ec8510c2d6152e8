import { describe, expect, test } from "vitest";
import type { HcmConfig } from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { SeededRandom } from "../core/random.ts";
import { connectionInfo, defaultConfig, headerLines, requestHeaders } from "./hcm-for-test.ts";
import { CidrList } from "./ip-address.ts";
import { TrustedAddress } from "./trusted-address.ts";

const LOOPBACK = { internalCidrs: [{ address: "127.0.0.0", prefixLength: 8 }] };
const identity = { cluster: "c", id: "n", hostIp: "10.1.1.1" };

interface Seen {
  readonly headers: HeaderMap;
  readonly lines: readonly string[];
  readonly connection: ConnectionInfo;
}

/** Lines without the request id, unless it is asked for. */
function apply(config: Partial<HcmConfig>, more: readonly string[] = [], ip = "127.0.0.1"): Seen {
  const headers = requestHeaders("/", more);
  const connection = connectionInfo(ip);
  new TrustedAddress({ ...defaultConfig, ...config }, identity, new SeededRandom(3)).apply(
    headers,
    connection,
  );
  const lines = headerLines(headers).filter((line) => !line.startsWith("x-request-id"));
  return { headers, lines, connection };
}

describe("x-forwarded-for", () => {
  const remote = { useRemoteAddress: true };
  const xff = (value: string): string[] => (value === "" ? [] : ["x-forwarded-for", value]);
  // Names as in the recorded cases of Envoy 1.40; a loopback peer stands as the machine's address.
  const cases: readonly (readonly [Partial<HcmConfig>, string, string, string])[] = [
    [{}, "", "", ""],
    [{}, "1.2.3.4, 10.0.0.1", "1.2.3.4, 10.0.0.1", ""],
    [remote, "", "10.1.1.1", "127.0.0.1"],
    [remote, "1.2.3.4", "1.2.3.4,10.1.1.1", "127.0.0.1"],
    [{ ...remote, xffNumTrustedHops: 1 }, "1.1.1.1", "1.1.1.1,10.1.1.1", "1.1.1.1"],
    [
      { ...remote, xffNumTrustedHops: 1 },
      "1.1.1.1, 2.2.2.2",
      "1.1.1.1, 2.2.2.2,10.1.1.1",
      "2.2.2.2",
    ],
    [{ ...remote, xffNumTrustedHops: 1 }, "garbage", "garbage,10.1.1.1", "127.0.0.1"],
    [{ ...remote, xffNumTrustedHops: 2 }, "1.1.1.1", "1.1.1.1,10.1.1.1", "127.0.0.1"],
    [
      { ...remote, xffNumTrustedHops: 2 },
      "1.1.1.1, 2.2.2.2, 3.3.3.3",
      "1.1.1.1, 2.2.2.2, 3.3.3.3,10.1.1.1",
      "2.2.2.2",
    ],
    [{ ...remote, skipXffAppend: true }, "1.2.3.4", "1.2.3.4", "127.0.0.1"],
  ];
  for (const [config, value, wanted, external] of cases) {
    test(`${JSON.stringify(config)}: "${value}"`, () => {
      const { headers } = apply(config, xff(value));
      expect(headers.get("x-forwarded-for") ?? "").toBe(wanted);
      expect(headers.get("x-envoy-external-address") ?? "").toBe(external);
    });
  }

  test("several lines become one before the peer is appended", () => {
    const { lines } = apply(remote, ["x-forwarded-for", "1.1.1.1", "x-forwarded-for", "2.2.2.2"]);
    expect(lines).toContain("x-forwarded-for: 1.1.1.1,2.2.2.2,10.1.1.1");
  });

  test("names the peer when it is another machine", () => {
    expect(apply(remote, [], "192.0.2.7").lines).toEqual([
      "x-forwarded-for: 192.0.2.7",
      "x-forwarded-proto: http",
      "x-envoy-external-address: 192.0.2.7",
    ]);
  });

  test("gives the stream its client", () => {
    const config = { ...remote, xffNumTrustedHops: 1 };
    expect(apply(config, xff("1.1.1.1")).connection.remoteAddress).toBe("1.1.1.1:0");
    expect(apply(config, xff("garbage")).connection.remoteAddress).toBe("127.0.0.1:40000");
    expect(apply({}, xff("2001:db8::1")).connection.remoteAddress).toBe("[2001:db8::1]:0");
  });
});

describe("internal requests", () => {
  const isInternal = (config: Partial<HcmConfig>, xff: string): boolean =>
    apply(config, xff === "" ? [] : ["x-forwarded-for", xff]).headers.get("x-envoy-internal") ===
    "true";

  test("are none by default", () => {
    expect(isInternal({}, "127.0.0.5")).toBe(false);
    expect(isInternal({ useRemoteAddress: true }, "")).toBe(false);
  });

  test("come from one single internal address", () => {
    expect(isInternal(LOOPBACK, "127.0.0.5")).toBe(true);
    expect(isInternal(LOOPBACK, "")).toBe(false);
    expect(isInternal(LOOPBACK, "1.2.3.4")).toBe(false);
    expect(isInternal(LOOPBACK, "127.0.0.5,127.0.0.6")).toBe(false);
    expect(isInternal({ ...LOOPBACK, useRemoteAddress: true }, "")).toBe(true);
    expect(isInternal({ ...LOOPBACK, useRemoteAddress: true }, "1.2.3.4")).toBe(false);
    expect(isInternal({ ...LOOPBACK, xffNumTrustedHops: 1 }, "127.0.0.5, 127.0.0.6")).toBe(false);
  });
});

describe("control headers", () => {
  const control = [
    ["x-envoy-retry-on", "5xx"],
    ["x-envoy-max-retries", "2"],
    ["x-envoy-upstream-rq-timeout-ms", "700"],
    ["x-envoy-expected-rq-timeout-ms", "77"],
    ["x-envoy-internal", "true"],
    ["x-envoy-force-trace", "1"],
    ["x-envoy-downstream-service-cluster", "c"],
    ["x-envoy-decorator-operation", "d"],
    ["x-envoy-original-path", "/o"],
    ["x-envoy-external-address", "9.9.9.9"],
    ["x-envoy-hedge-on-per-try-timeout", "true"],
    ["x-envoy-ip-tags", "t"],
    ["x-envoy-attempt-count", "7"],
    ["x-envoy-peer-metadata", "p"],
  ].flat();

  test("of clients go, others pass", () => {
    expect(apply({}, control).lines).toEqual([
      "x-envoy-downstream-service-cluster: c",
      "x-envoy-decorator-operation: d",
      "x-envoy-original-path: /o",
      "x-envoy-external-address: 9.9.9.9",
      "x-envoy-attempt-count: 7",
      "x-envoy-peer-metadata: p",
      "x-forwarded-proto: http",
    ]);
  });

  test("go further at the edge", () => {
    expect(apply({ useRemoteAddress: true }, control).lines).toEqual([
      "x-envoy-external-address: 127.0.0.1",
      "x-envoy-attempt-count: 7",
      "x-envoy-peer-metadata: p",
      "x-forwarded-for: 10.1.1.1",
      "x-forwarded-proto: http",
    ]);
  });

  test("of internal clients stay", () => {
    const { lines } = apply(LOOPBACK, ["x-forwarded-for", "127.0.0.5", ...control]);
    expect(lines).toContain("x-envoy-retry-on: 5xx");
    expect(lines).toContain("x-envoy-ip-tags: t");
    expect(lines.slice(-2)).toEqual(["x-forwarded-proto: http", "x-envoy-internal: true"]);
  });

  test("named by the route configuration go with them", () => {
    const routes = { ...defaultConfig.routes, internalOnlyHeaders: ["x-mine"] };
    expect(apply({ routes }, ["x-mine", "1"]).lines).toEqual(["x-forwarded-proto: http"]);
  });
});

describe("other headers", () => {
  test("x-forwarded-proto is the peer's own at the edge only, and gives the scheme", () => {
    const proto = ["x-forwarded-proto", "https"];
    expect(apply({}, proto).headers.scheme).toBe("https");
    expect(apply({}, ["x-forwarded-proto", "gopher"]).headers.scheme).toBe("http");
    expect(apply({}, ["x-forwarded-proto", "gopher"]).lines).toEqual(["x-forwarded-proto: gopher"]);
    expect(apply({ useRemoteAddress: true }, proto).headers.get("x-forwarded-proto")).toBe("http");
    const overwritten = apply({ schemeToOverwrite: "https" });
    expect(overwritten.headers.scheme).toBe("https");
    expect(overwritten.lines).toEqual(["x-forwarded-proto: https"]);
  });

  test("x-forwarded-port is the listener's", () => {
    const config = { useRemoteAddress: true, appendXForwardedPort: true };
    expect(apply(config).lines[2]).toBe("x-forwarded-port: 10000");
    expect(apply(config, ["x-forwarded-port", "1"]).headers.get("x-forwarded-port")).toBe("10000");
  });

  test("request ids are made, kept and replaced", () => {
    const id = "0e0e0e0e-1111-4222-8333-444444444444";
    const given = (config: Partial<HcmConfig>, value: string): string | undefined =>
      apply(config, ["x-request-id", value]).headers.get("x-request-id");
    expect(apply({}).headers.get("x-request-id")).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    expect(given({}, id)).toBe(id);
    expect(given({}, "")).toMatch(/^[0-9a-f]{8}-/);
    expect(given({ useRemoteAddress: true }, id)).not.toBe(id);
    expect(given({ useRemoteAddress: true, preserveExternalRequestId: true }, id)).toBe(id);
    expect(apply({ generateRequestId: false }).headers.get("x-request-id")).toBe(undefined);
  });

  test("via is appended, add_user_agent names this process", () => {
    expect(apply({ via: "gate" }, ["via", "1.1 other"]).lines[0]).toBe("via: 1.1 other, gate");
    expect(apply({ via: "gate" }).lines).toEqual(["x-forwarded-proto: http", "via: gate"]);
    expect(apply({ addUserAgent: true }).lines).toEqual([
      "x-forwarded-proto: http",
      "x-envoy-downstream-service-cluster: c",
      "user-agent: c",
      "x-envoy-downstream-service-node: n",
    ]);
    expect(apply({ addUserAgent: true }, ["user-agent", "curl"]).lines[0]).toBe("user-agent: curl");
  });

  test("hop-by-hop headers and doubtful ones go", () => {
    const lines = apply({}, [
      "connection",
      "keep-alive",
      "keep-alive",
      "5",
      "proxy-connection",
      "x",
      "te",
      "gzip",
      "transfer-encoding",
      "chunked",
      "x-forwarded-client-cert",
      "Hash=1",
      "referer",
      "/relative",
    ]).lines;
    expect(lines).toEqual(["x-forwarded-proto: http"]);
    expect(apply({}, ["te", "trailers"]).lines).toContain("te: trailers");
    expect(apply({}, ["referer", "https://a/b"]).lines).toContain("referer: https://a/b");
    const twice = ["referer", "https://a/b", "referer", "https://a/c"];
    expect(apply({}, twice).headers.has("referer")).toBe(false);
  });
});

describe("CidrList", () => {
  const list = new CidrList([
    { address: "10.0.0.0", prefixLength: 8 },
    { address: "192.0.2.128", prefixLength: 25 },
    { address: "2001:db8::", prefixLength: 33 },
    { address: "0.0.0.0", prefixLength: 32 },
  ]);
  test("contains what shares the prefix, up to its edges", () => {
    for (const ip of ["10.0.0.0", "10.255.255.255", "192.0.2.128", "2001:db8:7fff::1", "0.0.0.0"]) {
      expect(list.contains(ip)).toBe(true);
    }
    for (const ip of ["9.255.255.255", "11.0.0.0", "192.0.2.127", "2001:db8:8000::", "", "x"]) {
      expect(list.contains(ip)).toBe(false);
    }
    expect(new CidrList([{ address: "::", prefixLength: 0 }]).contains("::ffff:1.2.3.4")).toBe(
      true,
    );
    expect(list.contains("10.0.0")).toBe(false);
    expect(list.contains("010.0.0.1")).toBe(false);
  });
});

import { describe, expect, test } from "vitest";
import type { HcmConfig } from "../config/snapshot.ts";
import { defaultConfig, requestHeaders } from "./hcm-for-test.ts";
import { NormalizeResult as R, RequestNormalizer } from "./request-normalizer.ts";

function normalizer(config: Partial<HcmConfig> = {}): RequestNormalizer {
  return new RequestNormalizer({ ...defaultConfig, ...config });
}

describe("paths", () => {
  test("must begin with a slash and have no fragment", () => {
    const plain = normalizer();
    expect(plain.normalize(requestHeaders("/a"), 80, false)).toBe(R.Ok);
    expect(plain.normalize(requestHeaders("http://h/x"), 80, false)).toBe(R.NotRelative);
    expect(plain.normalize(requestHeaders("*"), 80, false)).toBe(R.NotRelative);
    expect(plain.normalize(requestHeaders("/a#b"), 80, false)).toBe(R.BadPath);
    expect(plain.normalize(requestHeaders(""), 80, false)).toBe(R.MissingPath);
  });

  test("may be missing for CONNECT only", () => {
    const headers = requestHeaders("/");
    headers.path = null;
    expect(normalizer().normalize(headers, 80, false)).toBe(R.MissingPath);
    headers.method = "CONNECT";
    expect(normalizer().normalize(headers, 80, false)).toBe(R.Ok);
    headers.path = "";
    expect(normalizer().normalize(headers, 80, false)).toBe(R.MissingPath);
  });

  test("stay as they are by default", () => {
    const headers = requestHeaders("/a/../%2f//b");
    expect(normalizer().normalize(headers, 80, false)).toBe(R.Ok);
    expect(headers.path).toBe("/a/../%2f//b");
  });

  test("with escaped slashes are refused, redirected or forwarded", () => {
    const run = (
      action: HcmConfig["escapedSlashesAction"],
      path: string,
      isGrpc = false,
    ): [number, string | null] => {
      const headers = requestHeaders(path);
      const result = normalizer({ escapedSlashesAction: action }).normalize(headers, 80, isGrpc);
      return [result, headers.path];
    };
    expect(run("reject_request", "/a%2fb")).toEqual([R.BadPath, "/a/b"]);
    expect(run("reject_request", "/a?x=%2f")).toEqual([R.Ok, "/a?x=%2f"]);
    expect(run("unescape_and_redirect", "/a%2Fb?x=%2f")).toEqual([R.Redirect, "/a/b?x=%2f"]);
    expect(run("unescape_and_redirect", "/a%2fb", true)).toEqual([R.BadPath, "/a/b"]);
    expect(run("unescape_and_redirect", "/ab")).toEqual([R.Ok, "/ab"]);
    expect(run("unescape_and_forward", "/a%5cb")).toEqual([R.Ok, "/a\\b"]);
  });

  test("redirect to what all rules together make of them", () => {
    const all = normalizer({
      normalizePath: true,
      mergeSlashes: true,
      escapedSlashesAction: "unescape_and_redirect",
    });
    for (const [path, wanted] of [
      ["/a%2f..%2fsecret", "/secret"],
      ["/a/..%2f/b", "/b"],
      ["/%2e%2e%2fsecret", "/secret"],
    ] as const) {
      const headers = requestHeaders(path);
      expect(all.normalize(headers, 80, false)).toBe(R.Redirect);
      expect(headers.path).toBe(wanted);
    }
  });
});

describe("hosts", () => {
  const run = (config: Partial<HcmConfig>, host: string): string | null => {
    const headers = requestHeaders("/");
    headers.authority = host;
    normalizer(config).normalize(headers, 10_000, false);
    return headers.authority;
  };

  test("must be there, and may be empty", () => {
    const headers = requestHeaders("/");
    headers.authority = null;
    expect(normalizer().normalize(headers, 80, false)).toBe(R.MissingHost);
    headers.authority = "";
    expect(normalizer().normalize(headers, 80, false)).toBe(R.Ok);
  });

  test("lose any port, the listener's port, a trailing dot", () => {
    expect(run({ stripAnyHostPort: true }, "b.local:1234")).toBe("b.local");
    expect(run({ stripAnyHostPort: true }, "[::1]:80")).toBe("[::1]");
    expect(run({ stripAnyHostPort: true }, "[::1]")).toBe("[::1]");
    expect(run({ stripAnyHostPort: true }, "b.local:")).toBe("b.local:");
    expect(run({ stripMatchingHostPort: true }, "b.local:10000")).toBe("b.local");
    expect(run({ stripMatchingHostPort: true }, "b.local:81")).toBe("b.local:81");
    expect(run({ stripTrailingHostDot: true }, "b.local.")).toBe("b.local");
    expect(run({ stripTrailingHostDot: true }, "b.local.:80")).toBe("b.local:80");
    expect(run({}, "b.local.:80")).toBe("b.local.:80");
  });
});

describe("ports and dots of hosts", () => {
  const any = { stripAnyHostPort: true };
  const dot = { stripTrailingHostDot: true };
  const matching = { stripMatchingHostPort: true };
  test.each([
    ["b:80", any, "b"],
    ["b:", any, "b:"],
    ["b:080", any, "b"],
    ["b:+80", any, "b"],
    ["b:99999", any, "b"],
    ["b:4294967296", any, "b:4294967296"],
    ["b:x", any, "b:x"],
    ["[::1]", any, "[::1]"],
    ["[::1]:80", any, "[::1]"],
    ["a:b:80", any, "a:b"],
    ["b.", dot, "b"],
    ["b..", dot, "b."],
    [".", dot, ""],
    ["b.:80", dot, "b:80"],
    ["b.x:80", dot, "b.x:80"],
    ["b:80.", { ...any, ...dot }, "b"],
    ["b.:80", { ...any, ...dot }, "b"],
    ["b:8080", matching, "b"],
    ["b:81", matching, "b:81"],
  ])("%s with %o becomes %s", (host, changes, expected) => {
    const headers = requestHeaders("/");
    headers.authority = host;
    expect(normalizer(changes).normalize(headers, 8080, false)).toBe(R.Ok);
    expect(headers.authority).toBe(expected);
  });
});

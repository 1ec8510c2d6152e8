// Fuzzes what the connection manager reads in a request that the codec has accepted: paths, hosts,
// x-forwarded-for, referers.
import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { HcmConfig } from "../../runtime/src/config/snapshot.ts";
import { SeededRandom } from "../../runtime/src/core/random.ts";
import {
  canonicalPath,
  mergeSlashes,
  unescapeSlashes,
} from "../../runtime/src/hcm/canonical-path.ts";
import {
  connectionFrom,
  defaultConfig,
  getRequest,
  infoOf,
} from "../../runtime/src/hcm/hcm-for-test.ts";
import { canonicalIp } from "../../runtime/src/core/ip-address.ts";
import { isValidReferer } from "../../runtime/src/hcm/referer.ts";
import { NormalizeResult, RequestNormalizer } from "../../runtime/src/hcm/request-normalizer.ts";
import { RequestSanitizer } from "../../runtime/src/hcm/request-sanitizer.ts";
import { referenceRequests } from "./reference.ts";
import { check } from "./settings.ts";

const wide = { headBytesMax: 1 << 20, headersMax: 100 };

function textOf(parts: readonly string[], maxLength: number): fc.Arbitrary<string> {
  return fc
    .array(fc.oneof(fc.constantFrom(...parts), fc.string({ unit: "binary-ascii", maxLength: 3 })), {
      maxLength,
    })
    .map((all) => all.join("").replace(/[^!-~]/g, ""));
}

/** A path in visible ASCII, as the parser lets it through. */
const paths = textOf(
  [
    "/",
    "//",
    ".",
    "..",
    "%2e",
    "%2E",
    "%2f",
    "%5C",
    "\\",
    ";x=1",
    "%",
    "%2",
    "65",
    "?",
    "a",
    "%00",
    "~",
  ],
  14,
).map((text) => `/${text}`);

function pathPart(path: string): string {
  return path.split("?")[0] as string;
}

function queryPart(path: string): string {
  return path.slice(pathPart(path).length);
}

describe("paths", () => {
  test("have one canonical form, without dot segments, and keep their query", () => {
    check(
      fc.property(paths, (path) => {
        const canonical = canonicalPath(path) ?? "/";
        expect(canonicalPath(path) !== null || path.includes("%00")).toBe(true);
        expect(canonical.startsWith("/")).toBe(true);
        expect(queryPart(canonical)).toBe(canonicalPath(path) === null ? "" : queryPart(path));
        const segments = pathPart(canonical).split("/");
        expect(segments.filter((segment) => /^(\.|%2e){1,2}$/i.test(segment))).toEqual([]);
        expect(pathPart(canonical)).not.toMatch(/[\\"#<>^`{|}]/);
        // As in Envoy a dot segment with parameters is found in plain text only: "/%2e%2e;x" stays.
        const hasParameters = /\.;/.test(canonical);
        expect(hasParameters ? canonical : canonicalPath(canonical)).toBe(canonical);
      }),
      6000,
    );
  });

  test("have no escaped slashes after unescaping, and no doubled ones after merging", () => {
    check(
      fc.property(paths, (path) => {
        expect(pathPart(unescapeSlashes(path))).not.toMatch(/%(2f|5c)/i);
        expect(queryPart(unescapeSlashes(path))).toBe(queryPart(path));
        const merged = pathPart(mergeSlashes(path));
        expect(merged === "//" || !merged.includes("//")).toBe(true);
      }),
      3000,
    );
  });
});

const flag = fc.boolean();
const settings: fc.Arbitrary<Partial<HcmConfig>> = fc.record({
  normalizePath: flag,
  mergeSlashes: flag,
  stripMatchingHostPort: flag,
  stripAnyHostPort: flag,
  stripTrailingHostDot: flag,
  useRemoteAddress: flag,
  skipXffAppend: flag,
  xffNumTrustedHops: fc.integer({ min: 0, max: 3 }),
  escapedSlashesAction: fc.constantFrom(
    "keep_unchanged" as const,
    "reject_request" as const,
    "unescape_and_redirect" as const,
    "unescape_and_forward" as const,
  ),
});

const hosts = textOf(["h", ".", ":", "80", "[::1]", "[", "]", "%", ",", "a.b"], 6).map((text) =>
  text.replace(/[^\w\-.~!$&'()*+,;=%:[\]]/g, ""),
);
const addresses = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  fc.constantFrom(
    "",
    " ",
    "::ffff:1.2.3.4",
    "1.2.3.4:80",
    "[::1]:5",
    "unknown",
    "127.0.0.1",
    "fe80::1%eth0",
  ),
  fc.string({ unit: "binary-ascii", maxLength: 8 }),
);
const forwardedFor = fc
  .array(addresses, { maxLength: 5 })
  .map((all) => all.join(", ").replace(/[^\t -~]/g, ""));

describe("requests that were normalised and sanitised", () => {
  test("are still one request to the reference, with a path and one host", () => {
    check(
      fc.property(paths, hosts, forwardedFor, settings, (path, host, xff, options) => {
        const config: HcmConfig = { ...defaultConfig, ...options };
        const headers = getRequest("/", `X-Forwarded-For: ${xff}`, `X-Host: ${host}`);
        headers.path = path;
        headers.authority = host;
        const connection = connectionFrom("203.0.113.9");
        const result = new RequestNormalizer(config).normalize(headers, 8080, false);
        fc.pre(result === NormalizeResult.Ok);
        const info = infoOf(connection);
        const node = { cluster: "c", id: "n", hostIp: "10.1.1.1" };
        new RequestSanitizer(config, node, new SeededRandom(1)).sanitize(headers, connection, info);
        const seen = referenceRequests(`${headers.serializeRequest()}\r\n`, wide);
        expect([seen.messages.length, seen.end]).toEqual([1, "more"]);
        expect(seen.messages[0]?.start.startsWith("GET /")).toBe(true);
        const isAppended = config.useRemoteAddress && !config.skipXffAppend;
        const last = headers.get("x-forwarded-for")?.split(",").at(-1)?.trim();
        expect(isAppended ? last : "203.0.113.9").toBe("203.0.113.9");
        expect(info.forwardedIp === "" || isIP(info.forwardedIp) !== 0).toBe(true);
      }),
      4000,
    );
  });
});

test("an address is one exactly when the system's parser says so", () => {
  check(
    fc.property(addresses, (text) => {
      const canonical = canonicalIp(text);
      expect(canonical !== "").toBe(isIP(text) !== 0 && !text.includes("%"));
      expect(canonicalIp(canonical)).toBe(canonical);
    }),
    4000,
  );
});

test("a referer that passes has no fragment and no userinfo", () => {
  const referers = textOf(
    ["http://", "https:", "//", "h", "@", ":80", "[::1]", "/a", "?b", "#", "%", "\\"],
    8,
  );
  check(
    fc.property(referers, (referer) => {
      fc.pre(isValidReferer(referer));
      expect(referer).not.toContain("#");
      expect(referer).not.toMatch(/^[a-z]+:\/\/[^/?]+@/i);
    }),
    4000,
  );
});

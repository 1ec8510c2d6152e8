// RouteMatch.tls_context beside the answers of Envoy 1.40 (conformance/envoy plays it whole).
import { expect, test } from "vitest";
import type {
  HeaderMatchConfig,
  RouteMatchConfig,
  TlsContextMatchConfig,
} from "../config/snapshot.ts";
import { HeaderMap } from "../core/header-map.ts";
import { Runtime } from "../core/runtime.ts";
import { tlsInfoForTest } from "../core/tls-info-for-test.ts";
import { RouteMatcher } from "./route-match.ts";

const connections = {
  plain: null,
  anonymous: tlsInfoForTest(),
  unchecked: tlsInfoForTest({ isPeerPresented: true }),
  checked: tlsInfoForTest({ isPeerPresented: true, isPeerValidated: true }),
};

const everything: RouteMatchConfig = {
  path: { kind: "prefix", value: "/" },
  caseSensitive: true,
  headers: [],
  queryParameters: [],
  runtimeFractionPpm: 1_000_000,
  runtimeKey: "",
  grpc: false,
  tlsContext: null,
};

const anyHeader: HeaderMatchConfig = {
  name: "x-a",
  match: { kind: "present", present: true },
  invert: false,
  treatMissingAsEmpty: false,
};

test.each<[TlsContextMatchConfig | null, string]>([
  [null, "plain anonymous unchecked checked"],
  [{ presented: null, validated: null }, "plain anonymous unchecked checked"],
  [{ presented: true, validated: null }, "unchecked checked"],
  [{ presented: false, validated: null }, "plain anonymous"],
  [{ presented: true, validated: true }, "checked"],
  [{ presented: true, validated: false }, "unchecked"],
  [{ presented: null, validated: false }, "plain anonymous unchecked"],
  [{ presented: false, validated: true }, ""],
])("%j matches: %s", (tlsContext, expected) => {
  const matcher = new RouteMatcher({ ...everything, tlsContext }, new Runtime());
  const matched = Object.entries(connections)
    .filter(([, tls]) => matcher.matches(new HeaderMap(), "/", 1, 0, tls))
    .map(([name]) => name);
  expect(matched.join(" ")).toBe(expected);
});

test.each<[string, Partial<RouteMatchConfig>, boolean]>([
  ["a path", { path: { kind: "path", value: "/a" } }, true],
  ["a certificate", { tlsContext: { presented: true, validated: null } }, true],
  ["half of all", { runtimeFractionPpm: 500_000 }, false],
  ["as many as a key says", { runtimeKey: "k" }, false],
  ["a header", { headers: [anyHeader] }, false],
  ["gRPC", { grpc: true }, false],
])("whether a condition on %s is plain", (_name, condition, expected) => {
  const matcher = new RouteMatcher({ ...everything, ...condition }, new Runtime());
  expect(matcher.isPlain).toBe(expected);
});

// RouteMatch.tls_context beside the answers of Envoy 1.40 (conformance/envoy plays it whole).
import { expect, test } from "vitest";
import type { TlsContextMatchConfig } from "../config/snapshot.ts";
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
  const matcher = new RouteMatcher(
    {
      path: { kind: "prefix", value: "/" },
      caseSensitive: true,
      headers: [],
      queryParameters: [],
      runtimeFractionPpm: 1_000_000,
      runtimeKey: "",
      grpc: false,
      tlsContext,
    },
    new Runtime(),
  );
  const matched = Object.entries(connections)
    .filter(([, tls]) => matcher.matches(new HeaderMap(), "/", 1, 0, tls))
    .map(([name]) => name);
  expect(matched.join(" ")).toBe(expected);
});

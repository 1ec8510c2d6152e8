import { expect, test } from "vitest";
import {
  boot,
  type Fields,
  HCM_PATH,
  hcmOf,
  hcmProblems,
  problems,
  router,
  ROUTER,
  translate,
  type,
  warnings,
  WASM,
  wasmFilter,
} from "./bootstrap-for-test.ts";

const FILTERS = "envoy.extensions.filters.http";
const GRPC_WEB = `${FILTERS}.grpc_web.v3.GrpcWeb`;
const NETWORK_WASM = "envoy.extensions.filters.network.wasm.v3.Wasm";
const EXT_AUTHZ = `${FILTERS}.ext_authz.v3.ExtAuthz`;
const ignoring = { ignoreUnsupported: true };

const filter = (name: string, typeName: string, more: Fields = {}): Fields => ({
  name,
  typed_config: type(typeName),
  ...more,
});
const discovered = { config_source: { ads: {} }, type_urls: ["x"] };

test("reads a chain: wasm filters in their order, and the router's options", async () => {
  const options = {
    dynamic_stats: false,
    suppress_envoy_headers: true,
    respect_expected_rq_timeout: true,
    start_child_span: true,
  };
  const manager = await hcmOf({
    http_filters: [
      wasmFilter("a"),
      wasmFilter("b", {}, { disabled: true }),
      { name: "r", typed_config: { ...type(ROUTER), ...options } },
    ],
  });
  expect(manager.httpFilters).toEqual([
    { name: "a", disabled: false, plugin: 0 },
    { name: "b", disabled: true, plugin: 1 },
  ]);
  expect(manager.router).toEqual({
    dynamicStats: false,
    suppressEnvoyHeaders: true,
    respectExpectedRqTimeout: true,
  });
});

test("takes two filters of one name, as Envoy does", async () => {
  expect(await hcmProblems({ http_filters: [wasmFilter("a"), wasmFilter("a"), router] })).toEqual(
    [],
  );
});

const at = `${HCM_PATH}.http_filters`;
test.each<[string, readonly Fields[], readonly string[]]>([
  [
    "a router that is not the last",
    [router, wasmFilter("w")],
    [
      `${at}[0].typed_config: terminal filter named router must be the last filter in a http filter chain`,
      `${at}[1].typed_config: non-terminal filter named w is the last filter in a http filter chain`,
    ],
  ],
  [
    "a router that is switched off",
    [{ ...router, disabled: true }],
    [`${at}[0].disabled: the last (terminal) filter in the chain cannot be disabled`],
  ],
  [
    "a filter without configuration",
    [{ name: "envoy.filters.http.x" }, router],
    [`${at}[0].typed_config: not set: value is required`],
  ],
  [
    "an empty configuration",
    [{ name: "x", typed_config: {} }, router],
    [`${at}[0].typed_config: found no "@type" in it`],
  ],
  [
    "a wasm filter without a plugin",
    [filter("w", WASM), router],
    [`${at}[0].typed_config.config: not set: value is required`],
  ],
  [
    "a filter that is not implemented",
    [filter("x", EXT_AUTHZ), router],
    [`${at}[0].typed_config: the HTTP filter ${EXT_AUTHZ} is not implemented by Headgate`],
  ],
  [
    "a network filter",
    [filter("w", NETWORK_WASM), router],
    [`${at}[0].typed_config: ${NETWORK_WASM} is a network filter, expected an HTTP filter`],
  ],
  [
    "a discovered filter",
    [{ name: "x", config_discovery: discovered }, router],
    [`${at}[0].config_discovery: config_discovery is not implemented by Headgate`],
  ],
  [
    "options of the router that are not implemented",
    [
      {
        name: "r",
        typed_config: { ...type(ROUTER), strict_check_headers: ["x-envoy-max-retries"] },
      },
    ],
    [`${at}[0].typed_config.strict_check_headers: not implemented by Headgate`],
  ],
])("refuses %s", async (_, filters, expected) => {
  expect(await hcmProblems({ http_filters: filters })).toEqual(expected);
});

test("leaves an optional filter out, and says so", async () => {
  const optional = filter("x", EXT_AUTHZ, { is_optional: true });
  const config = boot({ hcm: { http_filters: [optional, router] } });
  expect(await warnings(config)).toEqual([
    `${at}[0].typed_config: the HTTP filter ${EXT_AUTHZ} is not implemented by Headgate: left out, as it is optional`,
  ]);
  const { snapshot } = await translate(config);
  expect(snapshot.listeners[0]?.filterChains[0]?.hcm?.httpFilters).toEqual([]);
});

test("leaves a harmless filter out when told to ignore", async () => {
  const config = boot({ hcm: { http_filters: [filter("c", GRPC_WEB), router] } });
  expect(await warnings(config, ignoring)).toEqual([
    `${at}[0].typed_config: the HTTP filter ${GRPC_WEB} is not implemented by Headgate`,
  ]);
});

test.each<[string, Fields]>([
  ["keep strangers out", filter("x", EXT_AUTHZ)],
  ["be anything", { name: "x", config_discovery: discovered }],
])("never leaves a filter out that could %s", async (_, one) => {
  const found = await problems(boot({ hcm: { http_filters: [one, router] } }), ignoring);
  expect(found).toHaveLength(1);
  expect(found[0]).toContain(
    "and --ignore-unsupported does not cover it: requests would pass without it (is_optional: true allows it)",
  );
});

import { describe, expect, test } from "vitest";
import type { ClusterConfig, Snapshot } from "../snapshot.ts";
import {
  boot,
  cluster,
  CLUSTER_PATH,
  type Fields,
  HCM_PATH,
  problems,
  ROUTER,
  router,
  translate,
  type,
  wasmFilter,
} from "./bootstrap-for-test.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
const FILTERS = "envoy.extensions.filters.http";
const CODEC = `${FILTERS}.upstream_codec.v3.UpstreamCodec`;
const codec: Fields = { name: "codec", typed_config: type(CODEC) };

function ofRouter(...filters: readonly Fields[]): Fields {
  const typed_config = { ...type(ROUTER), upstream_http_filters: filters };
  return boot({ hcm: { http_filters: [{ name: "router", typed_config }] } });
}

function filtered(filters: readonly Fields[], more: Fields = {}): Fields {
  const options = { explicit_http_config: { http_protocol_options: {} }, http_filters: filters };
  return cluster({
    typed_extension_protocol_options: { [HTTP_OPTIONS]: { ...type(HTTP_OPTIONS), ...options } },
    ...more,
  });
}

function ofCluster(...filters: readonly Fields[]): Fields {
  return boot({ clusters: [filtered(filters)] });
}

async function snapshotOf(config: Fields): Promise<Snapshot> {
  return (await translate(config)).snapshot;
}

async function clusterOf(config: Fields): Promise<ClusterConfig> {
  return (await snapshotOf(config)).clusters[0] as ClusterConfig;
}

const places = [
  ["a router", ofRouter, `${HCM_PATH}.http_filters[0].typed_config.upstream_http_filters`],
  [
    "a cluster",
    ofCluster,
    `${CLUSTER_PATH}.typed_extension_protocol_options["${HTTP_OPTIONS}"].http_filters`,
  ],
] as const;

describe.each(places)("the upstream filters of %s", (_, place, at) => {
  test.each<[string, readonly Fields[], readonly string[]]>([
    [
      "without the codec",
      [wasmFilter("w")],
      [
        `${at}[0].typed_config: non-terminal filter named w is the last filter in an upstream http filter chain, expected ${CODEC}`,
      ],
    ],
    [
      "with a codec that is not the last",
      [codec, wasmFilter("w")],
      [
        `${at}[0].typed_config: terminal filter named codec must be the last filter in an upstream http filter chain`,
        `${at}[1].typed_config: non-terminal filter named w is the last filter in an upstream http filter chain, expected ${CODEC}`,
      ],
    ],
    [
      "with two codecs",
      [codec, codec],
      [
        `${at}[0].typed_config: terminal filter named codec must be the last filter in an upstream http filter chain`,
      ],
    ],
    [
      "with a codec that is switched off",
      [{ ...codec, disabled: true }],
      [`${at}[0].disabled: the last (terminal) filter in the chain cannot be disabled`],
    ],
    [
      "with a filter that says nothing",
      [{ name: "x" }, codec],
      [`${at}[0].typed_config: not set: value is required`],
    ],
    [
      "with the router in place of the codec",
      [router],
      [
        `${at}[0].typed_config: non-terminal filter named router is the last filter in an upstream http filter chain, expected ${CODEC}`,
        `${at}[0].typed_config: the HTTP filter ${ROUTER} is not implemented by Headgate`,
      ],
    ],
  ])("are refused %s", async (_title, filters, expected) => {
    expect(await problems(place(...filters))).toEqual(expected);
  });

  test("may be the codec alone, which may be optional", async () => {
    expect(await problems(place({ ...codec, is_optional: true }))).toEqual([]);
  });
});

test("a router's are read in their order, behind the plugins of its chain", async () => {
  const typed_config = {
    ...type(ROUTER),
    upstream_http_filters: [wasmFilter("a"), wasmFilter("b", {}, { disabled: true }), codec],
  };
  const http_filters = [wasmFilter("d"), { name: "router", typed_config }];
  const { listeners, plugins } = await snapshotOf(boot({ hcm: { http_filters } }));
  const hcm = listeners[0]?.filterChains[0]?.hcm;
  expect(hcm?.router.upstreamFilters).toEqual([
    { name: "a", disabled: false, plugin: 1 },
    { name: "b", disabled: true, plugin: 2 },
  ]);
  expect(plugins.map(({ name }) => name)).toEqual(["d", "a", "b"]);
});

test("a router that says nothing has none", async () => {
  const { listeners } = await snapshotOf(boot());
  expect(listeners[0]?.filterChains[0]?.hcm?.router.upstreamFilters).toBeUndefined();
});

test("those of clusters name plugins of the whole snapshot", async () => {
  const clusters = [
    filtered([wasmFilter("a"), codec]),
    filtered([wasmFilter("b"), codec], { name: "other" }),
  ];
  const hcm = { http_filters: [wasmFilter("d"), router] };
  const snapshot = await snapshotOf(boot({ hcm, clusters }));
  expect(snapshot.plugins.map(({ name }) => name)).toEqual(["d", "a", "b"]);
  expect(snapshot.clusters.map(({ httpFilters }) => httpFilters?.filters)).toEqual([
    [{ name: "a", disabled: false, plugin: 1 }],
    [{ name: "b", disabled: false, plugin: 2 }],
  ]);
});

test("a cluster with the codec alone has filters: none", async () => {
  expect((await clusterOf(ofCluster(codec))).httpFilters?.filters).toEqual([]);
  expect((await clusterOf(boot())).httpFilters).toBeUndefined();
});

test("a cluster's digest changes with the configuration of a plugin, and not with its place", async () => {
  const digest = async (config: Fields): Promise<string | undefined> =>
    (await clusterOf(config)).httpFilters?.digest;
  const first = await digest(ofCluster(wasmFilter("a"), codec));
  const moved = boot({
    hcm: { http_filters: [wasmFilter("d"), router] },
    clusters: [filtered([wasmFilter("a"), codec])],
  });
  expect(await digest(moved)).toBe(first);
  const other = wasmFilter("a", { root_id: "other" });
  expect(await digest(ofCluster(other, codec))).not.toBe(first);
});

import { expect, test } from "vitest";
import {
  assignment,
  CLUSTER_PATH,
  clusterOf,
  clusterProblems,
  endpoint,
  type Fields,
  type,
} from "./bootstrap-for-test.ts";

const LB = "envoy.extensions.load_balancing_policies";

function original(more: Fields = {}): Fields {
  return {
    type: "ORIGINAL_DST",
    lb_policy: "CLUSTER_PROVIDED",
    load_assignment: undefined,
    ...more,
  };
}

test("Envoy's defaults", async () => {
  expect(await clusterOf(original())).toMatchObject({
    discovery: "original_dst",
    localities: [],
    originalDestination: {
      metadataPath: null,
      headerName: "",
      port: -1,
      cleanupIntervalMs: 5000,
    },
  });
});

test("all that can be set, and the type by its name", async () => {
  const options = {
    use_http_header: true,
    http_header_name: "X-To",
    upstream_port_override: 8080,
    metadata_key: { key: "ns", path: [{ key: "a" }, { key: "b" }] },
  };
  const more = {
    type: undefined,
    cluster_type: { name: "envoy.cluster.original_dst" },
    cleanup_interval: "2s",
    original_dst_lb_config: options,
  };
  expect((await clusterOf(original(more))).originalDestination).toEqual({
    metadataPath: ["ns", "a", "b"],
    headerName: "x-to",
    port: 8080,
    cleanupIntervalMs: 2000,
  });
});

test("the header that Envoy looks at when no other is named", async () => {
  const cluster = await clusterOf(original({ original_dst_lb_config: { use_http_header: true } }));
  expect(cluster.originalDestination?.headerName).toBe("x-envoy-original-dst-host");
});

test("other clusters take its fields, as in Envoy without effect", async () => {
  const more = { original_dst_lb_config: { use_http_header: true }, cleanup_interval: "1s" };
  expect((await clusterOf(more)).originalDestination).toBeNull();
});

const provided = {
  policies: [
    {
      typed_extension_config: {
        name: "x",
        typed_config: type(`${LB}.cluster_provided.v3.ClusterProvided`),
      },
    },
  ],
};

test.each<[Fields, string]>([
  [
    original({ lb_policy: "ROUND_ROBIN" }),
    ".lb_policy: found ROUND_ROBIN, expected CLUSTER_PROVIDED with cluster type ORIGINAL_DST",
  ],
  [
    original({ load_balancing_policy: provided }),
    ".load_balancing_policy: found load_balancing_policy, expected CLUSTER_PROVIDED with cluster type ORIGINAL_DST",
  ],
  [
    original({ load_assignment: assignment(endpoint("127.0.0.1", 80)) }),
    ".load_assignment: ORIGINAL_DST clusters must have no load assignment configured",
  ],
  [
    original({ original_dst_lb_config: { http_header_name: "x-to" } }),
    '.original_dst_lb_config.http_header_name: found "x-to" without use_http_header, expected both or none',
  ],
  [
    { lb_policy: "CLUSTER_PROVIDED" },
    ".lb_policy: found CLUSTER_PROVIDED, expected it with cluster type ORIGINAL_DST only",
  ],
])("%j is refused", async (cluster, problem) => {
  expect(await clusterProblems(cluster)).toEqual([`${CLUSTER_PATH}${problem}`]);
});

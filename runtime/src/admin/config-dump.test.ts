import { expect, test } from "vitest";
import { adminForTest } from "./admin-for-test.ts";

const admin = adminForTest();

test("the configuration dump has Envoy's six parts in its order", async () => {
  const { configs } = JSON.parse((await admin.call("GET", "/config_dump")).body);
  const names = configs.map((config: { "@type": string }) => config["@type"].split(".").at(-1));
  expect(names).toEqual([
    "BootstrapConfigDump",
    "ClustersConfigDump",
    "ListenersConfigDump",
    "ScopedRoutesConfigDump",
    "RoutesConfigDump",
    "SecretsConfigDump",
  ]);
  expect(configs[1].static_clusters[0]).toEqual({
    cluster: {
      "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
      name: "up",
      connect_timeout: "1s",
    },
    last_updated: "2026-11-21T12:21:23.968Z",
  });
});

test("the dump's resource, mask and name_regex choose as in Envoy", async () => {
  const dump = async (query: string): Promise<unknown> =>
    JSON.parse((await admin.call("GET", `/config_dump?${query}`)).body).configs;
  const type = "type.googleapis.com/envoy.admin.v3.ClustersConfigDump";
  const cluster = { "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", name: "up" };
  expect(await dump("resource=static_clusters&mask=cluster.name")).toEqual([
    { "@type": `${type}.StaticCluster`, cluster },
  ]);
  expect(await dump("mask=bootstrap.node.id,bootstrap.admin")).toEqual([
    {
      "@type": "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump",
      bootstrap: { node: { id: "n" }, admin: { address: { pipe: {} } } },
    },
  ]);
  const byName = (await dump("name_regex=u.")) as Record<string, unknown>[];
  expect(byName[1]?.["static_clusters"]).toHaveLength(1);
  expect(byName[2]).toEqual({
    "@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
  });
});

// Reads lists of clusters and listeners, static ones and those of a discovery response, and checks
// them against each other. Called by translate-bootstrap.ts and translate-resources.ts.
import type { ConfigNode } from "../config-node.ts";
import type { ListenerConfig } from "../snapshot.ts";
import { addressText } from "./address-reader.ts";
import type { ClusterResource, ListenerResource } from "./assemble-snapshot.ts";
import { readCluster } from "./cluster-reader.ts";
import { readListener } from "./listener-reader.ts";
import type { ClusterNames } from "./route-reader.ts";
import type { Translation } from "./translation.ts";

export function readClusters(t: Translation, nodes: readonly ConfigNode[]): ClusterResource[] {
  const clusters = nodes.map((node): ClusterResource => {
    const own = t.ofResource();
    const config = readCluster(own, node);
    return { node, config, plugins: own.plugins, secrets: own.secrets };
  });
  const seen = new Set<string>();
  for (const { node, config } of clusters) {
    const { name } = config;
    if (name !== "" && seen.has(name)) t.wrong(node, `duplicate cluster '${name}'`, "name");
    seen.add(name);
  }
  return clusters;
}

export function readListeners(
  t: Translation,
  nodes: readonly ConfigNode[],
  clusters: ClusterNames,
): ListenerResource[] {
  const listeners: ListenerResource[] = [];
  const names = new Set<string>();
  const owners = new Map<string, string>();
  for (const node of nodes) {
    const own = t.ofResource(node.string("name", "") || node.path);
    const listener = readListener(own, node, clusters);
    if (listener === null) continue;
    const name = listener.name || freeName(addressText(listener.address), names);
    if (names.has(name)) t.wrong(node, `duplicate listener '${name}'`, "name");
    names.add(name);
    const { plugins, secrets, rdsChains } = own;
    listeners.push({ node, config: { ...listener, name }, plugins, secrets, rdsChains });
    checkAddresses(t, node, listener, owners);
  }
  return listeners;
}

/** Envoy invents a name; ours says where the listener listens, and is the same at every start. */
function freeName(text: string, names: ReadonlySet<string>): string {
  let name = text;
  for (let count = 2; names.has(name); count += 1) name = `${text}#${count}`;
  return name;
}

/** No two listeners have one address; port 0 is another port each time. */
function checkAddresses(
  t: Translation,
  node: ConfigNode,
  listener: ListenerConfig,
  owners: Map<string, string>,
): void {
  for (const address of [listener.address, ...listener.additionalAddresses]) {
    if (address.kind === "ip" && address.port === 0) continue;
    const text = addressText(address);
    const owner = owners.get(text) ?? listener.where;
    owners.set(text, owner);
    // One listener may have an address twice: the kernel shares its connections out.
    if (owner === listener.where) continue;
    t.wrong(node, `found the address ${text} twice, first in ${owner}`, "address");
  }
}

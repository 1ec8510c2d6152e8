// Who belongs to each cluster: static hosts as configured, DNS hosts as the resolver says. Main thread
// only; changes go to all workers.
import type { ClusterConfig, ClusterMembership, HostConfig } from "../config/snapshot.ts";

/** The hosts that the configuration names; for DNS clusters these are names, to be resolved. */
export function configuredHosts(cluster: ClusterConfig): HostConfig[] {
  return cluster.localities.flatMap((locality) =>
    locality.endpoints.map((endpoint) => ({
      address: endpoint.address,
      hostname: endpoint.hostname,
      weight: endpoint.weight,
      priority: locality.priority,
      health: endpoint.health,
      region: locality.region,
      zone: locality.zone,
      subZone: locality.subZone,
    })),
  );
}

/** The membership of a static cluster. */
export function staticMembership(cluster: ClusterConfig): ClusterMembership {
  return { cluster: cluster.name, hosts: configuredHosts(cluster) };
}

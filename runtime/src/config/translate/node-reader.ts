// Reads Node: who this proxy is. The command line's --service-* flags win.
import { fromJson, toBinary } from "@bufbuild/protobuf";
import type { JsonValue as PbJson } from "@bufbuild/protobuf";
import type { LoadedBootstrap } from "../bootstrap-loader.ts";
import type { NodeConfig } from "../snapshot.ts";

/** --service-node, --service-cluster, --service-zone; "" = not given. */
export interface ServiceNames {
  readonly serviceNode: string;
  readonly serviceCluster: string;
  readonly serviceZone: string;
}

export function readNode(loaded: LoadedBootstrap, names: ServiceNames): NodeConfig {
  const node = loaded.root.node("node");
  const locality = node?.node("locality");
  const config = {
    id: names.serviceNode || (node?.string("id") ?? ""),
    cluster: names.serviceCluster || (node?.string("cluster") ?? ""),
    zone: names.serviceZone || (locality?.string("zone") ?? ""),
    region: locality?.string("region") ?? "",
    subZone: locality?.string("sub_zone") ?? "",
  };
  locality?.acceptRest("handed to guests as it is");
  node?.acceptRest("handed to guests as it is");
  return { ...config, serialized: serialize(loaded, config) };
}

/** The whole message, with the names that hold in the end. */
function serialize(
  loaded: LoadedBootstrap,
  { id, cluster, zone }: Pick<NodeConfig, "id" | "cluster" | "zone">,
): Uint8Array {
  const node = loaded.root.node("node");
  const json = { ...(node?.toProtoJson() as Record<string, PbJson> | undefined) };
  if (id !== "") json["id"] = id;
  if (cluster !== "") json["cluster"] = cluster;
  if (zone !== "") json["locality"] = { ...(json["locality"] as object | undefined), zone };
  const description = loaded.schema.requireMessage("envoy.config.core.v3.Node");
  const message = fromJson(description, json, { registry: loaded.schema.registry });
  return toBinary(description, message);
}

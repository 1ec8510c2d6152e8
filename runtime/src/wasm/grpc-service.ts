// What a guest says a gRPC call goes to: the name of a cluster, or a serialised
// envoy.config.core.v3.GrpcService. Read by the gRPC hostcalls.
import { fieldBytes, isMessage, lastField } from "./proto-fields.ts";

const Field = { EnvoyGrpc: 1, InitialMetadata: 5 } as const;
/** Of EnvoyGrpc. */
const CLUSTER_NAME = 1;
/** Of HeaderValue. */
const HeaderField = { Key: 1, Value: 2, RawValue: 3 } as const;

export interface GrpcService {
  readonly cluster: string;
  /** Names and values, before those of the call. */
  readonly metadata: readonly string[];
}

/**
 * A name that is a cluster's is that cluster, also when its bytes happen to be a message (as "h2"
 * are). Null = a message without envoy_grpc.
 */
export function readGrpcService(
  bytes: Buffer,
  hasCluster: (name: string) => boolean,
): GrpcService | null {
  const name = bytes.toString("utf8");
  if (hasCluster(name) || !isMessage(bytes)) return { cluster: name, metadata: [] };
  const target = fieldBytes(bytes, Field.EnvoyGrpc).at(-1);
  if (target === undefined) return null;
  const metadata: string[] = [];
  for (const header of fieldBytes(bytes, Field.InitialMetadata)) {
    const key = lastField(header, HeaderField.Key).toString("latin1").toLowerCase();
    const value = lastField(header, HeaderField.Value).toString("latin1");
    const raw = lastField(header, HeaderField.RawValue).toString("latin1");
    if (key !== "") metadata.push(key, value === "" ? raw : value);
  }
  return { cluster: lastField(target, CLUSTER_NAME).toString("utf8"), metadata };
}

// Reads the transport sockets of filter chains and clusters: plain text is the only one.
import type { ConfigNode } from "../config-node.ts";
import type { Translation } from "./translation.ts";

const RAW_BUFFER = "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer";

export function readTransportSocket(t: Translation, node: ConfigNode): void {
  const socket = node.node("transport_socket");
  if (socket === undefined) return;
  socket.accept("name", "only a label");
  const typed = socket.any("typed_config");
  if (typed === undefined) {
    t.missing(socket, "typed_config");
    return;
  }
  if (typed.typeName === RAW_BUFFER) return;
  typed.acceptRest("reported as a whole");
  const what = `the transport socket ${typed.typeName}`;
  t.guarded(node, what, "traffic would go in plain text", "transport_socket");
}

// Reads core.v3.Address.
import { isIP } from "node:net";
import type { ConfigNode } from "../config-node.ts";
import type { AddressConfig } from "../snapshot.ts";
import type { Translation } from "./translation.ts";

/** `expected` says whether host names are allowed. Null and a problem when the address is no good. */
export function readAddress(
  t: Translation,
  node: ConfigNode,
  expected: "ip" | "name",
): AddressConfig | null {
  const pipe = node.node("pipe");
  if (pipe !== undefined) {
    return {
      kind: "pipe",
      address: pipe.string("path", ""),
      port: 0,
      ipv4Compat: false,
      pipeMode: pipe.uint("mode", 0),
    };
  }
  const socket = node.node("socket_address");
  if (socket === undefined) {
    if (node.oneof("address") === undefined) t.wrong(node, "expected socket_address or pipe");
    return null;
  }
  if (socket.enum("protocol") !== "TCP") {
    t.unsupported(socket, `protocol ${socket.enum("protocol")}`, "protocol");
  }
  socket.accept("resolver_name", "names are resolved by the cluster's type");
  const address = socket.string("address", "");
  if (expected === "ip" && isIP(address) === 0) {
    const message = `malformed IP address: ${address}. Consider setting the cluster type to STRICT_DNS`;
    t.wrong(socket, message, "address");
  }
  if (socket.oneof("port_specifier") === undefined) t.wrong(socket, "expected port_value");
  return {
    kind: "ip",
    address,
    port: socket.uint("port_value", 0),
    ipv4Compat: socket.bool("ipv4_compat", false),
    pipeMode: 0,
  };
}

/** "1.2.3.4:80", "[::1]:80" or the path, as Envoy prints addresses. */
export function addressText(address: AddressConfig): string {
  if (address.kind === "pipe") return address.address;
  const host = address.address.includes(":") ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}

// Reads core.v3.Address.
import type { ConfigNode } from "../config-node.ts";
import type { AddressConfig } from "../snapshot.ts";
import { guard } from "./guarded-fields.ts";
import { ipVersion } from "./ip-address.ts";
import type { Translation } from "./translation.ts";

/** sizeof(sockaddr_un.sun_path), with the 0 at its end. */
const PIPE_BYTES_MAX = 108;

/**
 * `expected` says whether host names are allowed. Null and a problem when the address is no good.
 */
export function readAddress(
  t: Translation,
  node: ConfigNode,
  expected: "ip" | "name",
): AddressConfig | null {
  const pipe = node.node("pipe");
  if (pipe !== undefined) return readPipe(t, pipe);
  const socket = node.node("socket_address");
  return socket === undefined ? null : readSocketAddress(t, socket, expected);
}

/** A SocketAddress; null and a problem when it is no good. */
export function readSocketAddress(
  t: Translation,
  socket: ConfigNode,
  expected: "ip" | "name",
): AddressConfig | null {
  guard(t, socket);
  const protocol = socket.enum("protocol");
  if (protocol !== "TCP") t.unsupported(socket, `protocol ${protocol}`, "protocol");
  const resolver = socket.string("resolver_name", "");
  if (resolver !== "") t.unsupported(socket, `the address resolver ${resolver}`, "resolver_name");
  const address = socket.string("address", "");
  const ipv4Compat = socket.bool("ipv4_compat", false);
  const port = socket.uint("port_value", 0);
  const version = ipVersion(address);
  if (expected === "ip" && version === 0) {
    if (address !== "") t.wrong(socket, malformed(address), "address");
    return null;
  }
  if (ipv4Compat && version !== 6) {
    t.wrong(socket, `found "${address}", expected an IPv6 address with ipv4_compat`, "ipv4_compat");
  }
  return { kind: "ip", address, port, ipv4Compat, pipeMode: 0 };
}

function malformed(address: string): string {
  const hint = "names need a cluster of type STRICT_DNS or LOGICAL_DNS";
  return `malformed IP address: ${address} (${hint})`;
}

function readPipe(t: Translation, pipe: ConfigNode): AddressConfig {
  const address = pipe.string("path", "");
  const pipeMode = pipe.uint("mode", 0);
  const bytes = Buffer.byteLength(address);
  if (bytes >= PIPE_BYTES_MAX) {
    const message = `found a path of ${bytes} bytes, expected less than ${PIPE_BYTES_MAX}`;
    t.wrong(pipe, message, "path");
  }
  if (address.startsWith("@") && pipeMode !== 0) {
    t.wrong(pipe, "cannot set the mode of an abstract unix socket", "mode");
  }
  return { kind: "pipe", address, port: 0, ipv4Compat: false, pipeMode };
}

/** "1.2.3.4:80", "[::1]:80" or the path, as Envoy prints addresses. */
export function addressText(address: AddressConfig): string {
  if (address.kind === "pipe") return address.address;
  const host = address.address.includes(":") ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}

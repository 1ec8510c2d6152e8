// Addresses of hosts: from configuration to what the engine takes and what logs print.
import { isIP } from "node:net";
import type { AddressConfig } from "../config/snapshot.ts";
import type { SocketAddress } from "../engine/network-engine.ts";

/** What the engine connects to; the address must be literal. Null when it is a name. */
export function toSocketAddress(config: AddressConfig): SocketAddress | null {
  if (config.kind === "pipe") return { address: config.address, port: 0, family: "unix" };
  const version = isIP(config.address);
  if (version === 0) return null;
  return {
    address: config.address,
    port: config.port,
    family: version === 6 ? "ipv6" : "ipv4",
  };
}

/** "1.2.3.4:80", "[::1]:80" or a path. */
export function addressText(address: SocketAddress): string {
  if (address.family === "unix") return address.address;
  if (address.family === "ipv6") return `[${address.address}]:${address.port}`;
  return `${address.address}:${address.port}`;
}

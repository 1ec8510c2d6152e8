// Between configured addresses, the engine's, and the texts that logs and headers use.
import { ConnectionInfo } from "../core/connection-info.ts";
import type { AddressConfig } from "../config/snapshot.ts";
import type { IoHandle, SocketAddress } from "../engine/network-engine.ts";

export function toListenAddress(config: AddressConfig, port: number): SocketAddress {
  if (config.kind === "pipe") return { address: config.address, port: 0, family: "unix" };
  const family = config.address.includes(":") ? "ipv6" : "ipv4";
  return { address: config.address, port, family };
}

/** "1.2.3.4:80", "[::1]:80", or the path. */
export function socketAddressText(address: SocketAddress): string {
  if (address.family === "unix") return address.address;
  const host = address.family === "ipv6" ? `[${address.address}]` : address.address;
  return `${host}:${address.port}`;
}

/** What is known of a connection that was just accepted. */
export function connectionInfoOf(io: IoHandle, id: number, nowMs: number): ConnectionInfo {
  return new ConnectionInfo(id, partsOf(io.remoteAddress), partsOf(io.localAddress), nowMs);
}

function partsOf(address: SocketAddress): { text: string; ip: string; port: number } {
  return { text: socketAddressText(address), ip: address.address, port: address.port };
}

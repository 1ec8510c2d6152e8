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

/**
 * What is known of a connection that was just accepted at `target`. Peers on unix sockets have no
 * name of their own: as in Envoy they bear the listener's path.
 */
export function connectionInfoOf(
  io: IoHandle,
  target: SocketAddress,
  id: number,
  nowMs: number,
): ConnectionInfo {
  const isUnix = target.family === "unix";
  const remote = partsOf(isUnix ? target : io.remoteAddress);
  return new ConnectionInfo(id, remote, partsOf(isUnix ? target : io.localAddress), nowMs);
}

function partsOf(address: SocketAddress): { text: string; ip: string; port: number } {
  return { text: socketAddressText(address), ip: address.address, port: address.port };
}

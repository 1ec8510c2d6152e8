// Between Node's forms of addresses and the contract's; called by all connections and listeners.
import type { SocketAddress } from "../engine/network-engine.ts";
import type { AddressSlot, StreamHandle } from "./node-internals.ts";

/** What is answered when the kernel does not say (any more). */
export const noAddress: SocketAddress = { address: "", port: 0, family: "ipv4" };

/** An IPv4 peer of a dual-stack listener (::ffff:192.0.2.1) is reported as IPv4. */
export function ipAddress(address: string, port: number): SocketAddress {
  if (!address.includes(":")) return { address, port, family: "ipv4" };
  if (address.startsWith("::ffff:") && address.includes(".")) {
    return { address: address.slice(7), port, family: "ipv4" };
  }
  return { address, port, family: "ipv6" };
}

export function unixAddress(path: string): SocketAddress {
  return { address: path, port: 0, family: "unix" };
}

/** Abstract names begin with "@" in the contract and with NUL in the kernel. */
export function kernelPath(path: string): string {
  return path.startsWith("@") ? `\0${path.slice(1)}` : path;
}

/** Asks the kernel; a pipe's handle has no names to give. */
export function askHandle(
  handle: StreamHandle,
  query: "getsockname" | "getpeername",
): SocketAddress {
  if (handle[query] === undefined) return unixAddress("");
  const slot: AddressSlot = {};
  const status = handle[query](slot);
  return status === 0 && slot.address !== undefined
    ? ipAddress(slot.address, slot.port ?? 0)
    : noAddress;
}

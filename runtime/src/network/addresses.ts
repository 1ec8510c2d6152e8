// Between configured addresses, the engine's, and the texts that logs and headers use.
import { ConnectionInfo, type EndAddress, endAddressText } from "../core/connection-info.ts";
import { isIpText, isLoopback } from "../core/ip-address.ts";
import type { AddressConfig } from "../config/snapshot.ts";
import type { IoHandle, SocketAddress } from "../engine/network-engine.ts";

export function toListenAddress(config: AddressConfig, port: number): SocketAddress {
  if (config.kind === "pipe") return { address: config.address, port: 0, family: "unix" };
  const family = config.address.includes(":") ? "ipv6" : "ipv4";
  return { address: config.address, port, family };
}

/** "1.2.3.4:80", "[::1]:80", or the path. */
export function socketAddressText({ address, port, family }: SocketAddress): string {
  return family === "unix" ? address : endAddressText(address, port);
}

/** All addresses of the machine: only the socket knows which one a client chose. */
const WILDCARD = /^[0:.]+$/;

/** An address that is listened on, with what its connections have in common. */
export class ListenPlace {
  readonly address: SocketAddress;
  /** 0 = the listener's first address. */
  readonly index: number;
  readonly #isWildcard: boolean;
  #local: EndAddress | null = null;

  constructor(address: SocketAddress, index = 0) {
    this.address = address;
    this.index = index;
    this.#isWildcard = address.family !== "unix" && WILDCARD.test(address.address);
  }

  /** Asked of the first connection; a question for each would be a system call and a text. */
  localOf(io: IoHandle): EndAddress {
    if (this.#isWildcard) return partsOf(io.localAddress);
    const isUnix = this.address.family === "unix";
    this.#local ??= partsOf(isUnix ? this.address : io.localAddress);
    return this.#local;
  }

  /** Peers on unix sockets have no name of their own: as in Envoy they bear the listener's path. */
  remoteOf(io: IoHandle): EndAddress {
    return this.address.family === "unix" ? this.localOf(io) : partsOf(io.remoteAddress);
  }
}

/** What is known of a connection that was just accepted at `place`. */
export function connectionInfoOf(
  io: IoHandle,
  place: ListenPlace,
  id: number,
  nowMs: number,
): ConnectionInfo {
  return new ConnectionInfo(id, place.remoteOf(io), place.localOf(io), nowMs);
}

/** Whether the peer is on this machine, as filter chains see it. */
export function isLocalPeer({ remoteIp, localIp }: ConnectionInfo): boolean {
  return !isIpText(remoteIp) || isLoopback(remoteIp) || remoteIp === localIp;
}

function partsOf(address: SocketAddress): EndAddress {
  return { ip: address.address, port: address.port };
}

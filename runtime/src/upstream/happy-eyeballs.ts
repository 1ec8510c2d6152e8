// In which order the addresses of one host are tried (RFC 8305, section 4). Called by Cluster when
// a host comes or changes.
import type { HappyEyeballsConfig } from "../config/snapshot.ts";
import type { SocketAddress } from "../engine/network-engine.ts";

/** Milliseconds between the begin of one attempt and the next; Envoy's, and RFC 8305's order. */
export const attemptDelayMs = 300;

/**
 * Up to `firstFamilyCount` of the family that goes first, then one of another, and so on; within
 * both the given order stays.
 */
export function inConnectOrder(
  addresses: readonly SocketAddress[],
  config: HappyEyeballsConfig,
): readonly SocketAddress[] {
  const firstFamily = config.firstFamily ?? addresses[0]?.family;
  const first = addresses.filter(({ family }) => family === firstFamily);
  const others = addresses.filter(({ family }) => family !== firstFamily);
  const ordered: SocketAddress[] = [];
  while (first.length > 0 || others.length > 0) {
    ordered.push(...first.splice(0, config.firstFamilyCount), ...others.splice(0, 1));
  }
  return ordered;
}

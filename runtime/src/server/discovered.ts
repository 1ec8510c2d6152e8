// What EDS, RDS and SDS have in common: subscriptions of which each response carries one resource,
// of a name that is known before. Used by eds-assignments.ts, rds-tables.ts and tls-secrets.ts.
import type { LoadedDiscovery } from "../config/discovery-loader.ts";
import type { FileSubscription } from "../xds/file-subscription.ts";

/** What one subscription brought. */
export interface Discovered {
  readonly subscription: FileSubscription;
  /** The last response in force; null = none yet. */
  discovery: LoadedDiscovery | null;
  lastUpdated: string;
  /** Workers know it. */
  isInForce: boolean;
}

/** For /config_dump. */
export interface InForce {
  readonly discovery: LoadedDiscovery;
  readonly lastUpdated: string;
}

export interface Expected {
  readonly kind: "EDS" | "RDS" | "SDS";
  /** What Envoy calls the resource in its message. */
  readonly noun: string;
  /** That has the name. */
  readonly field: string;
  readonly name: string;
}

/** What is wrong with a response that is not empty, in Envoy's words; null = nothing. */
export function unexpectedResource(discovery: LoadedDiscovery, expected: Expected): string | null {
  const { kind, noun, field, name } = expected;
  const [node, second] = discovery.resources;
  if (second !== undefined) {
    const message = `Unexpected ${kind} resource length: ${discovery.resources.length}`;
    return `${second.where()}: ${message}`;
  }
  const found = node?.string(field, "") ?? "";
  if (found === name) return null;
  return `${node?.where(field)}: Unexpected ${kind} ${noun} (expecting ${name}): ${found}`;
}

export function inForceOf(entries: Iterable<Discovered>): InForce[] {
  return [...entries].flatMap(({ discovery, lastUpdated }) =>
    discovery === null ? [] : [{ discovery, lastUpdated }],
  );
}

/** Ends all subscriptions and forgets them. */
export function closeAll(entries: Map<string, Discovered>): void {
  for (const { subscription } of entries.values()) subscription.close();
  entries.clear();
}

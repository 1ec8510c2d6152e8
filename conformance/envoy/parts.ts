// Deals the groups out to several test files, which run at the same time. Groups that a row of
// KNOWN_DIFFERENCES.md names by one pattern stay together: whether it has healed, all of them tell.
import { matchesName } from "./known-differences.ts";

/** How many test files there are: differential-1.test.ts and so on. */
export const PARTS = 4;

/** A group, or all configuration cases. */
export interface Deal {
  readonly id: string;
  readonly cases: readonly { readonly id: string }[];
}

/** Those of each part, in their order; each is in one part. */
export function dealt<T extends Deal>(all: readonly T[], patterns: readonly string[]): T[][] {
  const bundles: T[][] = [];
  for (const bundle of bundlesOf(all, patterns)) bundles.push(bundle);
  const size = (bundle: readonly T[]): number =>
    bundle.reduce((sum, { cases }) => sum + cases.length, 0);
  const parts: T[][] = Array.from({ length: PARTS }, () => []);
  for (const bundle of bundles.toSorted((a, b) => size(b) - size(a))) {
    const smallest = parts.toSorted((a, b) => size(a) - size(b))[0] as T[];
    smallest.push(...bundle);
  }
  return parts.map((part) => all.filter((one) => part.includes(one)));
}

/** What a pattern names is one bundle. */
function bundlesOf<T extends Deal>(all: readonly T[], patterns: readonly string[]): Set<T[]> {
  const bundleOf = new Map<T, T[]>(all.map((one) => [one, [one]]));
  for (const pattern of patterns) {
    const named = all.filter(({ cases }) => cases.some(({ id }) => matchesName(pattern, id)));
    const together = [...new Set(named.flatMap((one) => bundleOf.get(one) ?? []))];
    for (const one of together) bundleOf.set(one, together);
  }
  return new Set(bundleOf.values());
}

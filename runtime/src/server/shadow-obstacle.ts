// What stands in the way of a plugin's shadow: only HTTP filters have copies of what they see.
import { chainLogs } from "../config/chain-logs.ts";
import type { Snapshot } from "../config/snapshot.ts";
import { logPluginsOf } from "./plugin-key.ts";

/** "" = nothing: all that the plugin of that name is are HTTP filters. */
export function whyNoShadow(snapshot: Snapshot, plugin: string): string {
  const found = placesOf(snapshot).find(([, index]) => snapshot.plugins[index]?.name === plugin);
  if (found === undefined) return "";
  const [what, index] = found;
  const where = snapshot.plugins[index]?.where ?? "";
  return `found it as ${what} (${where}), expected HTTP filters only: others have no shadow`;
}

/** Of plugins that are no HTTP filters: what they are, and their indexes. */
function placesOf({ services, listeners }: Snapshot): (readonly [string, number])[] {
  const places: (readonly [string, number])[] = [];
  for (const { plugin } of services) places.push(["a wasm service", plugin]);
  for (const { filterChains, defaultFilterChain, accessLogs } of listeners) {
    for (const plugin of logPluginsOf(accessLogs)) places.push(["an access logger", plugin]);
    for (const chain of [...filterChains, defaultFilterChain]) {
      if (chain === null) continue;
      for (const { plugin } of chain.networkFilters) places.push(["a network filter", plugin]);
      for (const plugin of logPluginsOf(chainLogs(chain))) {
        places.push(["an access logger", plugin]);
      }
    }
  }
  return places;
}

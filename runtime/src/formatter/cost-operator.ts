// %HEADGATE_WASM_COST(PLUGIN:FIELD)% and %HEADGATE_WASM_VERSION(PLUGIN)%: what a wasm filter of the
// stream has cost, and which version it was; Envoy has no such commands. Compiled by operators.ts.
import type { GuestCost } from "../core/guest-cost.ts";
import type { FormatOperator } from "./format-context.ts";

/** Null = the filter was not asked, or is not timed. */
type Read = (cost: GuestCost) => number | null;

const fields: Readonly<Record<string, Read>> = {
  FUEL: ({ fuel }) => fuel,
  NS: ({ timeNs }) => (timeNs < 0 ? null : Math.round(timeNs)),
  HOSTCALLS: ({ hostcalls }) => hostcalls,
  BYTES: ({ bytesCopied }) => bytesCopied,
  CALLOUTS: ({ callouts }) => callouts,
};

/** Plugins of one name are one: their costs are added. */
export function costOperator(args: string): FormatOperator | string {
  const colon = args.lastIndexOf(":");
  const plugin = args.slice(0, Math.max(0, colon));
  const read = fields[args.slice(colon + 1)];
  if (plugin === "" || read === undefined) {
    const names = Object.keys(fields).join(", ");
    return `expects PLUGIN:FIELD with a field of ${names}, got ${args === "" ? "nothing" : args}`;
  }
  return (context) => {
    let sum: number | null = null;
    let cost = context.info?.guestCost ?? null;
    for (; cost !== null; cost = cost.nextCost) {
      if (cost.pluginName !== plugin) continue;
      const value = read(cost);
      if (value !== null) sum = (sum ?? 0) + value;
    }
    return sum;
  };
}

/** Of the plugin's first filter in the stream; they are of one version, but for a swap between. */
export function versionOperator(plugin: string): FormatOperator | string {
  if (plugin === "") return "expects PLUGIN, got nothing";
  return (context) => {
    let version: string | null = null;
    for (let cost = context.info?.guestCost ?? null; cost !== null; cost = cost.nextCost) {
      if (cost.pluginName === plugin && cost.pluginVersion !== "") version = cost.pluginVersion;
    }
    return version;
  };
}

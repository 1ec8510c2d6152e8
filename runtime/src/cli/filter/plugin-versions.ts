// What /wasm/plugins tells, as commands read it.
import type { AdminClient } from "./admin-client.ts";
import { UnreachableError } from "./admin-client.ts";

export interface ShownVersion {
  readonly name: string;
  readonly state: string;
  readonly share_percent: number;
  readonly source: string;
  readonly since: string;
  readonly stats: {
    readonly streams: number;
    readonly streams_active: number;
    readonly responses_5xx: number;
    readonly stopped_fuel: number;
    readonly stopped_other: number;
    readonly fuel_per_stream: number;
    readonly duration_ms: { readonly p50: number; readonly p90: number; readonly p99: number };
  };
}

export interface ShownPlugin {
  readonly name: string;
  readonly versions: readonly ShownVersion[];
  readonly events: readonly { readonly version: string; readonly what: string }[];
}

/** Throws UnreachableError, also for an answer that is not this page. */
export async function readPlugins(client: AdminClient): Promise<readonly ShownPlugin[]> {
  const { status, json } = await client.send("GET", "/wasm/plugins");
  const plugins = json?.["plugins"];
  if (status === 200 && Array.isArray(plugins)) return plugins as ShownPlugin[];
  throw new UnreachableError(`/wasm/plugins answered ${status}: is it Headgate's admin interface?`);
}

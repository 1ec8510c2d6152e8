// What of a bootstrap cannot change while the process runs. Called by config-updates.ts.
import type { JsonObject, JsonValue } from "../admin/admin-delegate.ts";
import type { LoadedConfig } from "./config-loading.ts";
import { problemAt } from "./config-loading.ts";

/** Fields whose change takes effect, or that have none. */
const FREE_FIELDS: ReadonlySet<string> = new Set([
  "bootstrap_extensions",
  "layered_runtime",
  "static_resources.clusters",
  "static_resources.listeners",
  "static_resources.secrets",
  "stats_flush_interval",
  "stats_flush_on_admin",
  "watchdog",
  "watchdogs",
]);

/** One line, with file:line:col, for each setting that is not as it is in force. */
export function changedFixedSettings(before: LoadedConfig, next: LoadedConfig): string[] {
  const paths = changedPaths(fieldsOf(before), fieldsOf(next));
  return paths.map((path) =>
    problemAt(next, path, "found a change that needs a restart: it cannot be made at run time"),
  );
}

/** The bootstrap's fields, those of static_resources one by one. */
function fieldsOf(config: LoadedConfig): Map<string, JsonValue> {
  const json = config.loaded.root.toProtoJson() as JsonObject;
  const fields = new Map(Object.entries(json));
  const resources = (fields.get("static_resources") ?? {}) as JsonObject;
  fields.delete("static_resources");
  for (const [name, value] of Object.entries(resources)) {
    fields.set(`static_resources.${name}`, value);
  }
  return fields;
}

function changedPaths(
  before: ReadonlyMap<string, JsonValue>,
  next: ReadonlyMap<string, JsonValue>,
): string[] {
  const names = new Set([...before.keys(), ...next.keys()]);
  return [...names].filter((name) => {
    if (FREE_FIELDS.has(name)) return false;
    return JSON.stringify(before.get(name)) !== JSON.stringify(next.get(name));
  });
}

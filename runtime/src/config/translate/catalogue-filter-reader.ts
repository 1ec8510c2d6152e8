// Reads the configuration of filters that come with Headgate: Envoy's own messages, which reach the
// module as JSON.
import { existsSync } from "node:fs";
import type { ConfigNode } from "../config-node.ts";
import type { CatalogueFilter } from "../filter-catalogue.ts";
import type { Json } from "../message-value.ts";
import type { WasmPluginConfig } from "../snapshot.ts";
import { defaultWasmPolicy } from "../wasm-policy.ts";
import { readDataSource } from "./data-source.ts";
import type { Translation } from "./translation.ts";

const HANDED_OVER = "handed to the filter as it is";
const LOST = "requests would be treated otherwise than they should be";

/** What the module gets: `{"filter": {...}, "levels": [{...}, ...]}`. */
export function catalogueConfiguration(filter: Json, levels: readonly Json[]): Uint8Array {
  return Buffer.from(JSON.stringify({ filter, levels }));
}

/** The plugin of a filter in a chain, by its index. `metricPrefix` ends with a dot. */
export function readCatalogueFilter(
  t: Translation,
  entry: CatalogueFilter,
  typed: ConfigNode,
  { name, metricPrefix }: { name: string; metricPrefix: string },
): number | null {
  const filter = readMessage(t, entry, typed);
  if (!existsSync(entry.modulePath)) {
    const found = `the module of ${entry.name} has not been built: found no ${entry.modulePath}`;
    t.wrong(typed, `${found}, expected it from "npm run filters"`);
    return null;
  }
  const plugin: WasmPluginConfig = {
    name,
    rootId: "",
    vmId: "",
    runtime: "",
    vmConfiguration: new Uint8Array(0),
    pluginConfiguration: catalogueConfiguration(filter, []),
    environment: [],
    failurePolicy: "fail_reload",
    failOpenLegacy: false,
    reloadBackoffBaseMs: 1000,
    reloadBackoffMaxMs: 10_000,
    allowedCapabilities: [],
    allowOnHeadersStopIteration: false,
    where: typed.path,
    policy: defaultWasmPolicy,
    moduleKey: "",
    native: { metricPrefix },
    code: {
      filename: entry.modulePath,
      watchedDirectory: "",
      inlineBytes: null,
      sha256: "",
      remote: null,
    },
  };
  const index = t.addPlugin(plugin);
  t.catalogued.set(index, { entry, filter });
  return index;
}

/** A message of the filter as the module gets it: proto JSON, data sources read. */
export function readMessage(t: Translation, entry: CatalogueFilter, typed: ConfigNode): Json {
  for (const [path, why] of Object.entries(entry.unimplemented)) {
    refusePath(t, typed, path.split("."), why);
  }
  const json = typed.toProtoJson() as Record<string, Json>;
  Reflect.deleteProperty(json, "@type");
  for (const field of entry.dataSources) {
    if (!typed.has(field)) continue;
    const text = readDataSource(t, typed.node(field))?.toString("utf8") ?? "";
    json[field] = { inline_string: text };
  }
  typed.acceptRest(HANDED_OVER);
  return json;
}

/** Refuses by name what stands at a path, in each item of its lists. */
function refusePath(t: Translation, node: ConfigNode, path: readonly string[], why: string): void {
  const [first = "", ...rest] = path;
  node.acceptRest(HANDED_OVER);
  const isList = first.endsWith("[]");
  const field = isList ? first.slice(0, -2) : first;
  if (!node.fieldNames.includes(field)) return;
  if (rest.length === 0) {
    if (node.hasEffect(field)) t.guarded(node, `${node.typeName}.${field}`, why || LOST, field);
    return;
  }
  if (isList) {
    for (const item of node.nodes(field)) refusePath(t, item, rest, why);
    return;
  }
  const inside = node.node(field);
  if (inside !== undefined) refusePath(t, inside, rest, why);
}

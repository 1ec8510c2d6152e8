// Reads ConfigSource: where dynamic resources come from. Files are all there is for now.
import { existsSync, statSync } from "node:fs";
import type { ConfigNode } from "../config-node.ts";
import type { ConfigSourceConfig } from "../snapshot.ts";
import type { Translation } from "./translation.ts";

/** Null, with a problem or a warning, when it is not to be had. `node` has the field. */
export function readConfigSource(
  t: Translation,
  node: ConfigNode,
  field: string,
): ConfigSourceConfig | null {
  const source = node.node(field);
  if (source === undefined) return null;
  if (source.enum("resource_api_version") === "V2") {
    t.unsupported(source, "resource_api_version V2", "resource_api_version");
  }
  source.accept("initial_fetch_timeout", "a file is read at once");
  switch (source.oneof("config_source_specifier")) {
    case "path":
      return fileSource(t, source, "path", "");
    case "path_config_source":
      return readPathSource(t, source);
    case "ads":
    case "api_config_source":
    case "self": {
      const kind = source.oneof("config_source_specifier") ?? "";
      source.node(kind)?.acceptRest("reported as a whole");
      source.accept(kind, "reported as a whole");
      t.unsupported(source, `xDS from ${kind}`, kind);
      return null;
    }
    default:
      return null;
  }
}

function readPathSource(t: Translation, source: ConfigNode): ConfigSourceConfig | null {
  const node = source.node("path_config_source");
  if (node === undefined) return null;
  return fileSource(t, node, "path", readWatchedDirectory(t, node));
}

/** The watched_directory of `node`; "" when there is none. */
export function readWatchedDirectory(t: Translation, node: ConfigNode): string {
  const watched = node.node("watched_directory");
  const directory = watched?.string("path", "") ?? "";
  if (directory !== "" && !isDirectory(directory)) {
    t.wrong(watched as ConfigNode, `found '${directory}', expected a directory`, "path");
  }
  return directory;
}

function fileSource(
  t: Translation,
  node: ConfigNode,
  field: string,
  watchedDirectory: string,
): ConfigSourceConfig | null {
  const path = node.string(field, "");
  // The words are Envoy's.
  if (path !== "" && !existsSync(path)) {
    const message = `paths must refer to an existing path in the system: '${path}' does not exist`;
    t.wrong(node, message, field);
    return null;
  }
  return { path, watchedDirectory };
}

function isDirectory(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

// Reads core.v3.DataSource: texts and bytes from the configuration, files and the environment.
import { readFileSync, realpathSync } from "node:fs";
import type { ConfigNode } from "../config-node.ts";
import type { Translation } from "./translation.ts";

/** Places that never hold a configuration's data, and whose files may have no end. */
const SYSTEM_FOLDERS = ["/dev", "/proc", "/sys"] as const;

/** Bytes of a DataSource; null and a problem when they cannot be had. */
export function readDataSource(t: Translation, node: ConfigNode | undefined): Buffer | null {
  if (node === undefined) return null;
  switch (node.oneof("specifier")) {
    case "inline_string":
      return Buffer.from(node.string("inline_string", ""), "utf8");
    case "inline_bytes":
      return Buffer.from(node.bytes("inline_bytes") ?? []);
    case "filename":
      return readFile(t, node, node.string("filename", ""));
    case "environment_variable": {
      const name = node.string("environment_variable", "");
      const value = process.env[name];
      if (value !== undefined) return Buffer.from(value, "utf8");
      if (name !== "") {
        t.wrong(node, `environment variable ${name} is not set`, "environment_variable");
      }
      return null;
    }
    default:
      return null;
  }
}

function readFile(t: Translation, node: ConfigNode, path: string): Buffer | null {
  if (path === "") return null;
  try {
    if (isSystemPath(realpathSync(path))) {
      t.wrong(node, `found ${path}, expected no file of the system`, "filename");
      return null;
    }
    return readFileSync(path);
  } catch (error) {
    t.wrong(node, `unable to read the file ${path}: ${(error as Error).message}`, "filename");
    return null;
  }
}

/** /dev/fd is how a shell hands a file over. */
function isSystemPath(path: string): boolean {
  if (path.startsWith("/dev/fd/") || /^\/proc\/\d+\/fd\//.test(path)) return false;
  return SYSTEM_FOLDERS.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

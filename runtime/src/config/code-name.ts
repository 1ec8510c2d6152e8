// How logs name the code of a wasm plugin.
import type { WasmCodeConfig } from "./snapshot.ts";

/** The file as it is configured, "inline", or the URI that it comes from. */
export function codeName({ filename, remote }: WasmCodeConfig): string {
  if (remote !== null) return shownUri(remote.uri);
  return filename === "" ? "inline" : filename;
}

/** Without the query, which may be a secret. */
export function shownUri(uri: string): string {
  return uri.replace(/[?#].*$/s, "");
}

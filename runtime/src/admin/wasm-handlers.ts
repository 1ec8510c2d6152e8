// Pages about wasm plugins, which Envoy does not have: /wasm/plugins, and what is under the name of
// one plugin.
import { jsonResponse, textResponse } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";
import type { AdminDelegate } from "./admin-delegate.ts";
import { wasmTrace } from "./trace-handler.ts";

/** What is asked of one plugin: `/wasm/plugins/{name}/{what}`. */
interface PluginPage {
  readonly method: "GET" | "POST";
  handle(
    request: AdminRequest,
    delegate: AdminDelegate,
    plugin: string,
  ): AdminResponse | Promise<AdminResponse>;
}

const pages: Readonly<Record<string, PluginPage>> = {
  traps: {
    method: "GET",
    handle(_request, delegate, plugin) {
      const traps = delegate.wasmTraps(plugin);
      return traps === null ? textResponse(`no plugin ${plugin}\n`, 404) : jsonResponse(traps);
    },
  },
};

/** Null: the path is none of these. */
export function wasmPage(
  request: AdminRequest,
  delegate: AdminDelegate,
): AdminResponse | Promise<AdminResponse> | null {
  if (request.path === "/wasm/trace") return wasmTrace(request, delegate);
  if (request.path === "/wasm/plugins") return jsonResponse(delegate.wasmPlugins());
  const match = /^\/wasm\/plugins\/([^/]+)\/([a-z_]+)$/.exec(request.path);
  if (match === null) return null;
  const page = pages[match[2] as string];
  if (page === undefined) return null;
  const plugin = decodedName(match[1] as string);
  if (plugin === null) return textResponse("the plugin's name is no percent-encoded UTF-8\n", 400);
  if (request.method !== page.method) {
    const text = `Method ${request.method} not allowed, ${page.method} required.`;
    return textResponse(text, 405);
  }
  return page.handle(request, delegate, plugin);
}

function decodedName(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

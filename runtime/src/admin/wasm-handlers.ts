// Pages about wasm plugins, which Envoy does not have: /wasm/plugins, and what is under the name of
// one plugin.
import { jsonResponse, parameter, textResponse } from "./admin-request.ts";
import type { AdminRequest, AdminResponse } from "./admin-request.ts";
import type { AdminDelegate, WasmAnswer } from "./admin-delegate.ts";
import { wasmTrace } from "./trace-handler.ts";
import { readPush } from "./wasm-push-request.ts";

/** What is asked of one plugin: `/wasm/plugins/{name}/{what}`. */
interface PluginPage {
  readonly method: "GET" | "POST";
  handle(
    request: AdminRequest,
    delegate: AdminDelegate,
    plugin: string,
  ): AdminResponse | Promise<AdminResponse>;
}

const ONE_PLUGIN = /^\/wasm\/plugins\/([^/]+)\/([a-z_]+)$/;

const pages: Readonly<Record<string, PluginPage>> = {
  traps: {
    method: "GET",
    handle(_request, delegate, plugin) {
      const traps = delegate.wasmTraps(plugin);
      return traps === null ? textResponse(`no plugin ${plugin}\n`, 404) : jsonResponse(traps);
    },
  },
  shadow: {
    method: "GET",
    handle(_request, delegate, plugin) {
      const found = delegate.wasmShadow(plugin);
      return found === null ? textResponse(`no plugin ${plugin}\n`, 404) : jsonResponse(found);
    },
  },
  module: {
    method: "POST",
    handle: (request, delegate, plugin) => push(request, delegate, plugin, "module"),
  },
  configuration: {
    method: "POST",
    handle: (request, delegate, plugin) => push(request, delegate, plugin, "configuration"),
  },
  promote: {
    method: "POST",
    async handle(request, delegate, plugin) {
      return page(await delegate.promoteWasm(plugin, parameter(request, "version") ?? ""));
    },
  },
  rollback: {
    method: "POST",
    async handle(request, delegate, plugin) {
      return page(await delegate.rollBackWasm(plugin, parameter(request, "version") ?? ""));
    },
  },
};

/** A request that changes a plugin: it is for those who may, and its body may be a module. */
export function isWasmWrite(method: string, target: string): boolean {
  return method === "POST" && pages[pageOf(target)]?.method === "POST";
}

/** Its body is a module or a configuration. */
export function isWasmPush(method: string, target: string): boolean {
  const page = pageOf(target);
  return method === "POST" && (page === "module" || page === "configuration");
}

/** "" = it is none of these. */
function pageOf(target: string): string {
  return ONE_PLUGIN.exec(target.replace(/\?.*$/s, ""))?.[2] ?? "";
}

/** Null: the path is none of these. */
export function wasmPage(
  request: AdminRequest,
  delegate: AdminDelegate,
): AdminResponse | Promise<AdminResponse> | null {
  if (request.path === "/wasm/trace") return wasmTrace(request, delegate);
  if (request.path === "/wasm/plugins") return jsonResponse(delegate.wasmPlugins());
  if (request.path === "/wasm/costs") return jsonResponse(delegate.wasmCosts());
  const match = ONE_PLUGIN.exec(request.path);
  if (match === null) return null;
  const known = pages[match[2] as string];
  if (known === undefined) return null;
  const plugin = decodedName(match[1] as string);
  if (plugin === null) return textResponse("the plugin's name is no percent-encoded UTF-8\n", 400);
  if (request.method !== known.method) {
    const text = `Method ${request.method} not allowed, ${known.method} required.`;
    return textResponse(text, 405);
  }
  return known.handle(request, delegate, plugin);
}

async function push(
  request: AdminRequest,
  delegate: AdminDelegate,
  plugin: string,
  kind: "module" | "configuration",
): Promise<AdminResponse> {
  const wanted = readPush(request, kind);
  if (typeof wanted === "string") {
    return page({ status: 400, page: { plugin, problems: [wanted] } });
  }
  return page(await delegate.pushWasm(plugin, wanted));
}

function page({ status, page: json }: WasmAnswer): AdminResponse {
  return { ...jsonResponse(json), status };
}

function decodedName(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

// A project's envoy.yaml as `headgate filter run` serves it: with the module that was just
// compiled, at an address of this machine, and with the echo in place of the upstream.
import { UsageError } from "../args.ts";
import type { LoadedBootstrap } from "../../config/bootstrap-loader.ts";
import type { ServedConfig } from "./live-headgate.ts";
import { accessLog, clusterTo, socketAddress, textConfiguration } from "./run-bootstrap.ts";
import type { UpstreamAddress } from "./run-bootstrap.ts";

/** As protobuf JSON. */
type Json = Record<string, unknown>;

export interface RunChanges {
  /** As the project's build names its module, without ".wasm". */
  readonly name: string;
  /** Path of the module that is served. */
  readonly module: string;
  /** In place of what envoy.yaml tells the plugin; null = that. */
  readonly configuration: string | null;
  /** Null = that of envoy.yaml. */
  readonly port: number | null;
  /** By the cluster's name; "" = the clusters that routes name. */
  readonly upstreams: ReadonlyMap<string, UpstreamAddress | "echo">;
  readonly echo: { readonly httpPort: number; readonly tcpPort: number };
}

export interface RunConfig extends ServedConfig {
  /** The bootstrap as text, without what the plugin is told. */
  readonly rest: string;
  /** What the plugin is told, as it gets it. */
  readonly configuration: Buffer;
  readonly plugin: string;
  /** Of the listener that has the filter. */
  readonly listener: string;
  readonly port: number;
  readonly scheme: "http" | "https" | "tcp";
  /** One for each cluster that is another one than in envoy.yaml: "upstream: an echo". */
  readonly replaced: readonly string[];
  readonly kept: readonly string[];
}

const WASM = /\.wasm\.v3\.Wasm(?:Service)?$/;
const TCP_PROXY = /\.tcp_proxy\.v3\.TcpProxy$/;
const CONNECTION_MANAGER = /\.http_connection_manager\.v3\.HttpConnectionManager$/;

/** Throws ConfigErrors. */
export async function readRunConfig(path: string): Promise<LoadedBootstrap> {
  const { loadBootstrap } = await import("../../config/bootstrap-loader.ts");
  return await loadBootstrap({ path, allowUnknownStaticFields: false });
}

/** Null = nothing in it is about the module. Throws UsageError for flags that do not fit. */
export async function runConfigOf(
  loaded: LoadedBootstrap,
  changes: RunChanges,
): Promise<RunConfig | null> {
  const bootstrap = loaded.root.toProtoJson() as Json;
  const resources = bootstrap["static_resources"] as Json | undefined;
  const listeners = listOf(resources?.["listeners"]);
  const own = listeners.find((listener) => pluginsIn(listener, changes.name).length > 0);
  const plugins = pluginsIn(bootstrap, changes.name);
  if (resources === undefined || own === undefined) return null;
  const names = new Set(plugins.map(({ name }) => name));
  const [plugin = ""] = names;
  if (names.size > 1)
    throw new UsageError(`envoy.yaml: found plugins ${[...names].join(", ")}, expected one name`);
  for (const { config } of plugins) useModule(config, changes);
  const port = changes.port ?? portOf(own);
  for (const listener of listeners) {
    if (listener["address"] === undefined) continue;
    listener["address"] = socketAddress("127.0.0.1", listener === own ? port : 0);
    Reflect.deleteProperty(listener, "additional_addresses");
  }
  const named = own["name"];
  const listener = typeof named === "string" ? named : "main";
  own["name"] = listener;
  bootstrap["admin"] = { address: socketAddress("127.0.0.1", 0) };
  for (const { value } of typedIn(own, CONNECTION_MANAGER)) value["access_log"] ??= [accessLog()];
  const routed = routedClusters(listeners, changes.upstreams);
  const clusters = replaceClusters(resources, routed, changes);
  const configuration = await configurationOf(loaded, plugins);
  const rest = JSON.stringify(bootstrap, (_, value: unknown) =>
    plugins.some(({ config }) => config === value)
      ? { ...(value as Json), configuration: null }
      : value,
  );
  const scheme = schemeOf(own);
  const { positions } = loaded;
  return { bootstrap, positions, rest, configuration, plugin, listener, port, scheme, ...clusters };
}

/** What the first of them is told: read as that of a wasm service, which has a place of its own. */
async function configurationOf(
  { schema }: LoadedBootstrap,
  [plugin]: readonly FoundPlugin[],
): Promise<Buffer> {
  const { loadBootstrap } = await import("../../config/bootstrap-loader.ts");
  const { configurationBytes } = await import("../../config/translate/wasm-reader.ts");
  const type = "type.googleapis.com/envoy.extensions.wasm.v3.WasmService";
  const typed_config = { "@type": type, config: plugin?.config };
  const yaml = JSON.stringify({ bootstrap_extensions: [{ name: "plugin", typed_config }] });
  const { root } = await loadBootstrap({ yaml, schema, allowUnknownStaticFields: false });
  const node = root.nodes("bootstrap_extensions")[0]?.any("typed_config")?.node("config");
  return Buffer.from(node === undefined ? [] : configurationBytes(node, false));
}

interface FoundPlugin {
  readonly name: string;
  /** Its PluginConfig. */
  readonly config: Json;
}

function pluginsIn(part: Json, name: string): FoundPlugin[] {
  return typedIn(part, WASM).flatMap(({ value, owner }) => {
    const config = value["config"] as Json | undefined;
    const file = localCode(config)?.["filename"];
    if (config === undefined || typeof file !== "string") return [];
    const isIts = [`${name}.wasm`, `${name}.debug.wasm`].includes(file.replace(/^.*[\\/]/, ""));
    return isIts ? [{ name: String(config["name"] || owner["name"]), config }] : [];
  });
}

function localCode(config: Json | undefined): Json | undefined {
  const vm = config?.["vm_config"] as Json | undefined;
  const code = vm?.["code"] as Json | undefined;
  return code?.["local"] as Json | undefined;
}

function useModule(config: Json, { module, configuration }: RunChanges): void {
  const code = localCode(config);
  if (code !== undefined) code["filename"] = module;
  if (configuration !== null) config["configuration"] = textConfiguration(configuration);
}

function portOf(listener: Json): number {
  const address = listener["address"] as Json | undefined;
  return Number((address?.["socket_address"] as Json | undefined)?.["port_value"] ?? 0);
}

function schemeOf(listener: Json): RunConfig["scheme"] {
  if (typedIn(listener, CONNECTION_MANAGER).length === 0) return "tcp";
  const chains = listOf(listener["filter_chains"]);
  return chains.some((chain) => chain["transport_socket"] !== undefined) ? "https" : "http";
}

/** Clusters that listeners send something to, and what. What filters call is not among them. */
function routedClusters(
  listeners: readonly Json[],
  upstreams: RunChanges["upstreams"],
): ReadonlyMap<string, "http" | "tcp"> {
  const found = new Map<string, "http" | "tcp">();
  for (const listener of listeners) {
    const proxies = typedIn(listener, TCP_PROXY).map(({ value }) => value);
    for (const proxy of proxies) for (const name of clustersOf(proxy)) found.set(name, "tcp");
    const managers = typedIn(listener, CONNECTION_MANAGER);
    const hosts = managers.flatMap(({ value }) =>
      listOf((value["route_config"] as Json | undefined)?.["virtual_hosts"]),
    );
    for (const { route } of hosts.flatMap((host) => listOf(host["routes"]))) {
      const action = (route ?? {}) as Json;
      for (const name of clustersOf(action)) {
        found.set(name, "http");
        // A real upstream is told its own name.
        const other = upstreams.get(name) ?? upstreams.get("") ?? "echo";
        const isRewritten = Object.keys(action).some((key) => key.includes("host_rewrite"));
        if (other !== "echo" && !isRewritten) action["auto_host_rewrite"] = true;
      }
    }
  }
  return found;
}

/** Of a RouteAction or a TcpProxy, which name them alike. */
function clustersOf(action: Json): readonly string[] {
  const weighted = listOf((action["weighted_clusters"] as Json | undefined)?.["clusters"]);
  const names = [action["cluster"], ...weighted.map(({ name }) => name)];
  return names.filter((name) => typeof name === "string");
}

function replaceClusters(
  resources: Json,
  routed: ReadonlyMap<string, "http" | "tcp">,
  { upstreams, echo }: RunChanges,
): Pick<RunConfig, "replaced" | "kept"> {
  const clusters = listOf(resources["clusters"]);
  const names = new Set([...clusters.map(({ name }) => String(name)), ...routed.keys()]);
  const unknown = [...upstreams.keys()].find((name) => name !== "" && !names.has(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `--upstream ${unknown}=: expected a cluster, one of ${[...names].join(", ")}`,
    );
  }
  const replaced: string[] = [];
  const kept: string[] = [];
  resources["clusters"] = [...names].map((name) => {
    const before = clusters.find((cluster) => cluster["name"] === name);
    const other = upstreams.get(name) ?? (routed.has(name) ? (upstreams.get("") ?? "echo") : null);
    if (other === null) {
      kept.push(name);
      return before;
    }
    const port = routed.get(name) === "tcp" ? echo.tcpPort : echo.httpPort;
    const isEcho = other === "echo";
    replaced.push(`${name}: ${isEcho ? "an echo" : `${other.host}:${other.port}`}`);
    return clusterTo(name, isEcho ? { host: "127.0.0.1", port, isTls: false } : other);
  });
  return { replaced, kept };
}

/** Values of Any fields of a type, wherever they are, with what they are a field of. */
function typedIn(part: unknown, type: RegExp): { value: Json; owner: Json }[] {
  if (typeof part !== "object" || part === null) return [];
  const owner = part as Json;
  const own = Object.values(owner).filter((one) => type.test(String((one as Json)?.["@type"])));
  const deeper = Object.values(owner).flatMap((one) => typedIn(one, type));
  return [...own.map((value) => ({ value: value as Json, owner })), ...deeper];
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as Json[]) : [];
}

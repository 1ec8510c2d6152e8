// One route, compiled from its configuration and that of its virtual host and table.
import type { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import { HeaderId } from "../core/header-names.ts";
import { Regex } from "../core/regex.ts";
import { RuntimeInteger } from "../core/runtime.ts";
import type { Runtime } from "../core/runtime.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type {
  ConnectConfig,
  DirectResponseConfig,
  PerFilterConfig,
  RouteActionConfig,
  RouteConfig,
  UpgradeConfig,
  VirtualHostConfig,
} from "../config/snapshot.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import { FormatContext } from "../formatter/format-context.ts";
import { compileFormat } from "../formatter/formatter.ts";
import type { Formatter } from "../formatter/formatter.ts";
import { compileLevel, orderLevels } from "./header-transform.ts";
import type { HeaderTransform, LevelTransforms } from "./header-transform.ts";
import { compilePathRewrite, compileRedirect, queryStart, redirectReply } from "./redirect.ts";
import type { PathRewrite } from "./redirect.ts";
import type { ClusterChoice, Route } from "./route.ts";

/** What the routes of one virtual host share. */
export interface RouteContext {
  readonly clock: Clock;
  readonly hostname: string;
  readonly runtime: Runtime;
  readonly virtualHost: VirtualHostConfig;
  readonly virtualHostLevel: LevelTransforms;
  readonly tableLevel: LevelTransforms;
  readonly mostSpecificWins: boolean;
}

const NO_CLUSTER: ClusterChoice = { clusterName: "", weightedIndex: -1 };

/** A weighted entry, compiled. */
interface WeightedEntry {
  readonly choice: ClusterChoice;
  /** Lower-case header that names the cluster; "" = the choice's name is fixed. */
  readonly header: string;
  /** Sum of the weights up to and with this one. */
  readonly upTo: number;
  readonly level: LevelTransforms;
  readonly hostRewrite: string;
  /** Its weight where runtime keys may change it; null = `upTo` holds. */
  readonly weight: RuntimeInteger | null;
}

export class ResolvedRoute implements Route {
  readonly name: string;
  readonly virtualHost: VirtualHostConfig;
  readonly metadata: Uint8Array | undefined;
  readonly kind: "route" | "redirect" | "direct_response";
  readonly fixedCluster: string;
  readonly perFilter: ReadonlyMap<string, PerFilterConfig> | null;
  readonly upgrades: ReadonlyMap<string, boolean> | null;
  readonly connect: ConnectConfig | null;
  readonly timeoutMs: number;
  readonly timeoutText: string;
  readonly timeoutLine: string;
  readonly idleTimeoutMs: number;
  readonly maxStreamDurationMs: number;
  readonly clusterNotFoundStatus: number;
  readonly isHighPriority: boolean;
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly autoHostRewrite: boolean;
  readonly appendXForwardedHost: boolean;

  readonly #action: RouteActionConfig | null;
  readonly #fixedChoice: ClusterChoice;
  readonly #weighted: readonly WeightedEntry[] | null;
  /** One route for each weighted entry when one of them says something about filters. */
  readonly #variants: readonly ResolvedRoute[] | null;
  readonly #requestLevels: readonly HeaderTransform[] | null;
  readonly #responseLevels: readonly HeaderTransform[] | null;
  readonly #pathRewrite: PathRewrite | null;
  readonly #hostRewrite: HostRewrite | null;
  readonly #reply: (headers: HeaderMap, info: StreamInfo) => LocalReply;
  readonly #context: FormatContext;

  constructor(config: RouteConfig, context: RouteContext) {
    const action = config.action.kind === "route" ? config.action : null;
    const host = context.virtualHost;
    this.name = config.name;
    this.virtualHost = host;
    this.metadata = config.metadata;
    this.kind = config.action.kind;
    this.perFilter = mergePerFilter(host.perFilter, config.perFilter);
    this.upgrades = action === null ? null : upgradeMap(action.upgrades);
    this.connect = action?.upgrades.find(({ connect }) => connect !== null)?.connect ?? null;
    this.timeoutMs = action?.timeoutMs ?? 0;
    this.timeoutText = String(this.timeoutMs);
    this.timeoutLine = `x-envoy-expected-rq-timeout-ms: ${this.timeoutText}\r\n`;
    this.idleTimeoutMs = action?.idleTimeoutMs ?? -1;
    this.maxStreamDurationMs = action?.maxStreamDurationMs ?? -1;
    this.clusterNotFoundStatus = action?.clusterNotFoundStatus ?? 503;
    this.isHighPriority = action?.priority === "high";
    this.includeRequestAttemptCount = host.includeRequestAttemptCount;
    this.includeAttemptCountInResponse = host.includeAttemptCountInResponse;
    this.autoHostRewrite = action?.hostRewrite.kind === "auto";
    this.appendXForwardedHost = action?.appendXForwardedHost ?? false;
    this.#action = action;
    this.#fixedChoice =
      action?.cluster.kind === "cluster"
        ? { clusterName: action.cluster.name, weightedIndex: -1 }
        : NO_CLUSTER;
    this.fixedCluster = this.#fixedChoice.clusterName;
    this.#weighted =
      action?.cluster.kind === "weighted" ? compileWeighted(action.cluster, context) : null;
    this.#variants = action === null ? null : compileVariants(config, action, context);
    const level = compileLevel(config.headers, context.hostname);
    const wins = context.mostSpecificWins;
    this.#requestLevels = orderLevels(
      [level.request, context.virtualHostLevel.request, context.tableLevel.request],
      wins,
    );
    this.#responseLevels = orderLevels(
      [level.response, context.virtualHostLevel.response, context.tableLevel.response],
      wins,
    );
    this.#pathRewrite =
      action === null || action.pathRewrite.kind === "none"
        ? null
        : compilePathRewrite(action.pathRewrite, config.match);
    this.#hostRewrite = action === null ? null : compileHostRewrite(action);
    this.#context = new FormatContext(context.clock);
    this.#reply = compileReply(config, this.#context, context.hostname);
  }

  /** `variant` is always itself. */
  get isPlain(): boolean {
    return this.#variants === null;
  }

  /**
   * The route to take in its place: another one when weighted entries have filters of their own,
   * so that the entry must be known before the filter chain is made. Mostly itself.
   */
  variant(headers: HeaderMap, randomValue: number): ResolvedRoute {
    if (this.#variants === null) return this;
    const { weightedIndex } = this.chooseCluster(headers, randomValue);
    return this.#variants[weightedIndex] ?? this;
  }

  chooseCluster(headers: HeaderMap, randomValue: number): ClusterChoice {
    const action = this.#action;
    if (action === null) return NO_CLUSTER;
    const cluster = action.cluster;
    if (cluster.kind === "cluster") return this.#fixedChoice;
    if (cluster.kind === "header") {
      const name = headers.get(cluster.header);
      return name === undefined ? NO_CLUSTER : { clusterName: name, weightedIndex: -1 };
    }
    const given = cluster.headerName === "" ? undefined : headers.get(cluster.headerName);
    const value = given !== undefined && /^\d{1,15}$/.test(given) ? Number(given) : randomValue;
    if (cluster.runtimeKeyPrefix !== "") return this.#pickByRuntime(value, headers);
    return this.#pickWeighted(value % cluster.totalWeight, headers);
  }

  finalizeRequestHeaders(headers: HeaderMap, info: StreamInfo, choice: ClusterChoice): void {
    const entry = this.#weightedEntry(choice);
    if (this.#requestLevels !== null || entry !== null) {
      const context = this.#context;
      context.set(info, headers, null, null);
      entry?.level.request?.apply(headers, context);
      this.#applyLevels(this.#requestLevels, headers);
      context.clear();
    }
    if (entry !== null && entry.hostRewrite !== "") headers.authority = entry.hostRewrite;
    this.#hostRewrite?.apply(headers);
    // A CONNECT has no path to rewrite.
    if (this.#pathRewrite === null || headers.path === null) return;
    const path = headers.path;
    headers.setById(HeaderId.XEnvoyOriginalPath, path);
    headers.path = this.#pathRewrite.rewrite(path);
  }

  finalizeResponseHeaders(
    headers: HeaderMap,
    info: StreamInfo,
    requestHeaders: HeaderMap | null,
    choice: ClusterChoice | null,
  ): void {
    const entry = choice === null ? null : this.#weightedEntry(choice);
    if (this.#responseLevels === null && entry === null) return;
    const context = this.#context;
    context.set(info, requestHeaders, headers, null);
    entry?.level.response?.apply(headers, context);
    this.#applyLevels(this.#responseLevels, headers);
    context.clear();
  }

  localReply(headers: HeaderMap, info: StreamInfo): LocalReply {
    return this.#reply(headers, info);
  }

  #applyLevels(levels: readonly HeaderTransform[] | null, headers: HeaderMap): void {
    if (levels === null) return;
    for (let i = 0; i < levels.length; i += 1) {
      (levels[i] as HeaderTransform).apply(headers, this.#context);
    }
  }

  #weightedEntry(choice: ClusterChoice): WeightedEntry | null {
    if (this.#weighted === null || choice.weightedIndex < 0) return null;
    return this.#weighted[choice.weightedIndex] ?? null;
  }

  #pickWeighted(value: number, headers: HeaderMap): ClusterChoice {
    const entries = this.#weighted ?? [];
    for (let i = 0; i < entries.length; i += 1) {
      const entry = entries[i] as WeightedEntry;
      if (value < entry.upTo) return choiceOf(entry, i, headers);
    }
    return NO_CLUSTER;
  }

  /** As `#pickWeighted` with the weights of now; when they sum up to 0 there is no cluster. */
  #pickByRuntime(value: number, headers: HeaderMap): ClusterChoice {
    const entries = this.#weighted ?? [];
    let total = 0;
    for (let i = 0; i < entries.length; i += 1) total += weightOf(entries[i] as WeightedEntry);
    if (total === 0) return NO_CLUSTER;
    let left = value % total;
    for (let i = 0; i < entries.length; i += 1) {
      const entry = entries[i] as WeightedEntry;
      left -= weightOf(entry);
      if (left < 0) return choiceOf(entry, i, headers);
    }
    return NO_CLUSTER;
  }
}

function weightOf(entry: WeightedEntry): number {
  return entry.weight === null ? 0 : entry.weight.value;
}

function choiceOf(entry: WeightedEntry, weightedIndex: number, headers: HeaderMap): ClusterChoice {
  if (entry.header === "") return entry.choice;
  return { clusterName: headers.get(entry.header) ?? "", weightedIndex };
}

type WeightedConfig = Extract<RouteActionConfig["cluster"], { kind: "weighted" }>;

function compileWeighted(
  config: WeightedConfig,
  { hostname, runtime }: RouteContext,
): readonly WeightedEntry[] {
  const prefix = config.runtimeKeyPrefix;
  let upTo = 0;
  return config.clusters.map((cluster, weightedIndex) => {
    upTo += cluster.weight;
    const isHeader = cluster.cluster.kind === "header";
    const key = `${prefix}.${isHeader ? "" : cluster.cluster.name}`;
    return {
      choice: { clusterName: isHeader ? "" : cluster.cluster.name, weightedIndex },
      header: isHeader ? cluster.cluster.name : "",
      upTo,
      level: compileLevel(cluster.headers, hostname),
      hostRewrite: cluster.hostRewriteLiteral,
      weight: prefix === "" ? null : new RuntimeInteger(runtime, key, cluster.weight),
    };
  });
}

/** The same route with one weighted entry that always wins, and its filters' configuration. */
function compileVariants(
  config: RouteConfig,
  action: RouteActionConfig,
  context: RouteContext,
): readonly ResolvedRoute[] | null {
  const weighted = action.cluster.kind === "weighted" ? action.cluster : null;
  if (weighted === null || weighted.clusters.every((entry) => entry.perFilter.length === 0)) {
    return null;
  }
  return weighted.clusters.map((entry, index) => {
    const clusters = weighted.clusters.map((other, at) => ({
      ...other,
      weight: at === index ? 1 : 0,
      perFilter: [],
    }));
    const cluster = { ...weighted, clusters, totalWeight: 1, headerName: "", runtimeKeyPrefix: "" };
    const perFilter = [...config.perFilter, ...entry.perFilter];
    return new ResolvedRoute({ ...config, action: { ...action, cluster }, perFilter }, context);
  });
}

/** Most specific wins; null when neither level says anything. */
function mergePerFilter(
  host: readonly PerFilterConfig[],
  route: readonly PerFilterConfig[],
): ReadonlyMap<string, PerFilterConfig> | null {
  if (host.length === 0 && route.length === 0) return null;
  return new Map([...host, ...route].map((config) => [config.filterName, config]));
}

function upgradeMap(upgrades: readonly UpgradeConfig[]): ReadonlyMap<string, boolean> | null {
  if (upgrades.length === 0) return null;
  return new Map(upgrades.map((upgrade) => [upgrade.type, upgrade.enabled]));
}

interface HostRewrite {
  apply(headers: HeaderMap): void;
}

/** Literal, header and path-regex rewriting; "auto" is done by the router, which knows the host. */
function compileHostRewrite(action: RouteActionConfig): HostRewrite | null {
  const rewrite = action.hostRewrite;
  const append = action.appendXForwardedHost;
  switch (rewrite.kind) {
    case "none":
    case "auto":
      return null;
    case "literal":
      return { apply: (headers) => updateAuthority(headers, rewrite.host, append) };
    case "header":
      return {
        apply: (headers) => {
          const host = headers.get(rewrite.header);
          if (host !== undefined && host !== "") updateAuthority(headers, host, append);
        },
      };
    case "path_regex": {
      const regex = Regex.compile(rewrite.regex);
      return {
        apply: (headers) => {
          const path = headers.path ?? "/";
          const plain = path.slice(0, queryStart(path));
          updateAuthority(headers, regex.replaceAll(plain, rewrite.substitution), append);
        },
      };
    }
  }
}

/**
 * Sets :authority; the old one goes to x-forwarded-host when asked for. Also for auto rewriting.
 */
export function updateAuthority(headers: HeaderMap, host: string, appendForwarded: boolean): void {
  const old = headers.authority;
  if (old !== null) headers.setById(HeaderId.XEnvoyOriginalHost, old);
  if (appendForwarded && old !== null && old !== "") {
    const forwarded = headers.getById(HeaderId.XForwardedHost);
    if (forwarded === undefined) headers.setById(HeaderId.XForwardedHost, old);
    else if (!forwarded.endsWith(old))
      headers.setById(HeaderId.XForwardedHost, `${forwarded},${old}`);
  }
  headers.authority = host;
}

function compileReply(
  config: RouteConfig,
  context: FormatContext,
  hostname: string,
): (headers: HeaderMap, info: StreamInfo) => LocalReply {
  const action = config.action;
  if (action.kind === "redirect") {
    const location = compileRedirect(action, config.match);
    return (headers) => redirectReply(action.status, location(headers));
  }
  if (action.kind === "direct_response") return compileDirectResponse(action, context, hostname);
  return () => redirectReply(500, "");
}

function compileDirectResponse(
  action: DirectResponseConfig,
  context: FormatContext,
  hostname: string,
): (headers: HeaderMap, info: StreamInfo) => LocalReply {
  let format: Formatter | null = null;
  let headerList: readonly string[] | null = null;
  if (action.bodyFormat !== null) {
    const compiled = compileFormat(action.bodyFormat, hostname);
    if (typeof compiled !== "function") throw new Error(compiled.message);
    format = compiled;
    if (action.bodyFormat.contentType !== "") {
      headerList = ["content-type", action.bodyFormat.contentType];
    }
  }
  const isRedirect = action.status >= 300 && action.status < 400;
  const fixed: LocalReply = {
    status: action.status,
    body: action.body ?? "",
    headers: headerList,
    grpcStatus: -1,
    details: "direct_response",
    responseFlags: 0,
  };
  if (format === null && !isRedirect) return () => fixed;
  const write = format;
  return (headers, info) => {
    let body = fixed.body;
    if (write !== null) {
      context.set(info, headers, null, null);
      context.localReplyBody = fixed.body;
      body = write(context);
      context.clear();
    }
    // As Envoy: a 3xx without a redirect action points to where the client is.
    const location = isRedirect ? ["location", ownUrl(headers)] : [];
    return { ...fixed, body, headers: [...location, ...(headerList ?? [])] };
  };
}

function ownUrl(headers: HeaderMap): string {
  return `${headers.scheme ?? "http"}://${headers.authority ?? ""}${headers.path ?? "/"}`;
}

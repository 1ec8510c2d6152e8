// Where redirects lead (RedirectAction, require_tls): pure text work on the request's headers.
import type { HeaderMap } from "../core/header-map.ts";
import { Regex } from "../core/regex.ts";
import type {
  PerFilterConfig,
  RedirectConfig,
  RouteMatchConfig,
  VirtualHostConfig,
} from "../config/snapshot.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import type { ClusterChoice, Route } from "./route.ts";

/** Path rewriting shared by routes and redirects: prefix or regex on the path, query kept. */
export interface PathRewrite {
  rewrite(path: string): string;
}

export function compilePathRewrite(
  rewrite:
    | { readonly kind: "prefix"; readonly prefix: string }
    | { readonly kind: "regex"; readonly regex: string; readonly substitution: string },
  match: RouteMatchConfig,
): PathRewrite {
  if (rewrite.kind === "regex") {
    const regex = Regex.compile(rewrite.regex);
    return {
      rewrite: (path) => {
        const end = queryStart(path);
        return regex.replaceAll(path.slice(0, end), rewrite.substitution) + path.slice(end);
      },
    };
  }
  const { path } = match;
  const matched = path.kind === "regex" || path.kind === "connect" ? -1 : path.value.length;
  const wholePath = path.kind === "regex" || path.kind === "path";
  return {
    rewrite: (path) => {
      const length = wholePath ? queryStart(path) : matched;
      return rewrite.prefix + path.slice(length);
    },
  };
}

/** Compiles a redirect into the function that makes the `location` value. */
export function compileRedirect(
  config: RedirectConfig,
  match: RouteMatchConfig,
): (headers: HeaderMap) => string {
  const rewrite =
    config.path.kind === "prefix" || config.path.kind === "regex"
      ? compilePathRewrite(config.path, match)
      : null;
  const fixedPath = config.path.kind === "path" ? config.path.path : "";
  const fixedHasQuery = fixedPath.includes("?");
  return (headers) => {
    const requestScheme = headers.get("x-forwarded-proto") ?? headers.scheme ?? "http";
    let scheme = config.scheme;
    if (scheme === "") scheme = config.httpsRedirect ? "https" : (headers.scheme ?? requestScheme);
    const host = redirectHost(config, headers, scheme, requestScheme);
    const port = config.port === 0 ? "" : `:${config.port}`;
    const current = headers.path ?? "/";
    let path = current;
    if (fixedPath !== "") {
      path = fixedHasQuery ? fixedPath : fixedPath + current.slice(queryStart(current));
    } else if (rewrite !== null) path = rewrite.rewrite(current);
    if (config.stripQuery && !fixedHasQuery) path = path.slice(0, queryStart(path));
    return `${scheme}://${host}${port}${path}`;
  };
}

/**
 * The request's host; its port goes when another is given or the scheme changes from its default.
 */
function redirectHost(
  config: RedirectConfig,
  headers: HeaderMap,
  scheme: string,
  requestScheme: string,
): string {
  if (config.host !== "") return config.host;
  const host = headers.authority ?? "";
  const port = /:(\d+)$/.exec(host);
  if (port === null || (host.startsWith("[") && host.endsWith("]"))) return host;
  let remove = config.port !== 0;
  if (scheme !== requestScheme) {
    if (requestScheme === "https" && port[1] === "443") remove = true;
    if (requestScheme === "http" && port[1] === "80") remove = true;
  }
  return remove ? host.slice(0, port.index) : host;
}

/** The answer of a redirect: empty body, `location`. */
export function redirectReply(status: number, location: string): LocalReply {
  return {
    status,
    body: "",
    headers: ["location", location],
    grpcStatus: -1,
    details: "direct_response",
    responseFlags: 0,
  };
}

export function queryStart(path: string): number {
  const query = path.indexOf("?");
  return query < 0 ? path.length : query;
}

/** What require_tls answers with: 301 to the same host (port kept) and path under https. */
export class TlsRedirectRoute implements Route {
  readonly name = "";
  readonly virtualHost: VirtualHostConfig;
  readonly kind = "redirect";
  readonly fixedCluster = "";
  readonly perFilter: ReadonlyMap<string, PerFilterConfig> | null = null;
  readonly upgrades: ReadonlyMap<string, boolean> | null = null;
  readonly connect = null;
  readonly timeoutMs = 0;
  readonly timeoutText = "0";
  readonly timeoutLine = "";
  readonly idleTimeoutMs = -1;
  readonly maxStreamDurationMs = -1;
  readonly clusterNotFoundStatus = 503;
  readonly isHighPriority = false;
  readonly includeRequestAttemptCount = false;
  readonly includeAttemptCountInResponse = false;
  readonly autoHostRewrite = false;
  readonly appendXForwardedHost = false;

  constructor(virtualHost: VirtualHostConfig) {
    this.virtualHost = virtualHost;
  }

  chooseCluster(): ClusterChoice {
    return { clusterName: "", weightedIndex: -1 };
  }

  finalizeRequestHeaders(): void {}

  finalizeResponseHeaders(): void {}

  localReply(headers: HeaderMap): LocalReply {
    return redirectReply(301, `https://${headers.authority ?? ""}${headers.path ?? "/"}`);
  }
}

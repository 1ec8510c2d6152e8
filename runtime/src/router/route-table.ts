// Chooses the virtual host and the route of a request; built from a RouteTableConfig, immutable.
import type { Clock } from "../core/clock.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Runtime } from "../core/runtime.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { RouteConfig, RouteTableConfig, VirtualHostConfig } from "../config/snapshot.ts";
import { compileLevel } from "./header-transform.ts";
import type { LevelTransforms } from "./header-transform.ts";
import { TlsRedirectRoute } from "./redirect.ts";
import { ResolvedRoute } from "./resolved-route.ts";
import type { RouteContext } from "./resolved-route.ts";
import { RouteMatcher } from "./route-match.ts";
import type { Route } from "./route.ts";

/** What routes need besides their configuration. */
export interface RouteTableOptions {
  readonly clock: Clock;
  /** For %HOSTNAME%. */
  readonly hostname: string;
  /** Of the worker: for fractions and weights with a key. */
  readonly runtime: Runtime;
}

interface Entry {
  readonly matcher: RouteMatcher;
  readonly route: ResolvedRoute;
}

class VirtualHost {
  readonly config: VirtualHostConfig;
  /** See RouteTable. */
  readonly isPlain: boolean;
  readonly #entries: readonly Entry[];
  readonly #tlsRedirect: Route | null;
  readonly #externalOnly: boolean;

  constructor(config: VirtualHostConfig, entries: readonly Entry[], tlsRedirect: Route | null) {
    this.config = config;
    this.#entries = entries;
    this.#tlsRedirect = tlsRedirect;
    this.#externalOnly = config.requireTls === "external_only";
    const arePlain = entries.every(({ matcher, route }) => matcher.isPlain && route.isPlain);
    this.isPlain = tlsRedirect === null && arePlain;
  }

  match(headers: HeaderMap, randomValue: number, tls: TlsInfo | null): Route | null {
    if (this.#tlsRedirect !== null && this.#needsTls(headers)) return this.#tlsRedirect;
    const path = headers.path ?? "";
    if (path === "" && headers.method !== "CONNECT") return null;
    const pathEnd = endOfPath(path);
    const entries = this.#entries;
    for (let i = 0; i < entries.length; i += 1) {
      const entry = entries[i] as Entry;
      if (entry.matcher.matches(headers, path, pathEnd, randomValue, tls)) {
        return entry.route.variant(headers, randomValue);
      }
    }
    return null;
  }

  #needsTls(headers: HeaderMap): boolean {
    if (headers.get("x-forwarded-proto") === "https") return false;
    return !this.#externalOnly || headers.get("x-envoy-internal") !== "true";
  }
}

/** A wildcard domain without its "*"; longest first. */
interface Wildcard {
  readonly text: string;
  readonly host: VirtualHost;
}

export class RouteTable {
  readonly name: string;
  /** Of the headers :authority, :path and :method alone decide, and no random number does. */
  readonly isPlain: boolean;
  readonly #exact: ReadonlyMap<string, VirtualHost>;
  readonly #suffixes: readonly Wildcard[];
  readonly #prefixes: readonly Wildcard[];
  readonly #fallback: VirtualHost | null;
  readonly #ignorePort: boolean;
  /** Nothing but "*": no authority need be looked at. */
  readonly #isOneHost: boolean;
  // The last host looked up: connections and benchmarks repeat themselves.
  #lastAuthority: string = "";
  #lastHost: VirtualHost | null = null;

  constructor(config: RouteTableConfig, options: RouteTableOptions) {
    const build = new TableBuilder(config, options);
    this.name = config.name;
    this.#exact = build.exact;
    this.#suffixes = build.suffixes.sort(longestFirst);
    this.#prefixes = build.prefixes.sort(longestFirst);
    this.#fallback = build.fallback;
    this.isPlain = build.hosts.every((host) => host.isPlain);
    this.#isOneHost =
      this.#exact.size === 0 && this.#suffixes.length === 0 && this.#prefixes.length === 0;
    this.#ignorePort = config.ignorePortInHostMatching;
  }

  /**
   * The first matching route, or null. `randomValue` is a uniform 32-bit number, `tls` that of the
   * client.
   */
  match(headers: HeaderMap, randomValue: number, tls: TlsInfo | null): Route | null {
    if (this.#isOneHost) return this.#fallback?.match(headers, randomValue, tls) ?? null;
    const authority = headers.authority ?? "";
    if (authority !== this.#lastAuthority) {
      this.#lastHost = this.#findHost(authority);
      this.#lastAuthority = authority;
    }
    if (this.#lastHost === null && authority === "") this.#lastHost = this.#fallback;
    const host = this.#lastHost;
    return host === null ? null : host.match(headers, randomValue, tls);
  }

  /**
   * Exact, then the longest "*.suffix", then the longest "prefix.*", then "*"; ASCII case ignored.
   */
  #findHost(authority: string): VirtualHost | null {
    let name = authority.toLowerCase();
    if (this.#ignorePort) name = withoutPort(name);
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    for (const wildcard of this.#suffixes) {
      if (name.length > wildcard.text.length && name.endsWith(wildcard.text)) return wildcard.host;
    }
    for (const wildcard of this.#prefixes) {
      if (name.length > wildcard.text.length && name.startsWith(wildcard.text))
        return wildcard.host;
    }
    return this.#fallback;
  }
}

/** Builds the tables of virtual hosts; configuration has refused duplicate domains. */
class TableBuilder {
  readonly hosts: VirtualHost[];
  readonly exact: Map<string, VirtualHost>;
  readonly suffixes: Wildcard[];
  readonly prefixes: Wildcard[];
  fallback: VirtualHost | null = null;

  constructor(config: RouteTableConfig, options: RouteTableOptions) {
    this.hosts = [];
    this.exact = new Map();
    this.suffixes = [];
    this.prefixes = [];
    const table = compileLevel(config.headers, options.hostname);
    for (const host of config.virtualHosts) this.#addHost(host, config, table, options);
  }

  #addHost(
    config: VirtualHostConfig,
    table: RouteTableConfig,
    tableLevel: LevelTransforms,
    options: RouteTableOptions,
  ): void {
    const context: RouteContext = {
      clock: options.clock,
      hostname: options.hostname,
      runtime: options.runtime,
      virtualHost: config,
      virtualHostLevel: compileLevel(config.headers, options.hostname),
      tableLevel,
      mostSpecificWins: table.mostSpecificHeaderMutationsWins,
    };
    const entries = config.routes.map((route: RouteConfig) => ({
      matcher: new RouteMatcher(route.match, options.runtime),
      route: new ResolvedRoute(route, context),
    }));
    const tlsRedirect = config.requireTls === "none" ? null : new TlsRedirectRoute(config);
    const host = new VirtualHost(config, entries, tlsRedirect);
    this.hosts.push(host);
    for (const domain of config.domains) this.#addDomain(domain, host);
  }

  #addDomain(domain: string, host: VirtualHost): void {
    if (domain === "*") this.fallback = host;
    else if (domain.startsWith("*")) this.suffixes.push({ text: domain.slice(1), host });
    else if (domain.endsWith("*")) this.prefixes.push({ text: domain.slice(0, -1), host });
    else this.exact.set(domain, host);
  }
}

function longestFirst(a: Wildcard, b: Wildcard): number {
  return b.text.length - a.text.length;
}

/** Where the query or the fragment begins, or the path's length. */
export function endOfPath(path: string): number {
  const query = path.indexOf("?");
  const end = query < 0 ? path.length : query;
  const fragment = path.indexOf("#");
  return fragment >= 0 && fragment < end ? fragment : end;
}

function withoutPort(authority: string): string {
  const match = /:\d+$/.exec(authority);
  return match === null ? authority : authority.slice(0, match.index);
}

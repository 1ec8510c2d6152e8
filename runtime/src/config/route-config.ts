// Route tables as the workers get them; part of snapshot.ts. Times are milliseconds.
import type { SubstitutionFormatConfig } from "../formatter/format-config.ts";

export interface RouteTableConfig {
  readonly name: string;
  readonly virtualHosts: readonly VirtualHostConfig[];
  readonly headers: HeaderMutationsConfig;
  readonly mostSpecificHeaderMutationsWins: boolean;
  readonly ignorePortInHostMatching: boolean;
  readonly internalOnlyHeaders: readonly string[];
}

export interface VirtualHostConfig {
  readonly name: string;
  /** Lower-case: exact, "*.suffix", "prefix.*" or "*". */
  readonly domains: readonly string[];
  readonly routes: readonly RouteConfig[];
  readonly requireTls: "none" | "external_only" | "all";
  readonly headers: HeaderMutationsConfig;
  readonly includeRequestAttemptCount: boolean;
  readonly includeAttemptCountInResponse: boolean;
  readonly perFilter: readonly PerFilterConfig[];
  /** For guests: serialised envoy.config.core.v3.Metadata; absent = none. */
  readonly metadata?: Uint8Array | undefined;
}

/** typed_per_filter_config: what is said about one filter of the chain. */
export interface PerFilterConfig {
  readonly filterName: string;
  readonly disabled: boolean;
  /** Place in HcmConfig.variants: the plugin that runs here; absent = the filter's own. */
  readonly variant?: number | undefined;
}

export interface RouteConfig {
  /** "" = none. */
  readonly name: string;
  readonly where: string;
  readonly match: RouteMatchConfig;
  readonly action: RouteActionConfig | RedirectConfig | DirectResponseConfig;
  readonly headers: HeaderMutationsConfig;
  readonly perFilter: readonly PerFilterConfig[];
  /** For guests: serialised envoy.config.core.v3.Metadata; absent = none. */
  readonly metadata?: Uint8Array | undefined;
}

export interface RouteMatchConfig {
  readonly path:
    | { readonly kind: "prefix" | "path" | "path_separated_prefix"; readonly value: string }
    | { readonly kind: "regex"; readonly regex: string }
    /** CONNECT requests, which have no path. */
    | { readonly kind: "connect" };
  readonly caseSensitive: boolean;
  readonly headers: readonly HeaderMatchConfig[];
  readonly queryParameters: readonly QueryParameterMatchConfig[];
  /** Share of requests when the runtime key has no value, in parts of a million. */
  readonly runtimeFractionPpm: number;
  /** "" = none. */
  readonly runtimeKey: string;
  readonly grpc: boolean;
  /** Null = whatever the client has shown. */
  readonly tlsContext: TlsContextMatchConfig | null;
}

/** What the client's certificate must be; null = either way. Without TLS neither is true. */
export interface TlsContextMatchConfig {
  readonly presented: boolean | null;
  readonly validated: boolean | null;
}

/** A StringMatcher. Values of "regex" are RE2; case-insensitive ones arrive lower-case. */
export interface StringMatchConfig {
  readonly kind: "exact" | "prefix" | "suffix" | "contains" | "regex";
  readonly value: string;
  readonly ignoreCase: boolean;
}

export interface HeaderMatchConfig {
  /** Lower-case. */
  readonly name: string;
  readonly match:
    | { readonly kind: "present"; readonly present: boolean }
    | { readonly kind: "range"; readonly start: number; readonly end: number }
    | { readonly kind: "string"; readonly string: StringMatchConfig };
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
}

export interface QueryParameterMatchConfig {
  readonly name: string;
  readonly match:
    | { readonly kind: "present"; readonly present: boolean }
    | { readonly kind: "string"; readonly string: StringMatchConfig };
}

export interface RouteActionConfig {
  readonly kind: "route";
  readonly cluster:
    | { readonly kind: "cluster"; readonly name: string }
    | { readonly kind: "header"; readonly header: string }
    | {
        readonly kind: "weighted";
        readonly clusters: readonly WeightedClusterConfig[];
        readonly totalWeight: number;
        /** Header that holds the random value; "" = random. */
        readonly headerName: string;
        /** Before ".NAME" of a cluster: the key of its weight; "" = none. */
        readonly runtimeKeyPrefix: string;
      };
  /** Default 503. */
  readonly clusterNotFoundStatus: number;
  readonly pathRewrite:
    | { readonly kind: "none" }
    | { readonly kind: "prefix"; readonly prefix: string }
    | { readonly kind: "regex"; readonly regex: string; readonly substitution: string };
  readonly hostRewrite:
    | { readonly kind: "none" }
    | { readonly kind: "literal"; readonly host: string }
    | { readonly kind: "auto" }
    | { readonly kind: "header"; readonly header: string }
    | { readonly kind: "path_regex"; readonly regex: string; readonly substitution: string };
  readonly appendXForwardedHost: boolean;
  /** Default 15000. */
  readonly timeoutMs: number;
  /** -1 = not set: the manager's stream idle timeout holds. */
  readonly idleTimeoutMs: number;
  /** -1 = not set. */
  readonly maxStreamDurationMs: number;
  readonly priority: "default" | "high";
  /** What the route says in place of its connection manager. */
  readonly upgrades: readonly UpgradeConfig[];
}

/** One entry of upgrade_configs. */
export interface UpgradeConfig {
  /** A token of the Upgrade header, or "connect"; lower-case. */
  readonly type: string;
  readonly enabled: boolean;
  /** Of CONNECT: the tunnel ends here, and the cluster gets its bytes. Null = it is passed on. */
  readonly connect: ConnectConfig | null;
}

export interface ConnectConfig {
  /** The header that goes to the upstream before the tunnel's bytes. */
  readonly proxyProtocol: "none" | "v1" | "v2";
  /** POST is taken for a tunnel, too. */
  readonly allowsPost: boolean;
}

export interface WeightedClusterConfig {
  readonly cluster: { readonly kind: "cluster" | "header"; readonly name: string };
  readonly weight: number;
  readonly headers: HeaderMutationsConfig;
  readonly hostRewriteLiteral: string;
  readonly perFilter: readonly PerFilterConfig[];
}

export interface RedirectConfig {
  readonly kind: "redirect";
  /** 301, 302, 303, 307 or 308. */
  readonly status: number;
  /** "" = keep the scheme; `httpsRedirect` also drops :80. */
  readonly scheme: string;
  readonly httpsRedirect: boolean;
  readonly host: string;
  /** 0 = keep. */
  readonly port: number;
  readonly path:
    | { readonly kind: "keep" }
    | { readonly kind: "path"; readonly path: string }
    | { readonly kind: "prefix"; readonly prefix: string }
    | { readonly kind: "regex"; readonly regex: string; readonly substitution: string };
  readonly stripQuery: boolean;
}

export interface DirectResponseConfig {
  readonly kind: "direct_response";
  readonly status: number;
  /** Latin1 text, one character a byte; null = no body. */
  readonly body: string | null;
  readonly bodyFormat: SubstitutionFormatConfig | null;
}

// ---- Header mutations and formats

export interface HeaderMutationsConfig {
  readonly requestAdd: readonly HeaderAddConfig[];
  readonly requestRemove: readonly string[];
  readonly responseAdd: readonly HeaderAddConfig[];
  readonly responseRemove: readonly string[];
}

export interface HeaderAddConfig {
  /** Lower-case. */
  readonly name: string;
  /** With %COMMANDS%; checked by config through access-log/'s formatter grammar. */
  readonly format: string;
  readonly action:
    | "append_if_exists_or_add"
    | "add_if_absent"
    | "overwrite_if_exists_or_add"
    | "overwrite_if_exists";
  readonly keepEmptyValue: boolean;
}

export interface CidrConfig {
  readonly address: string;
  readonly prefixLength: number;
}

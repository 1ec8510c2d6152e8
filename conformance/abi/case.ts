// A case of the conformance suite: what a host is given, what happens, and what must come of it. Plain data,
// for any host: in-process.ts plays it in memory, ../suite/ over the network.
import type { AbiVersion, Chapter, HostcallName } from "proxy-wasm-types";
import type { Call, CallbackScript, GuestOptions } from "./guest.ts";
import type { Seen } from "./seen.ts";

/** An answer as reports.ts prints it, "#" for any number; by version where they differ. */
export type Expected = string | Readonly<Record<AbiVersion, string>>;

export type Script = readonly (readonly [Call, Expected])[];

/** Names and values; several of a name where order matters. */
export type Fields = Readonly<Record<string, string>> | readonly (readonly [string, string])[];

export interface Response {
  /** Default 200. */
  readonly status?: number;
  readonly headers?: Fields;
  /** Pieces come one after another. Default: none. */
  readonly body?: string | readonly string[];
  readonly trailers?: Fields;
}

export interface Request {
  /** Default "GET". */
  readonly method?: string;
  /** Default "/". */
  readonly path?: string;
  /** Default "example.com". */
  readonly authority?: string;
  readonly headers?: Fields;
  /** Bodies are chunked, here and in responses. */
  readonly body?: string | readonly string[];
  readonly trailers?: Fields;
  /** Default: 200 without a body. "never": no answer comes. */
  readonly upstream?: Response | "never";
}

/** Moves of both ends of a connection that is no HTTP, each seen before the next is made. */
export type TcpStep =
  | { readonly client: string }
  /** When the server has got `after`; default: all that the client sent. */
  | { readonly server: string; readonly after?: string }
  | "client ends"
  | "server ends"
  /** Both ends of its connection are gone. */
  | "client leaves";

export type Step =
  /** A request, and its end unless it is `open`. */
  | { readonly request: Request; readonly open?: true }
  /** A connection of bytes; plugins in the position "network". */
  | { readonly connect: readonly TcpStep[] }
  /** Waits until a callback was told so often in all. */
  | { readonly until: string; readonly times?: number }
  /** Lets time pass, for what must not come. */
  | { readonly pauseMs: number }
  /** The configuration no longer has the plugin. */
  | { readonly drain: true };

/** Where plugins stand. */
export type Position =
  | "http"
  | "network"
  /** An access logger of HTTP streams. */
  | "log"
  /** No stream: a plugin of the process. */
  | "service"
  /** Between the router and the upstream. */
  | "upstream";

/** Of the ABI's tables, or of the suite's own. */
export type CaseChapter = Chapter | "toolchains" | "extensions";

/** What a host must be able to do for a case; adapters say what they cannot. */
export type Need =
  /** Log the lowest level of guests. */
  | "trace log"
  /** Log errors of guests and nothing below. */
  | "error log"
  /** Take a plugin out of a running configuration. */
  | "drain"
  /** Say why a stream ended. */
  | "details"
  /** Several plugins. */
  | "plugins"
  /** Tell metrics of guests by their names. */
  | "metrics"
  /** Plugins as access loggers. */
  | "access logger"
  /** Plugins of the process. */
  | "service"
  /** Calls to gRPC services. */
  | "gRPC"
  /** Let time pass while a callout waits. */
  | "callout times"
  /** Bound what a plugin may use: see Limits. */
  | "limits"
  /** Another configuration of a plugin for a route. */
  | "route configuration"
  /** Plugins behind the router. */
  | "upstream filters"
  /** Stop a guest that does not come back. */
  | "fuel"
  /** Carry streams on several threads. */
  | "threads"
  /** Choose a route by a header, x-route: see routes in ../suite/. */
  | "routes"
  /** Give bodies to a guest whose headers wait. */
  | "stop iteration";

export type Policy = "closed" | "open" | "reload";

/** The most that a plugin may use; undefined = what the host likes. */
export interface Limits {
  readonly calloutsPending?: number;
  readonly calloutBytes?: number;
  readonly metrics?: number;
  readonly bodyBytes?: number;
  readonly headerBytes?: number;
  readonly streamProperties?: number;
  /** Of 64 KiB. */
  readonly memoryPages?: number;
  /** Of on_configure, in nanoseconds or so. */
  readonly configureFuel?: number;
  /** Of a callback of a stream. */
  readonly callbackFuel?: number;
}

export interface PluginOptions {
  /** Of hosts that can bound something; a case about it needs "limits". */
  readonly limits?: Limits;
  /** Default "filter". */
  readonly name?: string;
  readonly rootId?: string;
  /** "$CASE" is the tag of the case, which is also the default. */
  readonly vmId?: string;
  readonly config?: string | Uint8Array;
  readonly vmConfig?: string | Uint8Array;
  /** The code stands in the configuration, not in a file. */
  readonly isInline?: true;
  readonly failurePolicy?: Policy;
  readonly environment?: Readonly<Record<string, string>>;
  /** Hostcalls and callbacks that are allowed. Default: all. */
  readonly capabilities?: readonly string[];
  /** Headers that stop hold back bodies only by what they answer, as in the specification. */
  readonly stopIteration?: true;
}

export interface SeenFields {
  readonly status?: number;
  readonly body?: string;
  /** null: it must not be there. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** All of these, in this order, and no other. */
  readonly headerList?: readonly (readonly [string, string])[];
  readonly trailers?: Readonly<Record<string, string>>;
}

export interface ExpectedExchange extends SeenFields {
  /** false: the connection ended before the response did. */
  readonly isComplete?: boolean;
  /** null: nothing must reach the upstream. */
  readonly upstream?: (SeenFields & { readonly method?: string; readonly path?: string }) | null;
  /** Looked at where the host tells them. */
  readonly details?: string;
}

/**
 * Which of the sources a verdict follows: "required" is what the specification demands, "envoy" what
 * Envoy does where it is silent or Envoy differs, "either" takes both, "extension" is none of theirs.
 */
export type Verdict = "required" | "envoy" | "either" | "extension";

export interface Reasons {
  readonly verdict?: Verdict;
  /** What the specification says. */
  readonly spec?: string;
  /** What Envoy 1.40 does, where that is not what is expected. */
  readonly envoy?: string;
}

/** A plugin behind the first: a guest of its own. */
export interface OtherPlugin {
  readonly callbacks: Readonly<Record<string, CallbackScript>>;
  readonly plugin?: PluginOptions;
}

/** What happens, and what must come of it, in short. Makes one case for each version. */
export interface Scene extends Reasons {
  /** What it shows; unique in its row. */
  readonly what: string;
  /** Where the calls are made. Default proxy_on_request_headers. */
  readonly in?: string;
  readonly calls?: Script;
  /** Further callbacks of the guest; those that a version does not have are left out. */
  readonly callbacks?: Readonly<Record<string, CallbackScript>>;
  readonly guest?: Pick<
    GuestOptions,
    "allocator" | "allocatorName" | "allocatorCalls" | "wrongSignature" | "shape"
  >;
  /** Instead of a guest that is made for it: one of ../guests, which tells nothing. */
  readonly module?: string;
  readonly plugin?: PluginOptions;
  /** Of requests whose x-route is "second". Needs "routes" and "route configuration". */
  readonly routeConfig?: Pick<PluginOptions, "config" | "rootId">;
  /** Further plugins behind the first, in the order of requests. Needs "plugins". */
  readonly behind?: readonly OtherPlugin[];
  readonly position?: Position;
  /** One request; laid over REQUEST. */
  readonly request?: Request;
  /** Instead of one request. */
  readonly play?: readonly Step[];
  readonly needs?: readonly Need[];
  /** Of the last request. */
  readonly exchange?: ExpectedExchange;
  /** All callbacks that came; ticks behind one another are one. */
  readonly trace?: readonly string[] | Readonly<Record<AbiVersion, readonly string[]>>;
  /** Which lines of the trace are looked at. */
  readonly of?: RegExp;
  /** Callbacks of all plugins in their order, by their letters: "a proxy_on_log". */
  readonly chain?: readonly string[];
  /** These callbacks in this order, others between them. */
  readonly order?: readonly string[];
  /** The host must refuse to start. */
  readonly isRefused?: true;
  /** Other hosts may refuse to start with it: it does not share a process. */
  readonly isAlone?: true;
  /** What else must hold: throws what expect.ts makes. */
  readonly holds?: (seen: Seen) => void;
}

/** A row of the hostcalls' table. */
export interface HostcallCase extends Reasons {
  /** Succeeds and, if it tells bytes, tells some. Its pointers are then broken one by one. */
  readonly good: Call;
  /** Where `good` is made. Default proxy_on_request_headers. */
  readonly in?: string;
  /** Made there before `good`. */
  readonly before?: readonly Call[];
  readonly plugin?: PluginOptions;
  readonly callbacks?: Readonly<Record<string, CallbackScript>>;
  readonly needs?: readonly Need[];
  readonly scenes: readonly Scene[];
}

export type HostcallCases = Readonly<Partial<Record<HostcallName, HostcallCase>>>;

/** One case, for one version. */
export interface Case {
  /** Version, row and what it shows. */
  readonly id: string;
  readonly version: AbiVersion;
  readonly row: string;
  readonly chapter: CaseChapter;
  readonly scene: Scene;
  readonly verdict: Verdict;
  readonly spec: string;
  readonly needs: readonly Need[];
}

/** The stream of scenes that say nothing else. */
export const REQUEST: Request = { path: "/a?b=c", headers: { "x-a": "1" } };

/** A stream with everything, in both directions. */
export const EVERYTHING = {
  method: "POST",
  body: "request",
  trailers: { t: "1" },
  upstream: { body: "response", trailers: { t: "1" } },
} as const;

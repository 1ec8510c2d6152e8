// What a request must satisfy before it is routed, and how its path and host are made canonical.
// Called by ActiveStream with a head that the codec has accepted; in Envoy's order.
import type { HcmConfig } from "../config/snapshot.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import { canonicalPath, mergeSlashes, unescapeSlashes } from "./canonical-path.ts";

/** What became of a request. */
export const NormalizeResult = {
  Ok: 0,
  MissingHost: 1,
  MissingPath: 2,
  /** The path does not begin with "/". */
  NotRelative: 3,
  /** A fragment, an escaped slash that is refused, a path that has no canonical form. */
  BadPath: 4,
  /** The client is sent to the canonical path, which stands in the map. */
  Redirect: 5,
} as const;
export type NormalizeResult = (typeof NormalizeResult)[keyof typeof NormalizeResult];

function answer(status: number, details: string): LocalReply {
  return { status, body: "", headers: null, grpcStatus: -1, details, responseFlags: 0 };
}

/** Answers by NormalizeResult; null where the answer depends on the request. */
export const normalizeReplies: readonly (LocalReply | null)[] = [
  null,
  answer(400, "missing_host_header"),
  answer(404, "missing_path_rejected"),
  answer(404, "absolute_path_rejected"),
  answer(400, "path_normalization_failed"),
  null,
];

export function redirectReply(path: string): LocalReply {
  return {
    status: 307,
    body: "",
    headers: ["location", path],
    grpcStatus: -1,
    details: "path_normalization_failed",
    responseFlags: 0,
  };
}

/** Compiled from one connection manager's configuration. */
export class RequestNormalizer {
  readonly #escapedSlashes: HcmConfig["escapedSlashesAction"];
  readonly #normalizePath: boolean;
  readonly #mergeSlashes: boolean;
  readonly #isPathTouched: boolean;
  readonly #stripMatchingPort: boolean;
  readonly #stripAnyPort: boolean;
  readonly #stripDot: boolean;
  readonly #isHostTouched: boolean;

  constructor(config: HcmConfig) {
    this.#escapedSlashes = config.escapedSlashesAction;
    this.#normalizePath = config.normalizePath;
    this.#mergeSlashes = config.mergeSlashes;
    this.#isPathTouched =
      config.normalizePath ||
      config.mergeSlashes ||
      config.escapedSlashesAction !== "keep_unchanged";
    this.#stripMatchingPort = config.stripMatchingHostPort;
    this.#stripAnyPort = config.stripAnyHostPort;
    this.#stripDot = config.stripTrailingHostDot;
    this.#isHostTouched =
      config.stripMatchingHostPort || config.stripAnyHostPort || config.stripTrailingHostDot;
  }

  /** Checks and changes the map in place. `isGrpc` clients are refused instead of redirected. */
  normalize(headers: HeaderMap, localPort: number, isGrpc: boolean): NormalizeResult {
    if (headers.authority === null) return NormalizeResult.MissingHost;
    const path = headers.path;
    if (path === null || path === "") {
      if (path === "" || headers.method !== "CONNECT") return NormalizeResult.MissingPath;
    } else {
      // "OPTIONS *" is refused here, too: Envoy knows no route that is no path.
      if (path.charCodeAt(0) !== 0x2f) return NormalizeResult.NotRelative;
      if (path.indexOf("#") >= 0) return NormalizeResult.BadPath;
      if (this.#isPathTouched) {
        const result = this.#touchPath(headers, path, isGrpc);
        if (result !== NormalizeResult.Ok) return result;
      }
    }
    if (this.#isHostTouched && headers.method !== "CONNECT") this.#touchHost(headers, localPort);
    return NormalizeResult.Ok;
  }

  #touchPath(headers: HeaderMap, original: string, isGrpc: boolean): NormalizeResult {
    let path = original;
    let isRedirect = false;
    if (this.#escapedSlashes !== "keep_unchanged") {
      path = unescapeSlashes(original);
      if (path !== original) {
        // Logs show the unescaped path of refused requests.
        headers.path = path;
        if (this.#escapedSlashes === "reject_request") return NormalizeResult.BadPath;
        isRedirect = this.#escapedSlashes === "unescape_and_redirect";
      }
    }
    if (this.#normalizePath) {
      const canonical = canonicalPath(path);
      if (canonical === null) return NormalizeResult.BadPath;
      path = canonical;
    }
    if (this.#mergeSlashes) path = mergeSlashes(path);
    if (path !== original) headers.path = path;
    if (!isRedirect) return NormalizeResult.Ok;
    return isGrpc ? NormalizeResult.BadPath : NormalizeResult.Redirect;
  }

  #touchHost(headers: HeaderMap, localPort: number): void {
    const original = headers.authority ?? "";
    let host = original;
    if (this.#stripDot) host = withoutTrailingDot(host);
    if (this.#stripAnyPort) host = withoutPort(host, -1);
    else if (this.#stripMatchingPort) host = withoutPort(host, localPort);
    if (host !== original) headers.authority = host;
  }
}

/** Without ":port" when that is a number, and `port` unless that is -1. "[::1]" has no port. */
function withoutPort(host: string, port: number): string {
  const colon = host.lastIndexOf(":");
  if (colon < 0 || host.indexOf("]", colon) >= 0) return host;
  const text = host.slice(colon + 1);
  if (!/^\+?\d+$/.test(text)) return host;
  const value = Number(text);
  if (value > 0xffff_ffff || (port >= 0 && value !== port)) return host;
  return host.slice(0, colon);
}

/** Only the last dot counts: at the end, or right before a ":". */
function withoutTrailingDot(host: string): string {
  const dot = host.lastIndexOf(".");
  if (dot < 0) return host;
  if (dot === host.length - 1) return host.slice(0, dot);
  return host.charCodeAt(dot + 1) === 0x3a ? host.slice(0, dot) + host.slice(dot + 1) : host;
}

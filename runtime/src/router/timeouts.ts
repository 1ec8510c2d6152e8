// How long the router waits for an upstream: the route's timeout, or what trusted request headers
// say. Read by Router once per request.
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { RouterConfig } from "../config/snapshot.ts";
import type { Route } from "./route.ts";

const maskRqTimeout = 1 << HeaderId.XEnvoyUpstreamRqTimeoutMs;

/** Milliseconds; 0 = off. Reused from request to request. */
export class TimeoutPlan {
  /** From the end of the request to the end of the response. */
  globalMs: number = 0;
  /** For one attempt. */
  perTryMs: number = 0;
  /** Status of the answer when time is up: 504, or 204 when the request asks so. */
  status: number = 504;

  /**
   * Takes the timeouts, removes the headers that were heeded and tells the upstream by
   * x-envoy-expected-rq-timeout-ms. The connection manager has removed such headers from requests
   * that are not trusted.
   */
  read(route: Route, headers: HeaderMap, config: RouterConfig): void {
    this.globalMs = route.timeoutMs;
    this.perTryMs = 0;
    this.status = 504;
    this.#readGlobal(headers, config);
    const perTry = headers.getById(HeaderId.XEnvoyUpstreamRqPerTryTimeoutMs);
    if (perTry !== undefined) {
      const ms = parseMs(perTry);
      if (ms >= 0) this.perTryMs = ms;
      headers.removeById(HeaderId.XEnvoyUpstreamRqPerTryTimeoutMs);
    }
    if (this.globalMs !== 0 && this.perTryMs >= this.globalMs) this.perTryMs = 0;
    if (headers.indexOfId(HeaderId.XEnvoyUpstreamRqTimeoutAltResponse) >= 0) {
      this.status = 204;
      headers.removeById(HeaderId.XEnvoyUpstreamRqTimeoutAltResponse);
    }
    // A limit on the whole stream says more than the timeout: Envoy announces neither then.
    if (!config.suppressEnvoyHeaders && route.maxStreamDurationMs < 0) {
      this.#announce(route, headers);
    }
  }

  #readGlobal(headers: HeaderMap, config: RouterConfig): void {
    if (config.respectExpectedRqTimeout) {
      const expected = headers.getById(HeaderId.XEnvoyExpectedRqTimeoutMs);
      if (expected !== undefined) {
        const ms = parseMs(expected);
        if (ms >= 0) this.globalMs = ms;
        return;
      }
    }
    if ((headers.seen & maskRqTimeout) === 0) return;
    const ms = parseMs(headers.getById(HeaderId.XEnvoyUpstreamRqTimeoutMs) ?? "");
    if (ms < 0) return;
    this.globalMs = ms;
    headers.removeById(HeaderId.XEnvoyUpstreamRqTimeoutMs);
  }

  #announce(route: Route, headers: HeaderMap): void {
    const expected = this.perTryMs === 0 ? this.globalMs : this.perTryMs;
    if (expected === 0) return;
    const id = HeaderId.XEnvoyExpectedRqTimeoutMs;
    if (expected === route.timeoutMs) headers.setLineById(id, route.timeoutText, route.timeoutLine);
    else headers.setById(id, String(expected));
  }
}

/**
 * Removes what else internal clients may ask of Envoy's router, which takes it from the request.
 * Others' the connection manager has removed.
 */
export function takeControlHeaders(headers: HeaderMap): void {
  for (let i = 0; i < controlHeaders.length; i += 1) headers.remove(controlHeaders[i] as string);
}

const controlHeaders: readonly string[] = [
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-max-retries",
  "x-envoy-retriable-header-names",
  "x-envoy-retriable-status-codes",
  "x-envoy-retry-grpc-on",
  "x-envoy-retry-on",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-upstream-stream-duration-ms",
];

/** Longer waits are as good as none, and stay exact numbers. */
const msMax = 2 ** 48;

/** A whole number of milliseconds, or -1 when the text is none. */
function parseMs(text: string): number {
  let value = 0;
  if (text.length === 0) return -1;
  for (let i = 0; i < text.length; i += 1) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    value = Math.min(msMax, value * 10 + digit);
  }
  return value;
}

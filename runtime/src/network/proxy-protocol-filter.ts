// The listener filter proxy_protocol: the addresses of a connection are those that the proxy before
// us names.
import { setDynamicMetadata } from "../core/stream-info.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { ProxyProtocolConfig, ProxyTlvRuleConfig } from "../config/snapshot.ts";
import type { Counter, StatsStore } from "../stats/store.ts";
import { ListenerFilterVerdict } from "./listener-filter.ts";
import type { ListenerFilter } from "./listener-filter.ts";
import { ProxyHeaderState, readProxyHeader, readProxyTlvs } from "./proxy-header.ts";
import type { ProxyHeader, ProxyTlv } from "./proxy-header.ts";

interface VersionStats {
  readonly found: Counter;
  readonly disallowed: Counter;
  readonly error: Counter;
}

export class ProxyProtocolFilter implements ListenerFilter {
  readonly #config: ProxyProtocolConfig;
  readonly #errors: Counter;
  readonly #notFoundAllowed: Counter;
  readonly #notFoundDisallowed: Counter;
  readonly #v1: VersionStats;
  readonly #v2: VersionStats;

  constructor(config: ProxyProtocolConfig, stats: StatsStore) {
    const scope = `proxy_proto.${config.statPrefix === "" ? "" : `${config.statPrefix}.`}`;
    this.#config = config;
    this.#errors = stats.counter("downstream_cx_proxy_proto_error");
    this.#notFoundAllowed = stats.counter(`${scope}not_found_allowed`);
    this.#notFoundDisallowed = stats.counter(`${scope}not_found_disallowed`);
    this.#v1 = versionStats(stats, `${scope}versions.v1.`);
    this.#v2 = versionStats(stats, `${scope}versions.v2.`);
  }

  inspect(bytes: Buffer, info: ConnectionInfo): number {
    const header = readProxyHeader(bytes);
    if (header.state === ProxyHeaderState.NotFound) return this.#withoutHeader();
    const stats = header.version === 1 ? this.#v1 : this.#v2;
    if (header.version !== 0 && !this.#allows(header.version)) {
      if (this.#config.isOptional) return this.#withoutHeader();
      // As Envoy: it was found, and is no error.
      stats.found.inc();
      stats.disallowed.inc();
      return ListenerFilterVerdict.ProxyVersionNotAllowed;
    }
    if (header.state === ProxyHeaderState.NeedMore) return ListenerFilterVerdict.NeedMore;
    if (header.state === ProxyHeaderState.Malformed || !this.#applyTlvs(bytes, header, info)) {
      stats.error.inc();
      this.#errors.inc();
      return ListenerFilterVerdict.MalformedProxyHeader;
    }
    stats.found.inc();
    info.hasProxyHeader = true;
    applyAddresses(header, info);
    return header.length;
  }

  #allows(version: number): boolean {
    return version === 1 ? this.#config.allowsV1 : this.#config.allowsV2;
  }

  #withoutHeader(): number {
    if (this.#config.isOptional) {
      this.#notFoundAllowed.inc();
      return 0;
    }
    this.#notFoundDisallowed.inc();
    this.#errors.inc();
    return ListenerFilterVerdict.NoProxyHeader;
  }

  /** False when they are malformed; without use for them nobody looks. */
  #applyTlvs(bytes: Buffer, header: ProxyHeader, info: ConnectionInfo): boolean {
    const { passThroughTlvs, rules } = this.#config;
    if (rules.length === 0 && passThroughTlvs === "none") return true;
    const tlvs = readProxyTlvs(bytes, header.tlvFrom, header.length);
    if (tlvs === null) return false;
    for (const tlv of tlvs) {
      for (const rule of rules) if (rule.tlvType === tlv.type) keep(rule, tlv, info);
    }
    if (passThroughTlvs !== "none") info.proxyTlvs = passedOn(tlvs, passThroughTlvs);
    return true;
  }
}

/** Copied: the bytes are lent. */
function passedOn(tlvs: readonly ProxyTlv[], wanted: "all" | readonly number[]): ProxyTlv[] {
  return tlvs
    .filter(({ type }) => wanted === "all" || wanted.includes(type))
    .map(({ type, value }) => ({ type, value: Buffer.from(value) }));
}

function versionStats(stats: StatsStore, scope: string): VersionStats {
  return {
    found: stats.counter(`${scope}found`),
    disallowed: stats.counter(`${scope}disallowed`),
    error: stats.counter(`${scope}error`),
  };
}

function keep(rule: ProxyTlvRuleConfig, { value }: ProxyTlv, info: ConnectionInfo): void {
  const text = value.toString(rule.isBase64 ? "base64" : "utf8");
  setDynamicMetadata(info, rule.namespace, rule.key, text);
}

function applyAddresses({ source, destination }: ProxyHeader, info: ConnectionInfo): void {
  if (source === null || destination === null) return;
  info.remoteIp = source.ip;
  info.remotePort = source.port;
  info.localIp = destination.ip;
  info.localPort = destination.port;
}

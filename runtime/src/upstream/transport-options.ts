// What a request or a downstream connection says about the transport of its upstream connection.
// Requests share a connection only if they say the same: the text of it is part of the pool's key.
import { isIP } from "node:net";
import type { AutoSniConfig } from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { HeaderMap } from "../core/header-map.ts";

const noNames: readonly string[] = [];

export class TransportOptions {
  readonly key: string;
  /** SNI in place of the configured one; "" = that one. */
  readonly serverName: string;
  /** The upstream's certificate must have one of these names; [] = as configured. */
  readonly verifyNames: readonly string[];
  /** Whose addresses a PROXY header tells; null = nobody's. */
  readonly downstream: ConnectionInfo | null;

  /** `areTlvsKey`: requests whose connections' PROXY headers had other TLVs say something else. */
  constructor(
    serverName: string,
    verifyNames: readonly string[],
    downstream: ConnectionInfo | null,
    areTlvsKey: boolean,
  ) {
    this.serverName = serverName;
    this.verifyNames = verifyNames;
    this.downstream = downstream;
    const { remoteAddress, localAddress } = downstream ?? { remoteAddress: "", localAddress: "" };
    const tlvs = areTlvsKey ? ` ${tlvText(downstream)}` : "";
    this.key = `${serverName} ${verifyNames.join()} ${remoteAddress} ${localAddress}${tlvs}`;
  }
}

/** Null when nothing is to be said. `downstream` only where a PROXY header tells it. */
export function optionsOf(
  auto: AutoSniConfig | null,
  headers: HeaderMap | null,
  downstream: ConnectionInfo | null,
  areTlvsKey: boolean = false,
): TransportOptions | null {
  const name = auto === null || headers === null ? "" : nameOf(auto, headers);
  if (name === "" && downstream === null) return null;
  // An address is no SNI (RFC 6066, 3), but certificates may be for one.
  const serverName = auto?.setsServerName === true && isIP(name) === 0 ? name : "";
  const verifyNames = auto?.verifiesName === true && name !== "" ? [name] : noNames;
  return new TransportOptions(serverName, verifyNames, downstream, areTlvsKey);
}

function tlvText(downstream: ConnectionInfo | null): string {
  if (downstream === null) return "";
  return downstream.proxyTlvs
    .map(({ type, value }) => `${type}:${Buffer.from(value).toString("base64")}`)
    .join();
}

function nameOf(auto: AutoSniConfig, headers: HeaderMap): string {
  const own = auto.headerName === "" ? "" : (headers.get(auto.headerName) ?? "");
  return hostOf(own === "" ? (headers.authority ?? "") : own);
}

/** Without the port; an IPv6 address without brackets. */
export function hostOf(authority: string): string {
  const colon = authority.lastIndexOf(":");
  const hasPort = colon >= 0 && /^\d{1,5}$/.test(authority.slice(colon + 1));
  const host = hasPort && !authority.endsWith("]") ? authority.slice(0, colon) : authority;
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  return isIP(bare) === 0 ? host : bare;
}

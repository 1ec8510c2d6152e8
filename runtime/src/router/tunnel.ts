// What an upstream's answer means to a request for a tunnel: an upgrade or CONNECT that is allowed.
// Asked by Router and by hcm's ActiveStream.
import type { ConnectConfig } from "../config/snapshot.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { LocalReply } from "../filter/http-filter.ts";
import { proxyHeaderOf } from "../upstream/proxy-header.ts";

/** True: bytes pass both ways from now on. `upgradeType` is RouterCallbacks'. */
export function opensTunnel(upgradeType: string, status: number): boolean {
  if (upgradeType === "connect") return status >= 200 && status < 300;
  return upgradeType !== "" && status === 101;
}

/**
 * As Envoy: a WebSocket that gets neither 101 nor an error is answered with the headers alone.
 * Null: the answer is relayed.
 */
export function failedHandshake(upgradeType: string, headers: HeaderMap): LocalReply | null {
  const { status } = headers;
  if (upgradeType !== "websocket" || status === 101 || status >= 400) return null;
  const lines: string[] = [];
  for (let i = 0; i < headers.entryCount; i += 1) {
    if (!headers.isLive(i)) continue;
    const id = headers.idAt(i);
    if (id === HeaderId.ContentLength || id === HeaderId.TransferEncoding) continue;
    lines.push(headers.name(i), headers.value(i));
  }
  const details = "websocket_handshake_unsuccessful";
  return { status, body: "", headers: lines, grpcStatus: -1, details, responseFlags: 0 };
}

const nothing = Buffer.alloc(0);

/**
 * What a raw connection to the upstream begins with, when the tunnel ends here; null = the request
 * goes up as HTTP.
 */
export function rawStart(
  config: ConnectConfig | null,
  method: string | null,
  connection: ConnectionInfo | null,
): Buffer | null {
  if (config === null) return null;
  if (method !== "CONNECT" && !(config.allowsPost && method === "POST")) return null;
  if (config.proxyProtocol === "none" || connection === null) return nothing;
  return proxyHeaderOf(connection, config.proxyProtocol);
}

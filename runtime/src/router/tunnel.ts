// What an upstream's answer means to a request for a tunnel: an upgrade or CONNECT that is allowed.
// Asked by Router and by hcm's ActiveStream.
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { LocalReply } from "../filter/http-filter.ts";

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

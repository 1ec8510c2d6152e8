// Headers that concern one connection only (RFC 9110 7.6.1). The server connection calls
// sanitizeConnection; the connection manager and the router call the strip functions. One test of
// the map's mask answers the usual case: nothing to do.
import { HeaderId } from "../../core/header-names.ts";
import type { HeaderMap } from "../../core/header-map.ts";
import { isBlank } from "./char-tables.ts";

const CONNECTION_BIT: number = 1 << HeaderId.Connection;
const PROXY_CONNECTION_BIT: number = 1 << HeaderId.ProxyConnection;
const UPGRADE_BIT: number = 1 << HeaderId.Upgrade;

/** Bits of HeaderMap.seen that make the strip functions do anything. */
export const HOP_BY_HOP_MASK: number =
  CONNECTION_BIT |
  PROXY_CONNECTION_BIT |
  UPGRADE_BIT |
  (1 << HeaderId.TransferEncoding) |
  (1 << HeaderId.Te) |
  (1 << HeaderId.KeepAlive);

/** Names in one Connection header that we look at; Envoy refuses as many or more. */
const NOMINATED_MAX = 10;

/** True when one of the comma-separated tokens of `value` is `token` (lower-case). */
export function hasToken(value: string, token: string): boolean {
  let from = 0;
  while (from <= value.length) {
    let to = value.indexOf(",", from);
    if (to < 0) to = value.length;
    if (to - from >= token.length && isTokenAt(value, from, to, token)) return true;
    from = to + 1;
  }
  return false;
}

/** Makes no string: this is asked of most messages, and answered with no. */
function isTokenAt(value: string, from: number, to: number, token: string): boolean {
  let start = from;
  let end = to;
  while (start < end && isBlank(value.charCodeAt(start))) start += 1;
  while (end > start && isBlank(value.charCodeAt(end - 1))) end -= 1;
  if (end - start !== token.length) return false;
  for (let i = 0; i < token.length; i += 1) {
    const code = value.charCodeAt(start + i);
    const lower = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
    if (lower !== token.charCodeAt(i)) return false;
  }
  return true;
}

/** As hasToken, over all lines of a known header. */
export function headerHasToken(map: HeaderMap, id: number, token: string): boolean {
  if ((map.seen & (1 << id)) === 0) return false;
  for (let i = 0; i < map.entryCount; i += 1) {
    if (map.idAt(i) === id && map.isLive(i) && hasToken(map.value(i), token)) return true;
  }
  return false;
}

/** Whether its only Connection line says just that, as most do; cuts no text out of the head. */
function isJust(map: HeaderMap, token: string): boolean {
  if ((map.duplicated & CONNECTION_BIT) !== 0) return false;
  const index = map.indexOfId(HeaderId.Connection);
  return index >= 0 && map.valueIs(index, token);
}

/** True when the sender of the message wants or promises to close (Envoy's rule, both sides). */
export function wantsClose(map: HeaderMap, minorVersion: number): boolean {
  const seen = map.seen & (CONNECTION_BIT | PROXY_CONNECTION_BIT);
  if (seen === 0) return minorVersion === 0;
  if (seen === CONNECTION_BIT && isJust(map, "keep-alive")) return false;
  if (headerHasToken(map, HeaderId.Connection, "close")) return true;
  if (headerHasToken(map, HeaderId.ProxyConnection, "close")) return true;
  return minorVersion === 0 && !headerHasToken(map, HeaderId.Connection, "keep-alive");
}

/** True for `connection: upgrade` together with an Upgrade header. */
export function isUpgrade(map: HeaderMap): boolean {
  if ((map.seen & (CONNECTION_BIT | UPGRADE_BIT)) !== (CONNECTION_BIT | UPGRADE_BIT)) return false;
  return headerHasToken(map, HeaderId.Connection, "upgrade");
}

/**
 * Removes the headers that Connection names (`te: trailers` stays) and an offer of h2c, which is
 * never taken. False: the request must be refused, because it names a header whose removal would
 * hide where it came from, or too many.
 */
export function sanitizeConnection(map: HeaderMap): boolean {
  if ((map.seen & CONNECTION_BIT) === 0) return true;
  if (isJust(map, "keep-alive") || isJust(map, "close")) return true;
  let nominated = 0;
  for (let i = 0; i < map.entryCount; i += 1) {
    if (map.idAt(i) !== HeaderId.Connection || !map.isLive(i)) continue;
    const tokens = map.value(i).split(",");
    for (const token of tokens) {
      const name = token.trim().toLowerCase();
      if (name === "") continue;
      nominated += 1;
      if (nominated >= NOMINATED_MAX || !removeNominated(map, name)) return false;
    }
  }
  dropH2c(map);
  return true;
}

function removeNominated(map: HeaderMap, name: string): boolean {
  switch (name) {
    case "close":
    case "keep-alive":
    case "upgrade":
    case "connection":
    case "http2-settings":
      return true;
    // The body's framing is read from these; what they said stays true.
    case "transfer-encoding":
    case "content-length":
      return true;
    case "te":
      keepTeTrailers(map);
      return true;
    case "x-forwarded-for":
    case "x-forwarded-host":
    case "x-forwarded-proto":
      return false;
    default:
      if (name.charCodeAt(0) === 0x3a) return false;
      map.remove(name);
      return true;
  }
}

/** Among other offers it stays: the whole offer is refused then, as in Envoy. */
function dropH2c(map: HeaderMap): void {
  if ((map.seen & UPGRADE_BIT) === 0 || (map.duplicated & UPGRADE_BIT) !== 0) return;
  if (map.getById(HeaderId.Upgrade)?.toLowerCase() !== "h2c") return;
  map.removeById(HeaderId.Upgrade);
  map.remove("http2-settings");
}

/** Leaves `te: trailers` when TE names it, else no TE. */
function keepTeTrailers(map: HeaderMap): void {
  const te = map.getById(HeaderId.Te);
  if (te === undefined || te === "trailers") return;
  let keeps = false;
  for (let i = 0; i < map.entryCount; i += 1) {
    if (map.idAt(i) !== HeaderId.Te || !map.isLive(i)) continue;
    for (const part of map.value(i).split(",")) {
      if ((part.split(";")[0] ?? "").trim().toLowerCase() === "trailers") keeps = true;
    }
  }
  if (keeps) map.setById(HeaderId.Te, "trailers");
  else map.removeById(HeaderId.Te);
}

/**
 * Request headers that do not go further, for the connection manager. `keepUpgrade` leaves
 * Connection and Upgrade of a request whose upgrade is allowed.
 */
export function stripRequestHopByHop(map: HeaderMap, keepUpgrade: boolean): void {
  if ((map.seen & HOP_BY_HOP_MASK) === 0) return;
  removeHopByHop(map, keepUpgrade);
  keepTeTrailers(map);
}

/** Response headers that do not go further; `keepUpgrade` for a 101. Te is not one of them. */
export function stripResponseHopByHop(map: HeaderMap, keepUpgrade: boolean): void {
  if ((map.seen & HOP_BY_HOP_MASK) === 0) return;
  removeHopByHop(map, keepUpgrade);
}

function removeHopByHop(map: HeaderMap, keepUpgrade: boolean): void {
  if (!keepUpgrade) {
    map.removeById(HeaderId.Connection);
    map.removeById(HeaderId.Upgrade);
  }
  map.removeById(HeaderId.TransferEncoding);
  map.removeById(HeaderId.KeepAlive);
  map.removeById(HeaderId.ProxyConnection);
}

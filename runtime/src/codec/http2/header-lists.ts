// Header maps to the flat lists of node:http2 and back: name, value, name, value.
import { HeaderMap, type HeaderVisitor } from "../../core/header-map.ts";

/** Headers that say something about a connection of HTTP/1 only (RFC 9113, 8.2.2). */
const connectionHeaders: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "host",
]);

const COLON = 0x3a;

class ListWriter implements HeaderVisitor {
  readonly list: string[];

  constructor(list: string[]) {
    this.list = list;
  }

  onHeader(name: string, value: string): void {
    if (name.charCodeAt(0) === COLON || connectionHeaders.has(name)) return;
    if (name === "te" && value !== "trailers") return;
    this.list.push(name, value);
  }
}

/** Pseudo headers first, in Envoy's order; `scheme` when the request names none. */
export function requestList(headers: HeaderMap, scheme: string): string[] {
  const list = [":method", headers.method ?? "GET"];
  // CONNECT has no path and no scheme.
  const isConnect = headers.method === "CONNECT";
  if (!isConnect) list.push(":path", headers.path ?? "/");
  if (headers.authority !== null) list.push(":authority", headers.authority);
  if (!isConnect) list.push(":scheme", headers.scheme ?? scheme);
  headers.visit(new ListWriter(list));
  return list;
}

/** Trailers, for which node:http2 takes no list: names that repeat have a list of their own. */
export function trailerObject(trailers: HeaderMap): Record<string, string | string[]> {
  const list: string[] = [];
  trailers.visit(new ListWriter(list));
  const object: Record<string, string | string[]> = {};
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i] as string;
    const value = list[i + 1] as string;
    const known = object[name];
    if (known === undefined) object[name] = value;
    else if (typeof known === "string") object[name] = [known, value];
    else known.push(value);
  }
  return object;
}

/** False when there is no valid :status. */
export function readResponse(list: readonly string[], into: HeaderMap): boolean {
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] as string;
    const value = list[i + 1] as string;
    if (name === ":status") into.status = /^[1-9]\d\d$/.test(value) ? Number(value) : 0;
    else if (name.charCodeAt(0) !== COLON) into.append(name, value);
  }
  return into.status >= 100;
}

export function readTrailers(list: readonly string[]): HeaderMap {
  const trailers = new HeaderMap();
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i] as string;
    if (name.charCodeAt(0) !== COLON) trailers.append(name, list[i + 1] as string);
  }
  return trailers;
}

/** Bytes of all texts: node:http2 does not tell what HPACK makes of them. */
export function listBytes(list: readonly string[]): number {
  let bytes = 0;
  for (const text of list) bytes += text.length;
  return bytes;
}

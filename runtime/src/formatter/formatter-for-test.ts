// What tests of formats share.
import { HeaderMap } from "../core/header-map.ts";

/** Pseudo headers by their names, ":status" as digits. */
export function headersOf(lines: Readonly<Record<string, string>>): HeaderMap {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(lines)) {
    if (name === ":method") headers.method = value;
    else if (name === ":path") headers.path = value;
    else if (name === ":authority") headers.authority = value;
    else if (name === ":scheme") headers.scheme = value;
    else if (name === ":status") headers.status = Number(value);
    else headers.append(name, value);
  }
  return headers;
}

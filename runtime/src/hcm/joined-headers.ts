// Headers of which several lines are one list to Envoy: they become one line, in the first one's
// place.
// Called by request-sanitizer.ts and response-finisher.ts when a message came with such lines.
import { HeaderId, headerNames } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";

const requestIds: readonly number[] = [
  HeaderId.Expect,
  HeaderId.ContentType,
  HeaderId.Te,
  HeaderId.UserAgent,
  HeaderId.Via,
  HeaderId.XEnvoyExternalAddress,
  HeaderId.XForwardedFor,
  HeaderId.XForwardedHost,
  HeaderId.XForwardedPort,
  HeaderId.XForwardedProto,
  HeaderId.XRequestId,
];
const responseIds: readonly number[] = [
  HeaderId.ContentType,
  HeaderId.Date,
  HeaderId.Server,
  HeaderId.Via,
  HeaderId.XRequestId,
];

/** Bits of HeaderMap.duplicated that make the functions below do anything. */
export const REQUEST_JOINED_MASK: number = maskOf(requestIds);
export const RESPONSE_JOINED_MASK: number = maskOf(responseIds);

export function joinRequestLines(headers: HeaderMap): void {
  joinLines(headers, requestIds);
}

export function joinResponseLines(headers: HeaderMap): void {
  joinLines(headers, responseIds);
}

/** Appends to a Via that is there, else writes `line`, the whole line with `via`. */
export function appendVia(headers: HeaderMap, via: string, line: string): void {
  const value = headers.getById(HeaderId.Via);
  if (value === undefined || value === "") headers.setLineById(HeaderId.Via, via, line);
  else headers.setById(HeaderId.Via, `${value}, ${via}`);
}

function joinLines(headers: HeaderMap, ids: readonly number[]): void {
  for (let i = 0; i < ids.length; i += 1) {
    const id = ids[i] as number;
    if ((headers.duplicated & headers.seen & (1 << id)) === 0) continue;
    const values = headers.getAll(headerNames[id] as string);
    if (values.length > 1) headers.setById(id, values.filter((value) => value !== "").join(","));
  }
}

function maskOf(ids: readonly number[]): number {
  return ids.reduce((mask, id) => mask | (1 << id), 0);
}

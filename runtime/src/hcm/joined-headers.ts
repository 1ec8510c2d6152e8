// Headers of which several lines are one list to Envoy: they become one line, in the first one's
// place. Called by ActiveStream for requests and by response-finisher.ts for responses.
import { HeaderId, headerNames } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";

/** Names that stand once (isJoinedHeader), but those of framing, and those without a bit. */
const requestIds: readonly number[] = [
  HeaderId.Connection,
  HeaderId.Upgrade,
  HeaderId.Expect,
  HeaderId.ContentType,
  HeaderId.Te,
  HeaderId.UserAgent,
  HeaderId.Via,
  HeaderId.XEnvoyAttemptCount,
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
  HeaderId.GrpcStatus,
  HeaderId.Location,
  HeaderId.Server,
  HeaderId.Via,
  HeaderId.XEnvoyAttemptCount,
  HeaderId.XRequestId,
];

/** Bits of HeaderMap.duplicated. */
const requestMask: number = maskOf(requestIds);
const responseMask: number = maskOf(responseIds);

export function joinRequestLines(headers: HeaderMap): void {
  if ((headers.duplicated & requestMask) !== 0) joinLines(headers, requestIds);
}

export function joinResponseLines(headers: HeaderMap): void {
  if ((headers.duplicated & responseMask) !== 0) joinLines(headers, responseIds);
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

// Headers of which several lines are one list to Envoy: they become one line, in the first one's
// place. Called by ActiveStream for requests and by response-finisher.ts for responses.
import { HeaderId, headerNames, joinedHeaders } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";

/** HeaderMap keeps two words of bits. */
const FIRST_HIGH = 31;

const { always, inRequests, inResponses } = joinedHeaders;
const requestIds: readonly number[] = [...always, ...inRequests];
const responseIds: readonly number[] = [...always, ...inResponses];

/** Bits of HeaderMap.duplicated, and of duplicatedHigh. */
const requestMask: number = maskOf(requestIds, 0);
const requestMaskHigh: number = maskOf(requestIds, FIRST_HIGH);
const responseMask: number = maskOf(responseIds, 0);
const responseMaskHigh: number = maskOf(responseIds, FIRST_HIGH);

export function joinRequestLines(headers: HeaderMap): void {
  const found = (headers.duplicated & requestMask) | (headers.duplicatedHigh & requestMaskHigh);
  if (found !== 0) joinLines(headers, requestIds);
}

export function joinResponseLines(headers: HeaderMap): void {
  const found = (headers.duplicated & responseMask) | (headers.duplicatedHigh & responseMaskHigh);
  if (found !== 0) joinLines(headers, responseIds);
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
    const isSeveral =
      id < FIRST_HIGH
        ? (headers.duplicated & headers.seen & (1 << id)) !== 0
        : (headers.duplicatedHigh & (1 << (id - FIRST_HIGH))) !== 0;
    if (!isSeveral) continue;
    const values = headers.getAll(headerNames[id] as string);
    if (values.length > 1) headers.setById(id, values.filter((value) => value !== "").join(","));
  }
}

/** Of the 31 ids from `first` on. */
function maskOf(ids: readonly number[], first: number): number {
  const own = ids.filter((id) => id >= first && id < first + FIRST_HIGH);
  return own.reduce((mask, id) => mask | (1 << (id - first)), 0);
}

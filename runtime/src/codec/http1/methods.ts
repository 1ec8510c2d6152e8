// The request methods that Envoy's HTTP/1 codec knows; all others are 400. Used by the parser.

const names: readonly string[] = [
  "ACL",
  "BIND",
  "CHECKOUT",
  "CONNECT",
  "COPY",
  "DELETE",
  "GET",
  "HEAD",
  "LINK",
  "LOCK",
  "MERGE",
  "MKACTIVITY",
  "MKCALENDAR",
  "MKCOL",
  "MOVE",
  "MSEARCH",
  "NOTIFY",
  "OPTIONS",
  "PATCH",
  "POST",
  "PROPFIND",
  "PROPPATCH",
  "PURGE",
  "PUT",
  "QUERY",
  "REBIND",
  "REPORT",
  "SEARCH",
  "SOURCE",
  "SUBSCRIBE",
  "TRACE",
  "UNBIND",
  "UNLINK",
  "UNLOCK",
  "UNSUBSCRIBE",
];

/** Length of the longest method. */
export const METHOD_BYTES_MAX = 11;

const table: readonly (readonly Uint8Array[])[] = buildTable();
const namesByLength: readonly (readonly string[])[] = table.map((list) =>
  list.map((bytes) => Buffer.from(bytes).toString("latin1")),
);

function buildTable(): Uint8Array[][] {
  const byLength: Uint8Array[][] = [];
  for (let length = 0; length <= METHOD_BYTES_MAX; length += 1) {
    const sized = names.filter((name) => name.length === length);
    byLength.push(sized.map((name) => Uint8Array.from(Buffer.from(name, "latin1"))));
  }
  return byLength;
}

/** The method at `buffer[from..to)` as a constant string, or null when it is not known. */
export function methodAt(buffer: Uint8Array, from: number, to: number): string | null {
  const length = to - from;
  const candidates = table[length];
  if (candidates === undefined) return null;
  for (let c = 0; c < candidates.length; c += 1) {
    const bytes = candidates[c] as Uint8Array;
    let i = 0;
    while (i < length && bytes[i] === buffer[from + i]) i += 1;
    if (i === length) return namesByLength[length]?.[c] ?? null;
  }
  return null;
}

// Lines of the scripted guest (runtime/test/guests) in a form that two runs can agree on.

/** Times, ids and sizes that a run decides: how many bytes there are is compared. */
const CHANCE =
  /get_property (request%00(time|duration|id)|response%00total_size|connection(%00|_)id|response%00backend_latency|upstream%00cx_pool_ready_duration) -> 0 \[(.*)\]$/;
/** Whole numbers that are ports: written out, so that known ports become names. */
const PORT = /(get_property \w+%00(?:local_)?port -> 0 )\[(.*)\]$/;
/** The client's own port is chance. */
const CLIENT_PORT = /(get_property source%00port -> 0 )\[.*\]$/;
/** Keys and signatures are new in each run. */
const SIGNING =
  /(call_foreign_function (?:sign|verify_signature) )(\S{100,})( -> )(0 \[%08%01%12.*\])?/;
const TIME = /(get_current_time -> 0 )\d+$/;

/** Maps whose order is Envoy's hash table's. */
const MAP = /(get_property \w+%00(?:headers|trailers) -> 0 )\[(.*)\]$/;
const SERVICE_TIME = /^(x-envoy-upstream-service-time=)\d+$/;

/** Entries of serialised pairs as `name=value`, sorted. */
function sortedPairs(bytes: Buffer): string {
  const count = bytes.readUInt32LE(0);
  const entries: string[] = [];
  let at = 4 + count * 8;
  for (let i = 0; i < count; i += 1) {
    const nameEnd = at + bytes.readUInt32LE(4 + i * 8);
    const valueEnd = nameEnd + 1 + bytes.readUInt32LE(8 + i * 8);
    const name = bytes.toString("latin1", at, nameEnd);
    const value = bytes.toString("latin1", nameEnd + 1, valueEnd);
    entries.push(`${name}=${value}`.replace(SERVICE_TIME, "$1{ms}"));
    at = valueEnd + 1;
  }
  return entries.sort().join("; ");
}

/** The bytes that the guest wrote percent-encoded. */
function decoded(text: string): Buffer {
  const latin1 = text.replace(/%([0-9a-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(latin1, "latin1");
}

export function readableGuestLine(line: string): string {
  const chance = CHANCE.exec(line);
  if (chance !== null) {
    const value = chance.at(-1) ?? "";
    const size = decoded(value).length;
    return `${line.slice(0, line.length - value.length - 2)}{${size} bytes}`;
  }
  return line
    .replace(SIGNING, (_, head: string, _args: string, arrow: string, value?: string) =>
      value === undefined ? `${head}{signed}${arrow}` : `${head}{signed}${arrow}0 {a signature}`,
    )
    .replace(CLIENT_PORT, "$1{port}")
    .replace(PORT, (_, head: string, value: string) => {
      const bytes = decoded(value);
      return bytes.length === 8 ? `${head}${bytes.readBigInt64LE()}` : `${head}[${value}]`;
    })
    .replace(MAP, (_, head: string, value: string) => `${head}{${sortedPairs(decoded(value))}}`)
    .replace(TIME, "$1{time}");
}

/** Who says it: its root id, or whatever stands in front. */
function speaker(line: string): string {
  return / root (\S+):/.exec(line)?.[1] ?? line.slice(0, line.indexOf(": "));
}

/** The lines of each guest together. */
export function apart(lines: readonly string[]): string[] {
  return lines.toSorted((a, b) => (speaker(a) < speaker(b) ? -1 : speaker(a) > speaker(b) ? 1 : 0));
}

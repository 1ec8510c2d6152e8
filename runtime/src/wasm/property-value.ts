// How values of properties look to guests: text is bytes, numbers are 8 bytes, maps are pairs.

const scratch: Buffer = Buffer.alloc(8);

/** A signed or unsigned whole number: 8 bytes, little-endian, as latin1 text. */
export function integerValue(value: number): string {
  scratch.writeBigInt64LE(BigInt(Math.trunc(value)));
  return scratch.toString("latin1");
}

/** 8 bytes, little-endian. */
export function doubleValue(value: number): string {
  scratch.writeDoubleLE(value);
  return scratch.toString("latin1");
}

export function booleanValue(value: boolean): string {
  return value ? "\x01" : "\0";
}

/** A duration or a time since the epoch, given in milliseconds: nanoseconds. */
export function timeValue(milliseconds: number): string {
  return integerValue(Math.round(milliseconds * 1e6));
}

/** Text of the configuration, which may hold any character: UTF-8 bytes as latin1 text. */
export function textValue(text: string): string {
  for (let i = 0; i < text.length; i += 1) {
    if (text.charCodeAt(i) > 0x7f) return Buffer.from(text, "utf8").toString("latin1");
  }
  return text;
}

/** A JSON-like value inside metadata. Null and undefined have no encoding: undefined. */
export function metadataValue(value: unknown): string | undefined {
  if (typeof value === "string") return textValue(value);
  if (typeof value === "number") return doubleValue(value);
  if (typeof value === "boolean") return booleanValue(value);
  if (Array.isArray(value)) {
    const items = value.map(metadataValue);
    return wholePairs(items.flatMap((item) => [item, ""]));
  }
  if (value instanceof Map) return wholePairs(entryPairs([...value.entries()]));
  if (typeof value === "object" && value !== null) {
    return wholePairs(entryPairs(Object.entries(value)));
  }
  return undefined;
}

function entryPairs(entries: readonly (readonly [unknown, unknown])[]): (string | undefined)[] {
  return entries.flatMap(([key, value]) => [textValue(String(key)), metadataValue(value)]);
}

/** Undefined when one of the parts has no encoding. */
function wholePairs(parts: readonly (string | undefined)[]): string | undefined {
  const known = parts.filter((part) => part !== undefined);
  return known.length === parts.length ? pairsValue(known) : undefined;
}

/** A flat list of keys and values, serialised; four zero bytes for an empty one. */
export function pairsValue(pairs: readonly string[]): string {
  const lengths = Buffer.allocUnsafe(4 + pairs.length * 4);
  lengths.writeUInt32LE(pairs.length / 2, 0);
  let text = "";
  for (let i = 0; i < pairs.length; i += 1) {
    const part = pairs[i] as string;
    lengths.writeUInt32LE(part.length, 4 + i * 4);
    text += `${part}\0`;
  }
  return lengths.toString("latin1") + text;
}

// Messages of envoy.config.core.v3 that guests get as they are: Metadata for "metadata", Locality.
import type { UpstreamHostInfo } from "../core/upstream-info.ts";
import { bytesField, tag, WireType } from "./proto-fields.ts";

/** Numbers of Metadata, google.protobuf.Struct, Value and ListValue. */
const FILTER_METADATA = 1;
const STRUCT_FIELDS = 1;
const ENTRY_KEY = 1;
const ENTRY_VALUE = 2;
const VALUE_NULL = 1;
const VALUE_NUMBER = 2;
const VALUE_STRING = 3;
const VALUE_BOOL = 4;
const VALUE_STRUCT = 5;
const VALUE_LIST = 6;
const LIST_VALUES = 1;

type Entries = Iterable<readonly [string, unknown]>;

/** No bytes for a host whose place nobody tells. */
export function localityMessage({ region, zone, subZone }: UpstreamHostInfo): Buffer {
  const fields = [region, zone, subZone].map((text, at) =>
    text === "" ? Buffer.alloc(0) : bytesField(at + 1, Buffer.from(text)),
  );
  return Buffer.concat(fields);
}

/** No bytes when there is no metadata. */
export function metadataMessage(
  metadata: ReadonlyMap<string, ReadonlyMap<string, unknown>> | null,
): Buffer {
  if (metadata === null) return Buffer.alloc(0);
  const parts: Buffer[] = [];
  for (const [namespace, values] of metadata) {
    parts.push(entry(FILTER_METADATA, namespace, struct(values)));
  }
  return Buffer.concat(parts);
}

function struct(entries: Entries): Buffer {
  const parts: Buffer[] = [];
  for (const [key, item] of entries) parts.push(entry(STRUCT_FIELDS, key, value(item)));
  return Buffer.concat(parts);
}

/** One entry of a map field. */
function entry(number: number, key: string, contents: Buffer): Buffer {
  const name = bytesField(ENTRY_KEY, Buffer.from(key));
  return bytesField(number, Buffer.concat([name, bytesField(ENTRY_VALUE, contents)]));
}

function value(item: unknown): Buffer {
  if (typeof item === "string") return bytesField(VALUE_STRING, Buffer.from(item));
  if (typeof item === "boolean")
    return Buffer.from([tag(VALUE_BOOL, WireType.Varint), item ? 1 : 0]);
  if (typeof item === "number") {
    const bytes = Buffer.alloc(9);
    bytes[0] = tag(VALUE_NUMBER, WireType.Fixed64);
    bytes.writeDoubleLE(item, 1);
    return bytes;
  }
  if (Array.isArray(item)) {
    const parts = item.map((one) => bytesField(LIST_VALUES, value(one)));
    return bytesField(VALUE_LIST, Buffer.concat(parts));
  }
  if (item instanceof Map) return bytesField(VALUE_STRUCT, struct(item as Map<string, unknown>));
  if (typeof item === "object" && item !== null) {
    return bytesField(VALUE_STRUCT, struct(Object.entries(item)));
  }
  return Buffer.from([tag(VALUE_NULL, WireType.Varint), 0]);
}

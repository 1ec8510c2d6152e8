// Fields of the serialised node: id, cluster, locality, metadata. Asked by property-table.ts.
import type { NodeConfig } from "../config/snapshot.ts";
import { booleanValue, pairsValue } from "./property-value.ts";
import { fieldBytes } from "./proto-fields.ts";

/** Numbers of envoy.config.core.v3.Node and google.protobuf.Struct that are read here. */
const NODE_METADATA = 3;
const NODE_LOCALITY = 4;
const STRUCT_FIELDS = 1;
const ENTRY_KEY = 1;
const ENTRY_VALUE = 2;
const VALUE_NUMBER = 2;
const VALUE_STRING = 3;
const VALUE_BOOL = 4;
const VALUE_STRUCT = 5;
const VALUE_LIST = 6;
const LIST_VALUES = 1;

/** latin1 text of what stands at the path; undefined = nothing. */
export function findNodeField(node: NodeConfig, path: readonly string[]): string | undefined {
  const [field, ...rest] = path;
  if (field === "metadata") return metadataAt(Buffer.from(node.serialized), rest);
  if (field === "locality" && rest.length === 1) {
    const places: Readonly<Record<string, string>> = {
      region: node.region,
      zone: node.zone,
      sub_zone: node.subZone,
    };
    return latin1(places[rest[0] as string]);
  }
  if (rest.length > 0) return undefined;
  if (field === "locality") {
    return fieldBytes(Buffer.from(node.serialized), NODE_LOCALITY)[0]?.toString("latin1") ?? "";
  }
  const fields: Readonly<Record<string, string>> = { id: node.id, cluster: node.cluster };
  return latin1(fields[field as string]);
}

function latin1(text: string | undefined): string | undefined {
  return text === undefined ? undefined : Buffer.from(text).toString("latin1");
}

function metadataAt(node: Buffer, keys: readonly string[]): string | undefined {
  const struct = fieldBytes(node, NODE_METADATA)[0];
  if (struct === undefined) return keys.length === 0 ? structText(Buffer.alloc(0)) : undefined;
  return structAt(struct, keys);
}

/** latin1 text of what stands there in envoy.config.core.v3.Metadata; undefined = nothing. */
export function findMetadataField(
  metadata: Uint8Array,
  path: readonly string[],
): string | undefined {
  const [field, namespace, ...keys] = path;
  if (field !== "filter_metadata" || namespace === undefined) return undefined;
  // Maps of messages have the same form as the fields of a Struct.
  const struct = entryOf(Buffer.from(metadata), namespace);
  return struct === undefined ? undefined : structAt(struct, keys);
}

function structAt(top: Buffer, keys: readonly string[]): string | undefined {
  let struct = top;
  for (const [depth, key] of keys.entries()) {
    const value: Buffer | undefined = entryOf(struct, key);
    if (value === undefined) return undefined;
    if (depth === keys.length - 1) return valueText(value);
    const inner = fieldBytes(value, VALUE_STRUCT)[0];
    if (inner === undefined) return undefined;
    struct = inner;
  }
  return structText(struct);
}

function entryOf(struct: Buffer, key: string): Buffer | undefined {
  for (const entry of fieldBytes(struct, STRUCT_FIELDS)) {
    const name = fieldBytes(entry, ENTRY_KEY)[0]?.toString("latin1") ?? "";
    if (name === key) return fieldBytes(entry, ENTRY_VALUE)[0] ?? Buffer.alloc(0);
  }
  return undefined;
}

/** As values inside metadata are told: numbers as text, structs and lists as pairs. */
function valueText(value: Buffer): string | undefined {
  const text = fieldBytes(value, VALUE_STRING)[0];
  if (text !== undefined) return text.toString("latin1");
  const number = fieldBytes(value, VALUE_NUMBER)[0];
  if (number !== undefined) return String(number.readDoubleLE());
  const boolean = fieldBytes(value, VALUE_BOOL)[0];
  if (boolean !== undefined) return booleanValue(boolean[0] !== 0);
  const struct = fieldBytes(value, VALUE_STRUCT)[0];
  if (struct !== undefined) return structText(struct);
  const list = fieldBytes(value, VALUE_LIST)[0];
  if (list === undefined) return undefined;
  return pairsValue(fieldBytes(list, LIST_VALUES).flatMap((item) => [valueText(item) ?? "", ""]));
}

function structText(struct: Buffer): string {
  const pairs = fieldBytes(struct, STRUCT_FIELDS).flatMap((entry) => {
    const key = fieldBytes(entry, ENTRY_KEY)[0]?.toString("latin1") ?? "";
    const value = fieldBytes(entry, ENTRY_VALUE)[0];
    return [key, (value === undefined ? undefined : valueText(value)) ?? ""];
  });
  return pairsValue(pairs);
}

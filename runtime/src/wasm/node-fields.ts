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

const NO_BYTES: Buffer = Buffer.alloc(0);

/** latin1 text of what stands at the path; undefined = nothing, null = what has no form. */
export function findNodeField(
  node: NodeConfig,
  path: readonly string[],
): string | null | undefined {
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

function metadataAt(node: Buffer, keys: readonly string[]): string | null | undefined {
  const struct = fieldBytes(node, NODE_METADATA)[0];
  if (struct === undefined) return keys.length === 0 ? structText(NO_BYTES) : undefined;
  return structAt(struct, keys);
}

/** The same in envoy.config.core.v3.Metadata. */
export function findMetadataField(
  metadata: Uint8Array,
  path: readonly string[],
): string | null | undefined {
  const [field, namespace, ...keys] = path;
  if (field !== "filter_metadata") return undefined;
  // Maps of messages have the same form as the fields of a Struct.
  const message = Buffer.from(metadata);
  if (namespace === undefined) return entriesText(message, structText);
  const struct = entryOf(message, namespace);
  return struct === undefined ? undefined : structAt(struct, keys);
}

function structAt(struct: Buffer, keys: readonly string[]): string | null | undefined {
  const [first, ...rest] = keys;
  if (first === undefined) return structText(struct);
  let value = entryOf(struct, first);
  for (const key of rest) {
    if (value === undefined) return undefined;
    const inner = fieldBytes(value, VALUE_STRUCT)[0];
    const list = fieldBytes(value, VALUE_LIST)[0];
    if (inner !== undefined) value = entryOf(inner, key);
    else if (list !== undefined) value = fieldBytes(list, LIST_VALUES)[Number(key)];
    else return undefined;
  }
  return value === undefined ? undefined : valueText(value);
}

function entryOf(struct: Buffer, key: string): Buffer | undefined {
  for (const entry of fieldBytes(struct, STRUCT_FIELDS)) {
    const name = fieldBytes(entry, ENTRY_KEY)[0]?.toString("latin1") ?? "";
    if (name === key) return fieldBytes(entry, ENTRY_VALUE)[0] ?? NO_BYTES;
  }
  return undefined;
}

/** As Envoy tells values: numbers as doubles, structs and lists as pairs; null has no form. */
function valueText(value: Buffer): string | null {
  const text = fieldBytes(value, VALUE_STRING)[0];
  if (text !== undefined) return text.toString("latin1");
  const number = fieldBytes(value, VALUE_NUMBER)[0];
  if (number !== undefined) return number.toString("latin1");
  const boolean = fieldBytes(value, VALUE_BOOL)[0];
  if (boolean !== undefined) return booleanValue(boolean[0] !== 0);
  const struct = fieldBytes(value, VALUE_STRUCT)[0];
  if (struct !== undefined) return structText(struct);
  const list = fieldBytes(value, VALUE_LIST)[0];
  if (list === undefined) return null;
  const pairs: string[] = [];
  for (const item of fieldBytes(list, LIST_VALUES)) {
    const text = valueText(item);
    if (text === null) return null;
    pairs.push(text, "");
  }
  return pairsValue(pairs);
}

function structText(struct: Buffer): string | null {
  return entriesText(struct, valueText);
}

/** A map's entries as pairs, each value by `textOf`; null when one of them has no form. */
function entriesText(map: Buffer, textOf: (value: Buffer) => string | null): string | null {
  const pairs: string[] = [];
  for (const entry of fieldBytes(map, STRUCT_FIELDS)) {
    const key = fieldBytes(entry, ENTRY_KEY)[0]?.toString("latin1") ?? "";
    const text = textOf(fieldBytes(entry, ENTRY_VALUE)[0] ?? NO_BYTES);
    if (text === null) return null;
    pairs.push(key, text);
  }
  return pairsValue(pairs);
}

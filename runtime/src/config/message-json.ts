// Writes a parsed message as protobuf JSON with proto field names, and as bytes; called by
// ConfigNode for /config_dump, wasm configurations and xDS.
import {
  type DescField,
  fromJson,
  type JsonValue as PbJson,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import {
  DurationValue,
  type FieldValue,
  type Json,
  JsonValue,
  MessageValue,
  type SingleValue,
} from "./message-value.ts";
import type { Schema } from "./schema.ts";

const longScalars: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.SINT64,
  ScalarType.SFIXED64,
  ScalarType.UINT64,
  ScalarType.FIXED64,
]);
const longWrappers: ReadonlySet<string> = new Set([
  "google.protobuf.Int64Value",
  "google.protobuf.UInt64Value",
]);

/** The message as JSON: snake_case, only fields that are set, 64-bit integers as text. */
export function messageToJson(message: MessageValue): Json {
  const entries: [string, Json][] = [];
  if (message.typeUrl !== null) entries.push(["@type", message.typeUrl]);
  if (message.wellKnown !== null) {
    const isLong = longWrappers.has(message.description.typeName);
    entries.push(["value", singleToJson(message.wellKnown, isLong)]);
  }
  for (const [name, { field, value }] of message.fields) {
    if (value !== undefined) entries.push([name, fieldToJson(field, value)]);
  }
  return Object.fromEntries(entries);
}

/** The message for protobuf-es. The content of an Any comes out as itself, without the Any. */
export function messageToProtobuf(schema: Schema, message: MessageValue): Message {
  const options = { registry: schema.registry };
  if (message.wellKnown !== null) {
    const isLong = longWrappers.has(message.description.typeName);
    const json = singleToJson(message.wellKnown, isLong) as PbJson;
    return fromJson(message.description, json, options);
  }
  const json: Record<string, unknown> = { ...(messageToJson(message) as object) };
  if (message.typeUrl !== null) Reflect.deleteProperty(json, "@type");
  return fromJson(message.description, json as PbJson, options);
}

/** The message in protobuf's binary form; the content of an Any without the Any. */
export function messageToBytes(schema: Schema, message: MessageValue): Uint8Array {
  return toBinary(message.description, messageToProtobuf(schema, message));
}

function fieldToJson(field: DescField, value: FieldValue): Json {
  const isLong =
    (field.scalar !== undefined && longScalars.has(field.scalar)) ||
    (field.message !== undefined && longWrappers.has(field.message.typeName));
  if (Array.isArray(value)) return value.map((item) => singleToJson(item, isLong));
  if (!(value instanceof Map)) return singleToJson(value, isLong);
  const entries: [string, Json][] = [];
  for (const [key, item] of value) entries.push([key, singleToJson(item, isLong)]);
  return Object.fromEntries(entries);
}

function singleToJson(value: SingleValue, isLong: boolean): Json {
  if (value instanceof MessageValue) return messageToJson(value);
  if (value instanceof JsonValue) return value.json;
  if (value instanceof DurationValue) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "bigint" || (isLong && typeof value === "number")) return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value;
}

// Lays one parsed message over another by the rules of protobuf's MergeFrom; called by
// bootstrap-loader.ts for --config-yaml, as Envoy does it.
import type { DescField } from "@bufbuild/protobuf";
import {
  DurationValue,
  FieldEntry,
  type FieldValue,
  type Json,
  type JsonObject,
  JsonValue,
  MessageValue,
} from "./message-value.ts";

/**
 * Changes `base`: scalars and the content of an Any are replaced, messages are merged, lists are
 * appended, map entries replaced by key. A scalar at its default (0, "", false) is as good as unset
 * and replaces nothing, unless the field has presence.
 */
export function mergeMessage(base: MessageValue, overlay: MessageValue): void {
  for (const [name, entry] of overlay.fields) {
    const { field } = entry;
    for (const other of field.oneof?.fields ?? []) {
      if (other.name !== name) base.fields.delete(other.name);
    }
    const under = base.fields.get(name);
    if (under === undefined) base.fields.set(name, entry);
    else base.fields.set(name, mergeEntry(field, under, entry));
  }
}

/** A copy that mergeMessage may change; values that nobody changes are shared. */
export function cloneMessage(message: MessageValue): MessageValue {
  const { description, place, typeUrl, wellKnown } = message;
  const clone = new MessageValue(description, place, typeUrl, wellKnown);
  for (const [name, { field, place: fieldPlace, value }] of message.fields) {
    const copy = value instanceof MessageValue ? cloneMessage(value) : value;
    clone.fields.set(name, new FieldEntry(field, fieldPlace, copy));
  }
  return clone;
}

function mergeEntry(field: DescField, base: FieldEntry, overlay: FieldEntry): FieldEntry {
  const under = base.value;
  const over = overlay.value;
  if (under === undefined || over === undefined) {
    return new FieldEntry(field, overlay.place, undefined);
  }
  if (Array.isArray(under) && Array.isArray(over)) {
    return new FieldEntry(field, base.place, [...under, ...over]);
  }
  if (under instanceof Map && over instanceof Map) {
    return new FieldEntry(field, base.place, new Map([...under, ...over]));
  }
  if (under instanceof MessageValue && over instanceof MessageValue) {
    if (over.typeUrl !== null) return overlay;
    mergeMessage(under, over);
    return base;
  }
  if (under instanceof JsonValue && over instanceof JsonValue) {
    return new FieldEntry(field, overlay.place, mergeJson(under.json, over.json));
  }
  if (under instanceof DurationValue && over instanceof DurationValue) {
    const merged = new DurationValue(over.seconds || under.seconds, over.nanos || under.nanos);
    return new FieldEntry(field, overlay.place, merged);
  }
  return isImplicitDefault(field, over) ? base : overlay;
}

function mergeJson(base: Json, overlay: Json): JsonValue {
  if (Array.isArray(base) && Array.isArray(overlay)) return new JsonValue([...base, ...overlay]);
  if (isObject(base) && isObject(overlay)) return new JsonValue({ ...base, ...overlay });
  return new JsonValue(overlay);
}

function isObject(json: Json): json is JsonObject {
  return json !== null && typeof json === "object" && !Array.isArray(json);
}

function isImplicitDefault(field: DescField, value: FieldValue): boolean {
  // Wrappers hold their scalar in a field without presence, too.
  const hasPresence = field.message === undefined && field.presence !== 2; // not IMPLICIT
  if (hasPresence || field.oneof !== undefined) return false;
  if (value instanceof Uint8Array) return value.length === 0;
  if (field.enum !== undefined) return value === field.enum.values[0]?.name;
  return value === 0 || value === "" || value === false;
}

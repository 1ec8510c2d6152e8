// Parsed configuration before anybody asks for it: messages with their set fields, each with its
// place. Made by the walker, joined by message-merge.ts, checked by field-rules.ts, read through
// ConfigNode.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence as Presence } from "@bufbuild/protobuf/wkt";
import type { Place } from "./source-text.ts";

/** Plain JSON, as google.protobuf.Struct and Value hold it. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** google.protobuf.Duration, never negative, nanos 0..999,999,999. */
export class DurationValue {
  readonly seconds: number;
  readonly nanos: number;

  constructor(seconds: number, nanos: number) {
    this.seconds = seconds;
    this.nanos = nanos;
  }

  /** Fractions of a millisecond are kept as fractions. */
  get ms(): number {
    return this.seconds * 1000 + this.nanos / 1e6;
  }

  /** protobuf's JSON form: `1.500s`. */
  toString(): string {
    if (this.nanos === 0) return `${this.seconds}s`;
    const digits = String(this.nanos).padStart(9, "0");
    return `${this.seconds}.${digits.replace(/(?:000){1,2}$/, "")}s`;
  }
}

/** google.protobuf.Struct, Value or ListValue. */
export class JsonValue {
  readonly json: Json;

  constructor(json: Json) {
    this.json = json;
  }
}

/**
 * One value: enums by name (by number when the API has no name), 64-bit integers as bigint only
 * when a number cannot hold them, wrappers as what they wrap, Timestamp and FieldMask as their JSON
 * text.
 */
export type SingleValue =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | DurationValue
  | JsonValue
  | MessageValue;

export type FieldValue = SingleValue | SingleValue[] | Map<string, SingleValue>;

/** Who has looked at a field: what remains `unread` is what nobody implements. */
export const FieldUse = { Unread: 0, Read: 1, Accepted: 2 } as const;
export type FieldUse = (typeof FieldUse)[keyof typeof FieldUse];

/** A field that the configuration sets. */
export class FieldEntry {
  readonly field: DescField;
  readonly place: Place;
  /** undefined when the value was wrong: the problem is reported, nothing else is said of it. */
  value: FieldValue | undefined;
  use: FieldUse = FieldUse.Unread;
  /** Why the field may be without effect, when `use` is Accepted. */
  acceptedReason: string = "";

  constructor(field: DescField, place: Place, value: FieldValue | undefined) {
    this.field = field;
    this.place = place;
    this.value = value;
  }
}

/**
 * What protobuf cannot tell from a field that is not set: an empty list or map, and the zero of a
 * scalar without presence.
 */
export function isZero(entry: FieldEntry): boolean {
  const { field, value } = entry;
  if (Array.isArray(value)) return value.length === 0;
  if (value instanceof Map) return value.size === 0;
  if (field.presence !== Presence.IMPLICIT) return false;
  if (value instanceof Uint8Array) return value.length === 0;
  if (field.enum !== undefined) return value === field.enum.values[0]?.name;
  return value === false || value === 0 || value === 0n || value === "";
}

/** A message with the fields that are set, by proto name. */
export class MessageValue {
  readonly description: DescMessage;
  readonly place: Place;
  readonly fields: Map<string, FieldEntry>;
  /** The type URL when this is the content of an Any; null otherwise. */
  readonly typeUrl: string | null;
  /**
   * The content of an Any of a well-known type that is no ordinary message (Duration, Struct ...).
   */
  readonly wellKnown: SingleValue | null;
  /** Whether anybody has looked for a field in it. */
  isVisited: boolean = false;

  constructor(
    description: DescMessage,
    place: Place,
    typeUrl: string | null = null,
    wellKnown: SingleValue | null = null,
  ) {
    this.description = description;
    this.place = place;
    this.fields = new Map();
    this.typeUrl = typeUrl;
    this.wellKnown = wellKnown;
  }
}

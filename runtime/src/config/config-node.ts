// How the rest of the runtime reads a parsed message: the translator stands on this class.
//
// A ConfigNode is one message of the configuration with its path. Rules that hold for all of it:
//  - Names are proto names in snake_case, whatever the text wrote. A name that the message does not
//    have throws, and so does a getter of another type than the field's: that is our bug, not the
//    configuration's.
//  - Only what the configuration sets is there; defaults are not filled in. A getter answers
//    undefined, or the fallback it was given, for a field that is not set. Lists and maps are
//    empty.
//  - Wrappers (UInt32Value ...) are scalars, with presence. Enums are names (of an unknown number:
//    its digits). Durations are milliseconds, fractions included. Any is the message in it, with
//    its `typeName`; a TypedStruct has already become the message that it stands for.
//  - Each getter marks its field as read, set or not. What is set and was never read is what we do
//    not implement: `unreadFields` lists it, so that nothing is dropped in silence. `has` and
//    `oneof` do not mark: to see that a field is there is not to serve it. `accept` marks a field
//    that may stand without effect, with a reason.
//  - A field that is one message is read by `node`, and then its own fields count one by one; a
//    message that was handed out but never asked for anything counts as one unread field.
import type { DescField, Message } from "@bufbuild/protobuf";
import { messageToBytes, messageToJson, messageToProtobuf } from "./message-json.ts";
import { cloneMessage, mergeMessage } from "./message-merge.ts";
import {
  DurationValue,
  type FieldEntry,
  FieldUse,
  type FieldValue,
  isZero,
  type Json,
  JsonValue,
  MessageValue,
  type SingleValue,
} from "./message-value.ts";
import { FieldPath, type ProblemList, type ProblemPart } from "./problem-list.ts";
import type { Schema } from "./schema.ts";

const anyName = "google.protobuf.Any";

export class ConfigNode {
  readonly #schema: Schema;
  readonly #message: MessageValue;
  readonly #path: FieldPath;

  constructor(schema: Schema, message: MessageValue, path: FieldPath = new FieldPath()) {
    this.#schema = schema;
    this.#message = message;
    this.#path = path;
  }

  /** Full name of the message, `envoy.config.cluster.v3.Cluster`. */
  get typeName(): string {
    return this.#message.description.typeName;
  }

  /** Field path from the root, `static_resources.clusters[0]`; "" for the root itself. */
  get path(): string {
    return this.#path.toString();
  }

  /** Names of the fields that are set, in the order of the text. Marks nothing. */
  get fieldNames(): string[] {
    return [...this.#message.fields.keys()];
  }

  /** `file:line:col: path` of this message, or of one of its fields (of its key). */
  where(name?: string): string {
    const entry = name === undefined ? undefined : this.#message.fields.get(name);
    const place = entry?.place ?? this.#message.place;
    const path = name === undefined ? this.#path : this.#path.field(name);
    const { file, line, column } = place.position(entry !== undefined);
    return line > 0 ? `${file}:${line}:${column}: ${path.toString()}` : path.toString();
  }

  /** Adds a problem with this message, or with one of its fields, to a list. */
  report(problems: ProblemList, message: string, name?: string, part: ProblemPart = "key"): void {
    const entry = name === undefined ? undefined : this.#message.fields.get(name);
    const path = name === undefined ? this.#path : this.#path.field(name);
    problems.error(entry?.place ?? this.#message.place, path, message, part);
  }

  /** As `report`, as a warning. */
  warn(problems: ProblemList, message: string, name?: string): void {
    const entry = name === undefined ? undefined : this.#message.fields.get(name);
    const path = name === undefined ? this.#path : this.#path.field(name);
    problems.warn(entry?.place ?? this.#message.place, path, message);
  }

  /** Whether the configuration sets the field. Marks nothing. */
  has(name: string): boolean {
    this.#field(name);
    return this.#message.fields.has(name);
  }

  /** As `has`, without values that mean the same as none: an empty list, false, 0, "". */
  hasEffect(name: string): boolean {
    this.#field(name);
    const entry = this.#message.fields.get(name);
    return entry !== undefined && entry.value !== undefined && !isZero(entry);
  }

  /** The field of a oneof that is set, undefined when none is. Marks nothing. */
  oneof(name: string): string | undefined {
    for (const oneof of this.#message.description.oneofs) {
      if (oneof.name !== name) continue;
      return oneof.fields.find((field) => this.#message.fields.has(field.name))?.name;
    }
    throw new Error(`${this.typeName} has no oneof ${name}`);
  }

  string(name: string): string | undefined;
  string(name: string, fallback: string): string;
  string(name: string, fallback?: string): string | undefined {
    const value = this.#read(name);
    return value === undefined ? fallback : this.#text(name, value);
  }

  bool(name: string): boolean | undefined;
  bool(name: string, fallback: boolean): boolean;
  bool(name: string, fallback?: boolean): boolean | undefined {
    const value = this.#read(name);
    if (value === undefined || typeof value === "boolean") return value ?? fallback;
    throw this.#wrongGetter(name);
  }

  /** Any integer type. Beyond 2^53 the nearest double; `bigint` keeps all digits. */
  uint(name: string): number | undefined;
  uint(name: string, fallback: number): number;
  uint(name: string, fallback?: number): number | undefined {
    const value = this.#read(name);
    return value === undefined ? fallback : this.#number(name, value);
  }

  bigint(name: string): bigint | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" || typeof value === "bigint") return BigInt(value);
    throw this.#wrongGetter(name);
  }

  double(name: string): number | undefined;
  double(name: string, fallback: number): number;
  double(name: string, fallback?: number): number | undefined {
    const value = this.#read(name);
    return value === undefined ? fallback : this.#number(name, value);
  }

  /** Milliseconds with fractions; never negative. */
  durationMs(name: string): number | undefined;
  durationMs(name: string, fallback: number): number;
  durationMs(name: string, fallback?: number): number | undefined {
    const value = this.#read(name);
    if (value === undefined || value instanceof DurationValue) return value?.ms ?? fallback;
    throw this.#wrongGetter(name);
  }

  /** A duration with all nanoseconds. */
  duration(name: string): DurationValue | undefined {
    const value = this.#read(name);
    if (value === undefined || value instanceof DurationValue) return value;
    throw this.#wrongGetter(name);
  }

  /** Name of an enum's value; the enum's zero value when the field is not set. */
  enum(name: string): string {
    const zero = this.#field(name).enum?.values[0]?.name ?? "";
    const value = this.#read(name);
    return value === undefined ? zero : this.#text(name, value);
  }

  bytes(name: string): Uint8Array | undefined {
    const value = this.#read(name);
    if (value === undefined || value instanceof Uint8Array) return value;
    throw this.#wrongGetter(name);
  }

  /** A message field; for an Any field the message in it. */
  node(name: string): ConfigNode | undefined {
    const value = this.#read(name);
    if (value === undefined) return undefined;
    if (!(value instanceof MessageValue)) throw this.#wrongGetter(name);
    return new ConfigNode(this.#schema, value, this.#path.field(name));
  }

  /** As `node`, for an Any: undefined when there is nothing in it (`typed_config: {}`). */
  any(name: string): ConfigNode | undefined {
    const node = this.node(name);
    return node?.typeName === anyName ? undefined : node;
  }

  /** A list of messages, or of Any. */
  nodes(name: string): ConfigNode[] {
    const path = this.#path.field(name);
    const nodes: ConfigNode[] = [];
    for (const [index, value] of this.#list(name).entries()) {
      if (value instanceof MessageValue) {
        nodes.push(new ConfigNode(this.#schema, value, path.item(index)));
      }
    }
    return nodes;
  }

  /** A list of strings or of enum names. */
  strings(name: string): string[] {
    return this.#list(name).map((value) => this.#text(name, value));
  }

  /** A list of numbers. */
  numbers(name: string): number[] {
    return this.#list(name).map((value) => this.#number(name, value));
  }

  /** A map of messages, or of Any. */
  map(name: string): Map<string, ConfigNode> {
    const path = this.#path.field(name);
    const nodes = new Map<string, ConfigNode>();
    for (const [key, value] of this.#entries(name)) {
      if (value instanceof MessageValue) {
        nodes.set(key, new ConfigNode(this.#schema, value, path.key(key)));
      }
    }
    return nodes;
  }

  /** A map of Structs. */
  jsonMap(name: string): Map<string, Json> {
    const values = new Map<string, Json>();
    for (const [key, value] of this.#entries(name)) {
      if (!(value instanceof JsonValue)) throw this.#wrongGetter(name);
      values.set(key, value.json);
    }
    return values;
  }

  /** A map of strings or of other scalars, as text. */
  stringMap(name: string): Map<string, string> {
    const texts = new Map<string, string>();
    for (const [key, value] of this.#entries(name)) {
      texts.set(key, this.#text(name, value));
    }
    return texts;
  }

  /** A field of type Struct, Value or ListValue. Floats of a YAML text are strings, as in Envoy. */
  json(name: string): Json | undefined {
    const value = this.#read(name);
    if (value === undefined || value instanceof JsonValue) return value?.json;
    throw this.#wrongGetter(name);
  }

  /**
   * What an Any of a well-known type holds: JSON for a Struct, the scalar for a wrapper,
   * milliseconds for a Duration; undefined when this node is an ordinary message.
   */
  get content(): Json | bigint | Uint8Array | undefined {
    this.#message.isVisited = true;
    const value = this.#message.wellKnown;
    if (value instanceof JsonValue) return value.json;
    if (value instanceof DurationValue) return value.ms;
    return value === null || value instanceof MessageValue ? undefined : value;
  }

  /**
   * This message with another of its type laid over it, by the rules of protobuf's MergeFrom.
   * Reading it marks nothing in both.
   */
  mergedWith(overlay: ConfigNode): ConfigNode {
    const merged = cloneMessage(this.#message);
    mergeMessage(merged, cloneMessage(overlay.#message));
    return new ConfigNode(this.#schema, merged, this.#path);
  }

  /** Marks a field as one that may stand without effect. Nothing happens when it is not set. */
  accept(name: string, reason: string): void {
    this.#field(name);
    const entry = this.#message.fields.get(name);
    this.#message.isVisited = true;
    if (entry === undefined) return;
    entry.use = FieldUse.Accepted;
    entry.acceptedReason = reason;
  }

  /** Marks every field of this message that nobody has read so far, as `accept` does. */
  acceptRest(reason: string): void {
    this.#message.isVisited = true;
    for (const entry of this.#message.fields.values()) {
      if (entry.use !== FieldUse.Unread) continue;
      entry.use = FieldUse.Accepted;
      entry.acceptedReason = reason;
    }
  }

  /** protobuf JSON with proto names; an Any's content carries "@type". Secrets are in it. */
  toProtoJson(): Json {
    return messageToJson(this.#message);
  }

  /** Binary protobuf of this message; an Any's content without the Any around it. */
  serialize(): Uint8Array {
    return messageToBytes(this.#schema, this.#message);
  }

  /** The same for protobuf-es. */
  toMessage(): Message {
    return messageToProtobuf(this.#schema, this.#message);
  }

  #field(name: string): DescField {
    const field = this.#schema.getField(this.#message.description, name);
    if (field === undefined) throw new Error(`${this.typeName} has no field ${name}`);
    return field;
  }

  #read(name: string): FieldValue | undefined {
    const entry = this.#message.fields.get(name);
    this.#message.isVisited = true;
    if (entry === undefined) {
      this.#field(name);
      return undefined;
    }
    entry.use = FieldUse.Read;
    return entry.value;
  }

  #list(name: string): SingleValue[] {
    const value = this.#read(name);
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.#wrongGetter(name);
    return value;
  }

  #entries(name: string): Map<string, SingleValue> {
    const value = this.#read(name);
    if (value === undefined) return new Map<string, SingleValue>();
    if (!(value instanceof Map)) throw this.#wrongGetter(name);
    return value;
  }

  #text(name: string, value: FieldValue): string {
    if (typeof value === "object") throw this.#wrongGetter(name);
    return String(value);
  }

  #number(name: string, value: FieldValue): number {
    if (typeof value !== "number" && typeof value !== "bigint") throw this.#wrongGetter(name);
    return Number(value);
  }

  // A getter of another type than the field's would drop the value: our bug.
  #wrongGetter(name: string): Error {
    return new Error(`${this.typeName}.${name} is read by a getter of another type`);
  }
}

/** A field that is set, and that nobody reads or that is accepted without effect. */
export interface FieldReport {
  readonly path: FieldPath;
  readonly entry: FieldEntry | null;
  /** The message in question when it was handed out but never looked into; null for a field. */
  readonly message: MessageValue | null;
}

/**
 * Fields that are set and were never read, topmost only, in the order of the text. Values that mean
 * the same as none (`track_timeout_budgets: false`, an empty list) are left out, as nothing is
 * lost, and so are wrong values, which have been reported.
 */
export function unreadFields(root: MessageValue): FieldReport[] {
  return collect(root, FieldUse.Unread);
}

/** Fields that were accepted without effect; `entry.acceptedReason` says why. */
export function acceptedFields(root: MessageValue): FieldReport[] {
  return collect(root, FieldUse.Accepted);
}

function collect(root: MessageValue, wanted: FieldUse): FieldReport[] {
  const reports: FieldReport[] = [];
  const visit = (message: MessageValue, path: FieldPath): void => {
    if (!message.isVisited && message.fields.size > 0) {
      if (wanted === FieldUse.Unread) reports.push({ path, entry: null, message });
      return;
    }
    for (const [name, entry] of message.fields) {
      const fieldPath = path.field(name);
      if (entry.use === wanted) {
        const isHarmless = entry.value === undefined || isZero(entry);
        if (wanted !== FieldUse.Unread || !isHarmless)
          reports.push({ path: fieldPath, entry, message: null });
      } else if (entry.use === FieldUse.Read) visitValue(entry.value, fieldPath);
    }
  };
  const visitValue = (value: FieldValue | undefined, path: FieldPath): void => {
    if (value instanceof MessageValue) visit(value, path);
    else if (Array.isArray(value)) {
      value.forEach((item, index) => {
        if (item instanceof MessageValue) visit(item, path.item(index));
      });
    } else if (value instanceof Map) {
      for (const [key, item] of value) {
        if (item instanceof MessageValue) visit(item, path.key(key));
      }
    }
  };
  visit(root, new FieldPath());
  return reports;
}

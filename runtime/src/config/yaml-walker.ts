// Turns raw YAML or JSON data into messages by Envoy's descriptors: names, types and leniencies as
// Envoy 1.40 has them, every problem with its place. Called by bootstrap-loader.ts.
import type { DescEnum, DescField, DescMessage, DescOneof } from "@bufbuild/protobuf";
import { Deprecations } from "./deprecations.ts";
import { didYouMean, nearestName } from "./did-you-mean.ts";
import { FieldEntry, type FieldValue, MessageValue, type SingleValue } from "./message-value.ts";
import type { FieldPath, ProblemList } from "./problem-list.ts";
import { describeRaw, isRawList, isRawMap, quoted } from "./raw-words.ts";
import { defaultScalar, expectedScalar, readScalar } from "./scalar-reader.ts";
import { findEnumValue, type Schema, typeNameOf } from "./schema.ts";
import type { Place } from "./source-text.ts";
import { wellKnownType } from "./well-known-reader.ts";
import type { RawMap, RawValue } from "./yaml-scalars.ts";

const anyName = "google.protobuf.Any";
const valueName = "google.protobuf.Value";
const typeKey = "@type";
const typedStructNames: ReadonlySet<string> = new Set([
  "xds.type.v3.TypedStruct",
  "udpa.type.v1.TypedStruct",
]);
/** Protobuf's own limit for messages within messages. */
const depthMax = 100;

export interface WalkOptions {
  /** Unknown fields and enum names are warnings instead of errors. */
  readonly allowUnknownFields: boolean;
}

export class YamlWalker {
  readonly #schema: Schema;
  readonly #problems: ProblemList;
  readonly #allowUnknownFields: boolean;
  readonly #deprecations: Deprecations;
  /** How many unknown fields and enum names were let through. */
  unknownFieldCount: number = 0;
  #depth: number = 0;

  constructor(schema: Schema, problems: ProblemList, options: WalkOptions) {
    this.#schema = schema;
    this.#problems = problems;
    this.#allowUnknownFields = options.allowUnknownFields;
    this.#deprecations = new Deprecations(schema, problems);
  }

  /** A message of a known type; undefined when the data is no map (reported). */
  message(
    description: DescMessage,
    raw: RawValue,
    place: Place,
    path: FieldPath,
    typeUrl: string | null = null,
  ): MessageValue | undefined {
    if (!isRawMap(raw)) {
      const name = description.typeName;
      this.#problems.error(place, path, `found ${describeRaw(raw)}, expected a map (${name})`);
      return undefined;
    }
    if (this.#depth >= depthMax) {
      this.#problems.error(place, path, `found more than ${depthMax} messages within each other`);
      return undefined;
    }
    this.#depth += 1;
    const message = new MessageValue(description, place, typeUrl);
    this.#fields(message, raw, path);
    this.#depth -= 1;
    return message;
  }

  #fields(message: MessageValue, raw: RawMap, path: FieldPath): void {
    const oneofs = new Map<DescOneof, string>();
    for (const [key, value] of raw) {
      if (key === typeKey && message.typeUrl !== null) continue;
      const field = this.#schema.getField(message.description, key);
      if (field === undefined) {
        this.#unknownField(message, key, path);
        continue;
      }
      // Null is a field that is not set, except where null is a value.
      if (value === null && field.message?.typeName !== valueName) continue;
      const place = message.place.child(key);
      const fieldPath = path.field(field.name);
      if (message.fields.has(field.name)) {
        const names = `"${field.name}" and "${field.jsonName}"`;
        this.#problems.error(place, fieldPath, `found both ${names}, expected only one`, "key");
        continue;
      }
      this.#noteOneof(field, oneofs, place, fieldPath);
      this.#deprecations.checkField(field, place, fieldPath);
      const errorsBefore = this.#problems.errorCount;
      const parsed = this.#fieldValue(field, value, place, fieldPath);
      // An enum name that was let through with a warning leaves its field unset.
      if (parsed === undefined && this.#problems.errorCount === errorsBefore) continue;
      message.fields.set(field.name, new FieldEntry(field, place, parsed));
    }
  }

  #unknownField(message: MessageValue, key: string, path: FieldPath): void {
    const name = message.description.typeName;
    const names = this.#schema.fieldNames(message.description);
    const nearest = nearestName(key, names.keys());
    // Who writes no capital letter writes proto names.
    const meant = nearest === undefined || /[A-Z]/.test(key) ? nearest : names.get(nearest)?.name;
    const hint = meant === undefined ? "" : ` (did you mean ${quoted(meant)}?)`;
    const text = `unknown field ${quoted(key)} in ${name}${hint}`;
    this.#unknown(message.place.child(key), path.field(key), text, "key");
  }

  #unknown(place: Place, path: FieldPath, text: string, part: "key" | "value"): void {
    if (!this.#allowUnknownFields) {
      this.#problems.error(place, path, text, part);
      return;
    }
    this.unknownFieldCount += 1;
    this.#problems.warn(place, path, text, part);
  }

  #noteOneof(
    field: DescField,
    oneofs: Map<DescOneof, string>,
    place: Place,
    path: FieldPath,
  ): void {
    if (field.oneof === undefined) return;
    const first = oneofs.get(field.oneof);
    if (first === undefined) {
      oneofs.set(field.oneof, field.name);
      return;
    }
    const both = `found both "${first}" and "${field.name}"`;
    const text = `${both}, expected only one of the ${field.oneof.name} fields`;
    this.#problems.error(place, path, text, "key");
  }

  #fieldValue(
    field: DescField,
    raw: RawValue,
    place: Place,
    path: FieldPath,
  ): FieldValue | undefined {
    if (field.fieldKind === "list") return this.#list(field, raw, place, path);
    if (field.fieldKind === "map") return this.#map(field, raw, place, path);
    return this.#single(field, raw, place, path);
  }

  // One object where a list is expected is a list of one, and lists within lists are flattened:
  // both are accepted by Envoy's JSON reader and the first is common.
  #list(field: DescField, raw: RawValue, place: Place, path: FieldPath): SingleValue[] | undefined {
    const values: SingleValue[] = [];
    let isWhole = true;
    const visit = (item: RawValue, itemPlace: Place, depth: number): void => {
      if (isRawList(item) && field.message?.typeName !== "google.protobuf.ListValue") {
        if (depth > 1) {
          this.#problems.error(itemPlace, path, "found lists nested too deeply, expected one");
          isWhole = false;
          return;
        }
        item.forEach((each, index) => visit(each, itemPlace.child(index), depth + 1));
        return;
      }
      const itemPath = path.item(values.length);
      const value =
        item === null
          ? this.#emptyItem(field, itemPlace, itemPath)
          : this.#single(field, item, itemPlace, itemPath);
      if (value === undefined) isWhole = false;
      else values.push(value);
    };
    visit(raw, place, 0);
    return isWhole ? values : undefined;
  }

  // `- ` with nothing behind it is an item without any field set.
  #emptyItem(field: DescField, place: Place, path: FieldPath): SingleValue | undefined {
    if (field.message !== undefined) return this.#single(field, new Map(), place, path);
    if (field.enum !== undefined) return field.enum.values[0]?.name ?? 0;
    return field.scalar === undefined ? undefined : defaultScalar(field.scalar);
  }

  #map(
    field: DescField & { fieldKind: "map" },
    raw: RawValue,
    place: Place,
    path: FieldPath,
  ): Map<string, SingleValue> | undefined {
    if (!isRawMap(raw)) {
      this.#problems.error(place, path, `found ${describeRaw(raw)}, expected a map`);
      return undefined;
    }
    const values = new Map<string, SingleValue>();
    let isWhole = true;
    for (const [key, item] of raw) {
      const itemPath = path.key(key);
      const itemPlace = place.child(key);
      const name = readScalar(field.mapKey, key);
      if (name === undefined) {
        const expected = expectedScalar(field.mapKey, key);
        const text = `found the key ${quoted(key)}, expected ${expected}`;
        this.#problems.error(itemPlace, itemPath, text, "key");
        isWhole = false;
        continue;
      }
      const value =
        item === null
          ? this.#emptyItem(field, itemPlace, itemPath)
          : this.#single(field, item, itemPlace, itemPath);
      if (value === undefined) isWhole = false;
      else values.set(String(name), value);
    }
    return isWhole ? values : undefined;
  }

  /** One value of the field's element type. */
  #single(field: DescField, raw: RawValue, place: Place, path: FieldPath): SingleValue | undefined {
    if (field.message !== undefined) return this.#messageOf(field.message, raw, place, path);
    if (field.enum !== undefined) return this.#enum(field.enum, raw, place, path);
    if (field.scalar === undefined) return undefined;
    const value = readScalar(field.scalar, raw);
    if (value === undefined) {
      const expected = expectedScalar(field.scalar, raw);
      this.#problems.error(place, path, `found ${describeRaw(raw)}, expected ${expected}`);
    }
    return value;
  }

  #messageOf(
    description: DescMessage,
    raw: RawValue,
    place: Place,
    path: FieldPath,
  ): SingleValue | undefined {
    if (description.typeName === anyName) return this.#any(raw, place, path);
    const wellKnown = wellKnownType(description.typeName);
    if (wellKnown === undefined) return this.message(description, raw, place, path);
    const value = wellKnown.read(raw);
    if (value === undefined) {
      const expected = wellKnown.expected(raw);
      this.#problems.error(place, path, `found ${describeRaw(raw)}, expected ${expected}`);
    }
    return value;
  }

  #enum(
    description: DescEnum,
    raw: RawValue,
    place: Place,
    path: FieldPath,
  ): string | number | undefined {
    if (typeof raw === "string") {
      const value = findEnumValue(description, raw);
      if (value !== undefined) {
        this.#deprecations.checkEnumValue(value, place, path);
        return value.name;
      }
    }
    const isNumber = typeof raw === "number" || (typeof raw === "string" && /^-?\d+$/.test(raw));
    const number = Number(raw);
    if (isNumber && Number.isInteger(number)) {
      const value = description.value[number];
      if (value !== undefined) this.#deprecations.checkEnumValue(value, place, path);
      return value?.name ?? number;
    }
    this.#problemWithEnum(description, raw, place, path);
    return undefined;
  }

  #problemWithEnum(description: DescEnum, raw: RawValue, place: Place, path: FieldPath): void {
    const names = description.values.map((value) => value.name);
    const known = `one of ${names.length > 12 ? `the ${names.length} names` : names.join(", ")}`;
    const found = describeRaw(raw);
    if (typeof raw !== "string") {
      this.#problems.error(place, path, `found ${found}, expected ${known}`);
      return;
    }
    const hint = didYouMean(raw.replaceAll("-", "_"), names);
    const text = `unknown enum value ${found} of ${description.typeName}, expected ${known}${hint}`;
    this.#unknown(place, path, text, "value");
  }

  #any(raw: RawValue, place: Place, path: FieldPath): MessageValue | undefined {
    if (!isRawMap(raw)) {
      const text = `found ${describeRaw(raw)}, expected a map with "@type"`;
      this.#problems.error(place, path, text);
      return undefined;
    }
    // `config: {}` of a FilterConfig is an Any with nothing in it, and is meant so.
    if (raw.size === 0) return new MessageValue(this.#schema.requireMessage(anyName), place);
    const typeUrl = raw.get(typeKey);
    if (typeof typeUrl !== "string") {
      const found = typeUrl === undefined ? 'no "@type"' : describeRaw(typeUrl);
      const expected = 'a type URL like "type.googleapis.com/envoy...."';
      this.#problems.error(place, path, `found ${found}, expected ${expected}`, "key");
      return undefined;
    }
    const typePlace = place.child(typeKey);
    if (typeUrl.lastIndexOf("/") < 1) {
      const hint = ` (did you mean "type.googleapis.com/${typeNameOf(typeUrl)}"?)`;
      const expected = `expected a host and a slash before the name${hint}`;
      const text = `found the type URL ${quoted(typeUrl)}, ${expected}`;
      this.#problems.error(typePlace, path, text);
      return undefined;
    }
    const name = typeNameOf(typeUrl);
    if (typedStructNames.has(name)) return this.#typedStruct(raw, place, path);
    const description = this.#typeOf(typeUrl, typePlace, path);
    if (description === undefined) return undefined;
    if (name !== anyName && wellKnownType(name) === undefined) {
      return this.message(description, raw, place, path, typeUrl);
    }
    const value = this.#messageOf(description, raw.get("value") ?? new Map(), place, path);
    return value === undefined ? undefined : new MessageValue(description, place, typeUrl, value);
  }

  // The Struct inside is read against the message that it stands for, so that nothing in it is
  // lost.
  #typedStruct(raw: RawMap, place: Place, path: FieldPath): MessageValue | undefined {
    const urlKey = raw.has("typeUrl") && !raw.has("type_url") ? "typeUrl" : "type_url";
    const typeUrl = raw.get(urlKey);
    for (const key of raw.keys()) {
      if (key === typeKey || key === urlKey || key === "value") continue;
      const hint = didYouMean(key, ["type_url", "value"]);
      const text = `unknown field ${quoted(key)} in a TypedStruct${hint}`;
      this.#unknown(place.child(key), path.field(key), text, "key");
    }
    if (typeof typeUrl !== "string" || typeUrl === "") {
      const found = typeUrl === undefined ? 'no "type_url"' : describeRaw(typeUrl);
      const text = `found ${found}, expected the type URL that the TypedStruct stands for`;
      this.#problems.error(typeUrl === undefined ? place : place.child(urlKey), path, text);
      return undefined;
    }
    const description = this.#typeOf(typeUrl, place.child(urlKey), path);
    if (description === undefined) return undefined;
    const value = raw.get("value") ?? new Map<string, RawValue>();
    return this.message(description, value, place.child("value"), path, typeUrl);
  }

  #typeOf(typeUrl: string, place: Place, path: FieldPath): DescMessage | undefined {
    const name = typeNameOf(typeUrl);
    const description = this.#schema.getMessage(name);
    if (description !== undefined) return description;
    const nearest = this.#nearestType(name);
    const hint = nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
    const text = `unknown extension type ${JSON.stringify(name.slice(0, 200))}${hint}`;
    this.#problems.error(place, path, text);
    return undefined;
  }

  // A misspelling first, then the same message in another package or version.
  #nearestType(name: string): string | undefined {
    const near = nearestName(name, this.#schema.typeNames());
    if (near !== undefined) return near;
    const words = name.split(".");
    let best: string | undefined;
    let bestShared = 0;
    for (const candidate of this.#schema.typeNames()) {
      if (!candidate.endsWith(`.${words.at(-1)}`)) continue;
      const others = candidate.split(".");
      const shared = words.filter((word) => others.includes(word)).length;
      if (shared <= bestShared) continue;
      best = candidate;
      bestShared = shared;
    }
    return best;
  }
}

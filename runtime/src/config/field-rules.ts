// Checks messages against the PGV rules in Envoy's descriptors: every broken rule is a problem with
// its place, in our words around Envoy's own text of the constraint. Called by bootstrap-loader.ts
// after all texts are joined, because a rule looks at fields that are not set, too.
import type { DescField } from "@bufbuild/protobuf";
import { boundsText, brokenBound, durationNanos, durationText } from "./field-rule-bounds.ts";
import { brokenString } from "./field-rule-strings.ts";
import {
  DurationValue,
  type FieldEntry,
  JsonValue,
  MessageValue,
  type SingleValue,
} from "./message-value.ts";
import type { FieldPath, ProblemList } from "./problem-list.ts";
import { quoted } from "./raw-words.ts";
import { asRule, type Rule, type RuledField, RuleSchema } from "./rule-schema.ts";
import { defaultScalar } from "./scalar-reader.ts";
import type { Schema } from "./schema.ts";
import type { Place } from "./source-text.ts";

/** A text to be matched against an RE2 pattern; done at the end because re2js is loaded for it. */
interface PatternCheck {
  readonly pattern: string;
  readonly text: string;
  readonly place: Place;
  readonly path: FieldPath;
}

const numberKinds: ReadonlySet<string> = new Set(
  (
    "float double int32 int64 uint32 uint64 sint32 sint64 " + "fixed32 fixed64 sfixed32 sfixed64"
  ).split(" "),
);

export class FieldRules {
  readonly #schema: RuleSchema;
  readonly #problems: ProblemList;
  readonly #patterns: PatternCheck[];

  constructor(schema: Schema, problems: ProblemList) {
    this.#schema = new RuleSchema(schema);
    this.#problems = problems;
    this.#patterns = [];
  }

  /** Checks a message and all messages in it. */
  check(message: MessageValue, path: FieldPath): void {
    const rules = this.#schema.rulesOf(message.description);
    let skipped: Set<string> | null = null;
    for (const ruled of rules.fields) {
      this.#checkField(message, ruled, path.field(ruled.field.name));
      if (ruled.isSkipped) (skipped ??= new Set()).add(ruled.field.name);
    }
    for (const { name, fields } of rules.requiredOneofs) {
      if (fields.some((field) => message.fields.has(field))) continue;
      const text = `not set: one of ${fields.join(", ")} (field: "${name}", reason: is required)`;
      this.#problems.error(message.place, path.field(name), text, "key");
    }
    for (const [name, entry] of message.fields) {
      if (skipped === null || !skipped.has(name)) this.#descend(entry, path);
    }
    if (message.wellKnown instanceof MessageValue) this.check(message.wellKnown, path);
  }

  /** Matches what needs RE2 patterns; call once after all `check`s. */
  async finish(): Promise<void> {
    if (this.#patterns.length === 0) return;
    const { RE2JS } = await import("re2js");
    const compiled = new Map<string, ReturnType<typeof RE2JS.compile>>();
    for (const { pattern, text, place, path } of this.#patterns) {
      let expression = compiled.get(pattern);
      if (expression === undefined) {
        expression = RE2JS.compile(pattern);
        compiled.set(pattern, expression);
      }
      if (expression.matcher(text).find()) continue;
      const constraint = `value does not match regex pattern ${JSON.stringify(pattern)}`;
      this.#problems.error(place, path, `found ${quoted(text)}: ${constraint}`);
    }
    this.#patterns.length = 0;
  }

  #descend(entry: FieldEntry, path: FieldPath): void {
    const { value } = entry;
    const fieldPath = path.field(entry.field.name);
    if (value instanceof MessageValue) this.check(value, fieldPath);
    else if (Array.isArray(value)) {
      value.forEach((item, index) => {
        if (item instanceof MessageValue) this.check(item, fieldPath.item(index));
      });
    } else if (value instanceof Map) {
      for (const [key, item] of value) {
        if (item instanceof MessageValue) this.check(item, fieldPath.key(key));
      }
    }
  }

  #checkField(message: MessageValue, ruled: RuledField, path: FieldPath): void {
    const { field, kind, rule } = ruled;
    const entry = message.fields.get(field.name);
    if (entry !== undefined && entry.value === undefined) return;
    const place = entry?.place ?? message.place;
    const value = entry?.value;
    if (field.fieldKind === "list") {
      this.#checkList(field, rule, (value as SingleValue[] | undefined) ?? [], place, path);
    } else if (field.fieldKind === "map") {
      const values = (value as Map<string, SingleValue> | undefined) ?? new Map();
      this.#checkMap(field, rule, values, place, path);
    } else if (value !== undefined) {
      this.#checkSingle(field, kind, rule, value as SingleValue, place, path, "found ");
    } else this.#checkUnset(ruled, place, path);
  }

  // PGV checks scalars without presence at their default; messages, wrappers, oneof fields and
  // `optional` ones only when they are set, unless required.
  #checkUnset(ruled: RuledField, place: Place, path: FieldPath): void {
    const { field } = ruled;
    if (field.oneof !== undefined) return;
    if (field.message !== undefined) {
      if (ruled.isRequired) this.#problems.error(place, path, "not set: value is required", "key");
      return;
    }
    const isImplicit = field.presence === 2; // FieldPresence.IMPLICIT
    if (!isImplicit) return;
    const value =
      field.scalar === undefined ? (field.enum?.values[0]?.name ?? 0) : defaultScalar(field.scalar);
    this.#checkSingle(field, ruled.kind, ruled.rule, value, place, path, "not set, which is ");
  }

  #checkSingle(
    field: DescField,
    kind: string,
    rule: Rule,
    value: SingleValue,
    place: Place,
    path: FieldPath,
    found: string,
  ): void {
    const constraint = this.#broken(field, kind, rule, value, place, path);
    if (constraint === undefined) return;
    this.#problems.error(place, path, `${found}${describeValue(value)}: ${constraint}`);
  }

  /** Envoy's text of the first part of a rule that the value breaks. */
  #broken(
    field: DescField,
    kind: string,
    rule: Rule,
    value: SingleValue,
    place: Place,
    path: FieldPath,
  ): string | undefined {
    if (numberKinds.has(kind)) return brokenNumber(rule, value as number | bigint);
    if (kind === "duration") return brokenDuration(rule, value);
    if (kind === "enum") return brokenEnum(field, rule, value);
    if (kind === "bool") {
      return "const" in rule && rule["const"] !== value
        ? `value must equal ${String(rule["const"] as boolean)}`
        : undefined;
    }
    if (kind === "any") return brokenAny(rule, value);
    if (kind === "string" || kind === "bytes") {
      const text = value as string | Uint8Array;
      const isEmpty = text.length === 0 && rule["ignore_empty"] === true;
      if (typeof rule["pattern"] === "string" && typeof text === "string" && !isEmpty) {
        this.#patterns.push({ pattern: rule["pattern"], text, place, path });
      }
      return brokenString(rule, text);
    }
    return undefined;
  }

  #checkList(
    field: DescField,
    rule: Rule,
    values: readonly SingleValue[],
    place: Place,
    path: FieldPath,
  ): void {
    if (values.length === 0 && rule["ignore_empty"] === true) return;
    const counts = countText(rule["min_items"], rule["max_items"], values.length, "item(s)");
    if (counts !== undefined) {
      this.#problems.error(place, path, `found ${values.length} items: ${counts}`, "key");
    }
    if (rule["unique"] === true && new Set(values.map(identity)).size < values.length) {
      const text = "found an item twice: repeated value must contain unique items";
      this.#problems.error(place, path, text, "key");
    }
    const [kind, itemRule] = firstRule(asRule(rule["items"]));
    if (kind === "") return;
    values.forEach((value, index) => {
      const itemPlace = value instanceof MessageValue ? value.place : place.child(index);
      this.#checkSingle(field, kind, itemRule, value, itemPlace, path.item(index), "found ");
    });
  }

  #checkMap(
    field: DescField,
    rule: Rule,
    values: ReadonlyMap<string, SingleValue>,
    place: Place,
    path: FieldPath,
  ): void {
    if (values.size === 0 && rule["ignore_empty"] === true) return;
    const counts = countText(rule["min_pairs"], rule["max_pairs"], values.size, "pair(s)");
    if (counts !== undefined) {
      this.#problems.error(place, path, `found ${values.size} pairs: ${counts}`, "key");
    }
    const [keyKind, keyRule] = firstRule(asRule(rule["keys"]));
    const [valueKind, valueRule] = firstRule(asRule(rule["values"]));
    for (const [key, value] of values) {
      const at = place.child(key);
      if (keyKind !== "") {
        this.#checkSingle(field, keyKind, keyRule, key, at, path.key(key), "found the key ");
      }
      if (valueKind !== "") {
        this.#checkSingle(field, valueKind, valueRule, value, at, path.key(key), "found ");
      }
    }
  }
}

function firstRule(rules: Rule): [string, Rule] {
  const kind = Object.keys(rules).find((name) => name !== "message") ?? "";
  return [kind, asRule(rules[kind])];
}

function brokenNumber(rule: Rule, value: number | bigint): string | undefined {
  // oxlint-disable-next-line eqeqeq -- a 64-bit rule is a bigint, the value often a number.
  if (rule["ignore_empty"] === true && value == 0) return undefined;
  return brokenBound(rule, value, (bound) => bound as number | bigint, String);
}

function brokenDuration(rule: Rule, value: SingleValue): string | undefined {
  if (!(value instanceof DurationValue)) return undefined;
  const nanos = durationNanos(value.seconds, value.nanos);
  const toNanos = (bound: unknown): bigint => {
    const duration = asRule(bound as Rule);
    return durationNanos(Number(duration["seconds"] ?? 0), Number(duration["nanos"] ?? 0));
  };
  return brokenBound(rule, nanos, toNanos, (bound) => durationText(BigInt(bound)));
}

function brokenEnum(field: DescField, rule: Rule, value: SingleValue): string | undefined {
  const description = field.enum;
  if (description === undefined) return undefined;
  if (rule["defined_only"] === true && typeof value === "number") {
    return "value must be one of the defined enum values";
  }
  const number =
    typeof value === "number"
      ? value
      : description.values.find((known) => known.name === value)?.number;
  if (number === undefined) return undefined;
  if ("const" in rule && rule["const"] !== number)
    return `value must equal ${String(rule["const"] as number)}`;
  const list = (name: string): number[] => (rule[name] as number[] | undefined) ?? [];
  if (list("in").length > 0 && !list("in").includes(number)) {
    return `value must be in list [${list("in").join(" ")}]`;
  }
  return list("not_in").includes(number)
    ? `value must not be in list [${list("not_in").join(" ")}]`
    : undefined;
}

function brokenAny(rule: Rule, value: SingleValue): string | undefined {
  const typeUrl = value instanceof MessageValue ? (value.typeUrl ?? "") : "";
  const list = (name: string): string[] => (rule[name] as string[] | undefined) ?? [];
  if (list("in").length > 0 && !list("in").includes(typeUrl)) {
    return `type URL must be in list [${list("in").join(" ")}]`;
  }
  return list("not_in").includes(typeUrl)
    ? `type URL must not be in list [${list("not_in").join(" ")}]`
    : undefined;
}

function countText(
  min: unknown,
  max: unknown,
  count: number,
  unit: "item(s)" | "pair(s)",
): string | undefined {
  const least = min === undefined ? undefined : Number(min);
  const most = max === undefined ? undefined : Number(max);
  if (count >= (least ?? 0) && count <= (most ?? Number.POSITIVE_INFINITY)) return undefined;
  return `value must contain ${boundsText(least, most, unit)}`;
}

function describeValue(value: SingleValue): string {
  if (typeof value === "string") return quoted(value);
  if (value instanceof MessageValue) return `a ${value.description.name}`;
  if (value instanceof JsonValue) return "a struct";
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  return String(value);
}

// Items of unique lists are scalars in Envoy's API; messages are compared by nothing but identity.
function identity(value: SingleValue): unknown {
  return value instanceof DurationValue ? String(value) : value;
}

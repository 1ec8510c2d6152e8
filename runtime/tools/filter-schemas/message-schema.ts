// JSON Schemas of Envoy's messages in the form in which filters get them: proto names, enums by name,
// wrappers as what they wrap. With the rules that Envoy checks (PGV), as far as a schema can say them.
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { asRule, type Rule, type RuledField, RuleSchema } from "../../src/config/rule-schema.ts";
import type { Schema } from "../../src/config/schema.ts";

/** A schema, or a part of one. */
export interface JsonSchema {
  readonly [name: string]: unknown;
}

const INT32: JsonSchema = { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
const UINT32: JsonSchema = { type: "integer", minimum: 0, maximum: 2 ** 32 - 1 };
const INT64: JsonSchema = { type: "string", pattern: "^-?[0-9]+$" };
const UINT64: JsonSchema = { type: "string", pattern: "^[0-9]+$" };
const FLOAT: JsonSchema = {
  anyOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity"] }],
};
const BYTES: JsonSchema = { type: "string", contentEncoding: "base64" };

const SCALARS: Readonly<Record<ScalarType, JsonSchema>> = {
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: BYTES,
  [ScalarType.FLOAT]: FLOAT,
  [ScalarType.DOUBLE]: FLOAT,
  [ScalarType.INT32]: INT32,
  [ScalarType.SINT32]: INT32,
  [ScalarType.SFIXED32]: INT32,
  [ScalarType.UINT32]: UINT32,
  [ScalarType.FIXED32]: UINT32,
  [ScalarType.INT64]: INT64,
  [ScalarType.SINT64]: INT64,
  [ScalarType.SFIXED64]: INT64,
  [ScalarType.UINT64]: UINT64,
  [ScalarType.FIXED64]: UINT64,
};

const ANY: JsonSchema = {
  type: "object",
  properties: { "@type": { type: "string" } },
  required: ["@type"],
};

const WELL_KNOWN: Readonly<Record<string, JsonSchema>> = {
  Any: ANY,
  BoolValue: { type: "boolean" },
  BytesValue: BYTES,
  DoubleValue: FLOAT,
  Duration: { type: "string", pattern: "^[0-9]+([.][0-9]+)?s$" },
  FloatValue: FLOAT,
  Int32Value: INT32,
  Int64Value: INT64,
  ListValue: { type: "array" },
  StringValue: { type: "string" },
  Struct: { type: "object" },
  Timestamp: { type: "string" },
  UInt32Value: UINT32,
  UInt64Value: UINT64,
  Value: {},
};

/** What is left out of a message, and what of it is a DataSource that was read. */
export interface Differences {
  /** Paths of fields: `a.b`, `list[].c`. */
  readonly leftOut: readonly string[];
  readonly dataSources: readonly string[];
}

const AS_IT_IS: Differences = { leftOut: [], dataSources: [] };
const READ_SOURCE: JsonSchema = {
  type: "object",
  properties: { inline_string: { type: "string" } },
  required: ["inline_string"],
  additionalProperties: false,
};

/** Collects the definitions that a schema refers to. */
export class MessageSchemas {
  readonly definitions: Record<string, JsonSchema> = {};
  readonly #schema: Schema;
  readonly #rules: RuleSchema;
  readonly #names: Map<string, string>;

  constructor(schema: Schema) {
    this.#schema = schema;
    this.#rules = new RuleSchema(schema);
    this.#names = new Map();
  }

  /** `{ $ref }` of a message by its full name. */
  reference(typeName: string, differences: Differences = AS_IT_IS): JsonSchema {
    const key = JSON.stringify([typeName, differences]);
    let name = this.#names.get(key);
    if (name === undefined) {
      const short = typeName.slice(typeName.lastIndexOf(".") + 1);
      name = short;
      for (let i = 2; Object.hasOwn(this.definitions, name); i += 1) name = short + i;
      this.#names.set(key, name);
      // The place in the order is that of the first reference.
      this.definitions[name] = {};
      this.definitions[name] = this.#object(this.#schema.requireMessage(typeName), differences);
    }
    return { $ref: `#/$defs/${name}` };
  }

  #object(message: DescMessage, differences: Differences): JsonSchema {
    const { fields, requiredOneofs } = this.#rules.rulesOf(message);
    const ruled = new Map(fields.map((one) => [one.field.name, one]));
    const kept = message.fields.filter(({ name }) => !differences.leftOut.includes(name));
    const properties = kept.map((field) => {
      const { kind = "", rule = {} } = ruled.get(field.name) ?? {};
      return [field.name, this.#field(field, { [kind]: rule }, differences)] as const;
    });
    const required = kept.filter((field) => isNeeded(field, ruled.get(field.name)));
    const isKept = (name: string): boolean => kept.some((field) => field.name === name);
    // One of the fields; that of others there may be at most one is left unsaid.
    const choices = requiredOneofs.map((oneof) =>
      oneof.fields.filter(isKept).map((name) => ({ required: [name] })),
    );
    if (choices.length > 1) throw new Error(`${message.typeName} has several oneofs`);
    return {
      type: "object",
      properties: Object.fromEntries(properties),
      required: required.map(({ name }) => name),
      additionalProperties: false,
      ...(choices[0] === undefined ? {} : { oneOf: choices[0] }),
    };
  }

  #field(field: DescField, rules: Rule, differences: Differences): JsonSchema {
    if (differences.dataSources.includes(field.name)) return READ_SOURCE;
    if (field.fieldKind === "list") {
      const { min_items, max_items, unique, items } = asRule(rules["repeated"]);
      return {
        type: "array",
        items: this.#single(field, asRule(items), within(differences, `${field.name}[]`)),
        ...(min_items === undefined ? {} : { minItems: Number(min_items) }),
        ...(max_items === undefined ? {} : { maxItems: Number(max_items) }),
        ...(unique === true ? { uniqueItems: true } : {}),
      };
    }
    if (field.fieldKind === "map") {
      return { type: "object", additionalProperties: this.#single(field, {}, AS_IT_IS) };
    }
    return this.#single(field, rules, within(differences, field.name));
  }

  #single(field: DescField, rules: Rule, differences: Differences): JsonSchema {
    if (field.message !== undefined) {
      const { typeName } = field.message;
      const known = /^google\.protobuf\.(\w+)$/.exec(typeName)?.[1];
      const wellKnown = known === undefined ? undefined : WELL_KNOWN[known];
      if (wellKnown === undefined) return this.reference(typeName, differences);
      return { ...wellKnown, ...bounds(rules) };
    }
    if (field.enum !== undefined) return enumSchema(field, asRule(rules["enum"]));
    return { ...SCALARS[field.scalar ?? ScalarType.STRING], ...bounds(rules) };
  }
}

/** Whether a rule refuses the value of a field that is not set. */
function isNeeded(field: DescField, ruled: RuledField | undefined): boolean {
  if (ruled === undefined || field.oneof !== undefined) return false;
  const { min_len, min_items, ignore_empty } = ruled.rule;
  const isWrapped = field.fieldKind === "message";
  const least = Number(min_len ?? min_items ?? 0);
  return ruled.isRequired || (least > 0 && ignore_empty !== true && !isWrapped);
}

/** What of the differences is about the inside of a field. */
function within({ leftOut }: Differences, field: string): Differences {
  const inside = leftOut.filter((path) => path.startsWith(`${field}.`));
  return { leftOut: inside.map((path) => path.slice(field.length + 1)), dataSources: [] };
}

function enumSchema(field: DescField, rule: Rule): JsonSchema {
  const refused = rule["not_in"];
  const numbers = Array.isArray(refused) ? refused.map(Number) : [];
  const values = field.enum?.values ?? [];
  return { enum: values.filter(({ number }) => !numbers.includes(number)).map(({ name }) => name) };
}

/** Of texts and numbers. */
function bounds(rules: Rule): JsonSchema {
  const text = asRule(rules["string"]);
  const number = asRule(rules["uint32"] ?? rules["int32"] ?? rules["double"] ?? rules["float"]);
  const most: JsonSchema = {
    minLength: text["min_len"],
    maxLength: text["max_len"],
    pattern: text["pattern"],
    enum: text["in"],
    minimum: number["gte"],
    exclusiveMinimum: number["gt"],
    maximum: number["lte"],
    exclusiveMaximum: number["lt"],
  };
  const said = Object.entries(most).filter(([, value]) => value !== undefined);
  const plain = said.map(([name, value]) => [
    name,
    typeof value === "bigint" ? Number(value) : value,
  ]);
  return Object.fromEntries(plain) as JsonSchema;
}

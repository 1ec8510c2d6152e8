// Writes the JSON Schema (2020-12) of what the decoder accepts, for control planes, editors and
// people. Looser than the decoder in a few things that a schema cannot say: the range of durations,
// sizes and numbers given as text, repeated names, and what an author's `validate` finds.
import { allFields, TAG } from "./config.mjs";
import { constantOf } from "./syntax.mjs";
import { BYTES_PATTERN, DURATION_PATTERN } from "./units.mjs";

/** A number as JSON writes it: Envoy makes text of fractions that a Struct has in YAML. */
const NUMBER_PATTERN = "^-?(0|[1-9][0-9]*)([.][0-9]+)?([eE][+-]?[0-9]+)?$";

/** Text of the schema of one configuration or, with several root ids, of any of theirs. */
export function schemaText(filters, configs) {
  const roots = [...new Set(filters.map(({ config }) => configs.get(config)))].filter(Boolean);
  if (roots.length === 0) return null;
  const definitions = new Definitions();
  const references = roots.map((model) => definitions.reference(model));
  const titles = filters.map(({ rootId, declaration }) => rootId || declaration.name.text);
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: [...new Set(titles)].join(", "),
    ...(references.length === 1 ? references[0] : { anyOf: references }),
    $defs: definitions.finish(),
  };
  return `${toJson(schema)}\n`;
}

class Definitions {
  #names = new Map();
  #schemas = {};

  /** `{ $ref }` of a class, which is defined when it is met for the first time. */
  reference(model) {
    let name = this.#names.get(model);
    if (name === undefined) {
      name = model.name;
      // Two files may each have a class of that name.
      for (let i = 2; Object.hasOwn(this.#schemas, name); i += 1) name = model.name + i;
      this.#names.set(model, name);
      this.#schemas[name] = null;
      this.#schemas[name] = model.isAbstract ? this.#anyVariant(model) : this.#object(model);
    }
    return { $ref: `#/$defs/${name}` };
  }

  finish() {
    return this.#schemas;
  }

  #anyVariant(model) {
    return { oneOf: model.variants.map((variant) => this.reference(variant)) };
  }

  #object(model) {
    const fields = allFields(model);
    const isVariant = model.tag !== null;
    const tag = isVariant ? { [TAG]: { const: model.tag } } : {};
    const properties = fields.map((field) => [field.key, this.#member(field)]);
    const required = fields.filter(({ isRequired }) => isRequired).map(({ key }) => key);
    return {
      ...described(model.declaration),
      type: "object",
      properties: { ...tag, ...Object.fromEntries(properties) },
      required: isVariant ? [TAG, ...required] : required,
      additionalProperties: false,
    };
  }

  #member(field) {
    const { declaration, type, isRequired, isSecret } = field;
    const { initializer } = declaration;
    let initial = type.initialText;
    // One that is required has a value of its own only so that the compiler is content.
    if (initializer !== null && !isRequired && type.unit === undefined)
      initial = constantOf(initializer);
    return {
      ...this.#value(type),
      ...described(declaration),
      ...(initial === undefined || isSecret ? {} : { default: initial }),
      ...(isSecret ? { writeOnly: true } : {}),
    };
  }

  #value(type) {
    switch (type.kind) {
      case "bool":
        return { type: "boolean" };
      case "text":
        return {
          type: "string",
          ...(type.choices === null ? {} : { enum: type.choices }),
          ...(type.minLength === 0 ? {} : { minLength: type.minLength }),
          ...(type.pattern === null ? {} : { pattern: type.pattern }),
        };
      case "whole":
        return wholeSchema(type);
      case "float":
        return { anyOf: [floatSchema(type), { type: "string", pattern: NUMBER_PATTERN }] };
      case "class":
        return this.reference(type.model);
      case "array":
        return {
          type: "array",
          items: this.#value(type.element),
          ...(type.minItems === 0 ? {} : { minItems: type.minItems }),
        };
      default:
        return {
          type: "object",
          additionalProperties: this.#value(type.element),
          ...(type.minItems === 0 ? {} : { minProperties: type.minItems }),
        };
    }
  }
}

function wholeSchema({ least, most, choices, unit }) {
  if (unit === "duration") return { type: "string", pattern: DURATION_PATTERN };
  if (choices !== null) return { enum: choices };
  const number = { type: "integer", minimum: least, maximum: most };
  return unit === "bytes"
    ? { anyOf: [number, { type: "string", pattern: BYTES_PATTERN }] }
    : number;
}

function floatSchema({ least, most }) {
  return {
    type: "number",
    ...(least === null ? {} : { minimum: least }),
    ...(most === null ? {} : { maximum: most }),
  };
}

/** The comment right above a declaration and its decorators. */
function described(declaration) {
  const decorators = declaration.decorators ?? [];
  const starts = [declaration, ...decorators].map(({ range }) => range.start);
  const before = declaration.range.source.text.slice(0, Math.min(...starts));
  const [, comment] = /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*(?:export\s+)?$/.exec(before) ?? [];
  if (comment === undefined) return {};
  const description = comment.replaceAll(/\s*\n\s*\*?\s*/g, " ").trim();
  return { description };
}

/** JSON.stringify, with 64 bits of whole numbers as they are. */
function toJson(schema) {
  const text = JSON.stringify(
    schema,
    (_key, value) => (typeof value === "bigint" ? `\u0000${value}` : value),
    2,
  );
  return text.replaceAll(/"\\u0000(-?\d+)"/g, "$1");
}

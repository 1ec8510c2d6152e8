// A JSON Schema validator for the keywords that the transform writes, by the specification and not by
// the decoder: the independent opinion of schema.test.ts.

export type Schema = { readonly [keyword: string]: unknown };

/** Every keyword must be known, so that none goes unchecked. */
const KNOWN = new Set([
  "$schema",
  "$ref",
  "$defs",
  "title",
  "description",
  "default",
  "writeOnly",
  "type",
  "properties",
  "required",
  "additionalProperties",
  "items",
  "minItems",
  "maxItems",
  "minProperties",
  "minLength",
  "pattern",
  "enum",
  "const",
  "minimum",
  "maximum",
  "anyOf",
  "oneOf",
]);

export function isValid(root: Schema, value: unknown, schema: Schema = root): boolean {
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.has(keyword)) throw new Error(`unknown keyword ${keyword}`);
  }
  const sub = (one: unknown, of: unknown): boolean => isValid(root, of, one as Schema);
  const { $ref, anyOf, oneOf } = schema as { $ref?: string; anyOf?: unknown[]; oneOf?: unknown[] };
  if ($ref !== undefined && !sub(resolve(root, $ref), value)) return false;
  if (anyOf !== undefined && !anyOf.some((one) => sub(one, value))) return false;
  if (oneOf !== undefined && oneOf.filter((one) => sub(one, value)).length !== 1) return false;
  if ("const" in schema && schema["const"] !== value) return false;
  const { type } = schema as { type?: string };
  const choices = schema["enum"] as unknown[] | undefined;
  if (choices !== undefined && !choices.includes(value)) return false;
  if (type !== undefined && !isOfType(type, value)) return false;
  if (typeof value === "number") return isNumberIn(schema, value);
  if (typeof value === "string") return isTextIn(schema, value);
  if (Array.isArray(value)) {
    const {
      minItems = 0,
      maxItems = Infinity,
      items,
    } = schema as {
      minItems?: number;
      maxItems?: number;
      items?: unknown;
    };
    const isLong = value.length >= minItems && value.length <= maxItems;
    return isLong && (items === undefined || value.every((item) => sub(items, item)));
  }
  return typeof value !== "object" || value === null || isObjectIn(schema, value, sub);
}

function resolve(root: Schema, reference: string): unknown {
  let at: unknown = root;
  for (const step of reference.split("/").slice(1)) at = (at as Schema)[step];
  return at;
}

function isOfType(type: string, value: unknown): boolean {
  if (type === "integer") return Number.isInteger(value);
  if (type === "array") return Array.isArray(value);
  if (type === "object") {
    return typeof value === "object" && value !== null && !Array.isArray(value);
  }
  return typeof value === type;
}

function isNumberIn(schema: Schema, value: number): boolean {
  const { minimum = -Infinity, maximum = Infinity } = schema as {
    minimum?: number;
    maximum?: number;
  };
  return value >= minimum && value <= maximum;
}

function isTextIn(schema: Schema, value: string): boolean {
  const { minLength = 0, pattern } = schema as { minLength?: number; pattern?: string };
  if (Array.from(value).length < minLength) return false;
  return pattern === undefined || new RegExp(pattern, "u").test(value);
}

function isObjectIn(
  schema: Schema,
  value: object,
  sub: (one: unknown, of: unknown) => boolean,
): boolean {
  const {
    properties = {},
    required = [],
    additionalProperties,
    minProperties = 0,
  } = schema as {
    properties?: Schema;
    required?: readonly string[];
    additionalProperties?: unknown;
    minProperties?: number;
  };
  if (!required.every((name) => Object.hasOwn(value, name))) return false;
  if (Object.keys(value).length < minProperties) return false;
  return Object.entries(value).every(([name, member]) => {
    if (Object.hasOwn(properties, name)) return sub(properties[name], member);
    if (additionalProperties === undefined) return true;
    return additionalProperties !== false && sub(additionalProperties, member);
  });
}

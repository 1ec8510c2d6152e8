// The type of a field of a @config class, with what its decorators demand. Types are nested: an
// array of texts is { kind: "array", element: { kind: "text" } }; decorators of values go to the
// innermost.
import { constantOf, decoratorOf, Kind, textOf } from "./syntax.mjs";
import { patternProblem } from "./pattern.mjs";
import { durationMs, sizeBytes } from "./units.mjs";

const WHOLE = {
  i8: [-(2n ** 7n), 2n ** 7n - 1n],
  i16: [-(2n ** 15n), 2n ** 15n - 1n],
  i32: [-(2n ** 31n), 2n ** 31n - 1n],
  i64: [-(2n ** 63n), 2n ** 63n - 1n],
  u8: [0n, 2n ** 8n - 1n],
  u16: [0n, 2n ** 16n - 1n],
  u32: [0n, 2n ** 32n - 1n],
  u64: [0n, 2n ** 64n - 1n],
};
const FLOAT = new Set(["f32", "f64", "number"]);
const BOOL = new Set(["bool", "boolean"]);

const SUPPORTED =
  "bool, string, i8 to i64, u8 to u64, f32, f64, a @config class, and arrays and " +
  "Map<string, ...> of these";

/** The type, or null after `report.refuse`. */
export function fieldTypeOf(member, model, reading) {
  const type = typeOf(member.type, reading);
  if (type === null) return null;
  const value = innermost(type);
  for (const decorator of member.decorators ?? []) {
    const apply = DECORATORS[decorator.name.text];
    if (apply !== undefined && !apply({ decorator, member, type, value, reading })) return null;
  }
  if (value.kind === "text") value.expected = expectedText(value);
  if (value.kind === "whole" || value.kind === "float") value.expected ??= expectedNumber(value);
  return type;
}

/** What is inside of arrays and maps. */
export function innermost(type) {
  return type.kind === "array" || type.kind === "map" ? innermost(type.element) : type;
}

function typeOf(node, reading) {
  const unsupported = (why = "") => {
    reading.refuse(node, `a configuration cannot hold ${textOf(node)}${why}: use ${SUPPORTED}`);
    return null;
  };
  if (node.kind !== Kind.NamedType || node.name.next !== null) return unsupported();
  const name = node.name.identifier.text;
  const args = node.typeArguments ?? [];
  const model = reading.findModel(node);
  if (model !== undefined) {
    return { kind: "class", model, name, isNullable: node.isNullable };
  }
  if (node.isNullable) return unsupported(", only a @config class may be null");
  if (name === "string") return { kind: "text", name, minLength: 0, choices: null, pattern: null };
  if (BOOL.has(name)) return { kind: "bool", name };
  if (Object.hasOwn(WHOLE, name)) {
    const [least, most] = WHOLE[name];
    return { kind: "whole", name, least, most, choices: null };
  }
  if (FLOAT.has(name)) return { kind: "float", name, least: null, most: null };
  if (name === "Array" && args.length === 1) {
    const element = typeOf(args[0], reading);
    return element && { kind: "array", element, name: textOf(node), minItems: 0 };
  }
  if (name === "Map" && args.length === 2 && textOf(args[0]) === "string") {
    const element = typeOf(args[1], reading);
    return element && { kind: "map", element, name: textOf(node), minItems: 0 };
  }
  return unsupported();
}

/** Each answers whether it went well. */
const DECORATORS = {
  required: takeNothing,
  secret: ({ decorator, value, reading }) => {
    if (!takeNothing({ decorator, reading })) return false;
    if (value.kind !== "class") return true;
    return refuse(reading, decorator, "@secret is for values; put it on the fields of the class");
  },
  key: ({ decorator, reading }) => {
    const [name] = constants(decorator);
    if (typeof name === "string" && name !== "" && decorator.args.length === 1) return true;
    return refuse(reading, decorator, 'expected @key("name")');
  },
  minLength: ({ decorator, type, reading }) => {
    const [length, ...rest] = constants(decorator);
    const isLength = typeof length === "bigint" && length >= 0n && length < 2n ** 31n;
    if (!isLength || rest.length > 0) return refuse(reading, decorator, "expected @minLength(1)");
    if (type.kind === "text") type.minLength = Number(length);
    else if (type.kind === "array" || type.kind === "map") type.minItems = Number(length);
    else return refuse(reading, decorator, "@minLength is for strings, arrays and maps");
    return true;
  },
  range: takeRange,
  oneOf: takeChoices,
  pattern: ({ decorator, value, reading }) => {
    const [pattern, ...rest] = constants(decorator);
    if (value.kind !== "text") return refuse(reading, decorator, "@pattern is for strings");
    if (typeof pattern !== "string" || rest.length > 0) {
      return refuse(reading, decorator, 'expected @pattern("^[a-z]+$")');
    }
    const problem = patternProblem(pattern);
    if (problem !== null) return refuse(reading, decorator, problem);
    value.pattern = pattern;
    return true;
  },
  duration: (field) => takeUnit(field, "duration", durationMs, '@duration("10s")'),
  bytes: (field) => takeUnit(field, "bytes", sizeBytes, '@bytes("1MiB")'),
};

function takeNothing({ decorator, reading }) {
  if ((decorator.args ?? []).length === 0) return true;
  return refuse(reading, decorator, `@${decorator.name.text} takes nothing`);
}

function takeRange({ decorator, member, value, reading }) {
  const ends = constants(decorator).map((end) => endOf(end, value, member));
  const [least, most] = ends;
  if (value.kind !== "whole" && value.kind !== "float") {
    return refuse(reading, decorator, "@range is for numbers");
  }
  if (ends.length !== 2 || ends.includes(undefined) || least > most) {
    return refuse(reading, decorator, `expected @range(least, most), both ${value.name}`);
  }
  if (value.kind === "whole" && (least < value.least || most > value.most)) {
    return refuse(reading, decorator, `${value.name} holds ${value.least} to ${value.most} only`);
  }
  value.least = least;
  value.most = most;
  value.rangeTexts = decorator.args.map((argument) => {
    const constant = constantOf(argument);
    return typeof constant === "string" ? constant : String(constant);
  });
  return true;
}

/** An end of a range; undefined when it does not fit the type. */
function endOf(constant, value, member) {
  if (value.kind === "float") {
    return typeof constant === "bigint" || typeof constant === "number"
      ? Number(constant)
      : undefined;
  }
  if (typeof constant === "bigint") return constant;
  if (typeof constant !== "string") return undefined;
  if (decoratorOf(member, "duration") !== undefined) return durationMs(constant);
  if (decoratorOf(member, "bytes") !== undefined) return sizeBytes(constant);
  return undefined;
}

function takeChoices({ decorator, value, reading }) {
  const choices = constants(decorator);
  const isFit =
    value.kind === "text"
      ? (choice) => typeof choice === "string"
      : (choice) => typeof choice === "bigint" && choice >= value.least && choice <= value.most;
  if (value.kind !== "text" && value.kind !== "whole") {
    return refuse(reading, decorator, "@oneOf is for strings and whole numbers");
  }
  if (choices.length === 0 || !choices.every(isFit) || new Set(choices).size < choices.length) {
    return refuse(reading, decorator, `expected @oneOf of different values, each ${value.name}`);
  }
  value.choices = choices;
  return true;
}

/** @duration and @bytes: a whole number that is written with a unit. */
function takeUnit({ decorator, member, type, value, reading }, unit, read, example) {
  const [text, ...rest] = constants(decorator);
  if (value.kind !== "whole" || value.unit !== undefined) {
    return refuse(reading, decorator, `@${unit} is for whole numbers`);
  }
  value.unit = unit;
  if (value.least < 0n) value.least = 0n;
  if ((decorator.args ?? []).length === 0) return true;
  const number = typeof text === "string" && rest.length === 0 ? read(text) : undefined;
  if (number === undefined) return refuse(reading, decorator, `expected ${example}`);
  if (number > value.most) {
    return refuse(reading, decorator, `${value.name} holds ${value.most} at most`);
  }
  if (member.initializer !== null || type !== value) {
    return refuse(reading, decorator, `the default stands in one place: @${unit}, or here`);
  }
  value.initial = number;
  value.initialText = text;
  return true;
}

function constants(decorator) {
  return (decorator.args ?? []).map(constantOf);
}

function refuse(reading, node, message) {
  reading.refuse(node, message);
  return false;
}

function expectedText(value) {
  if (value.choices !== null) return `one of ${value.choices.join(", ")}`;
  const matching = value.pattern === null ? "" : ` that matches ${value.pattern}`;
  if (value.minLength > 1) return `a string of ${value.minLength} characters or more${matching}`;
  if (matching !== "") return `a string${matching}`;
  return value.minLength === 1 ? "a string that is not empty" : "a string";
}

function expectedNumber(value) {
  if (value.choices?.length > 0) return `one of ${value.choices.join(", ")}`;
  const isWide = value.rangeTexts === undefined;
  const [least, most] = value.rangeTexts ?? [String(value.least), String(value.most)];
  if (value.unit === "duration") {
    const example = "a duration as 500ms, 1.5s, 2m or 1h";
    return isWide
      ? example
      : `${example}, from ${withUnit(least, "ms")} to ${withUnit(most, "ms")}`;
  }
  if (value.unit === "bytes") {
    const example = "a number of bytes or a size as 64KiB or 1MiB";
    return isWide ? example : `${example}, from ${withUnit(least, "")} to ${withUnit(most, "")}`;
  }
  if (value.kind === "float") return isWide ? "a number" : `a number from ${least} to ${most}`;
  return `a whole number from ${least} to ${most}`;
}

function withUnit(text, unit) {
  return /^\d+$/.test(text) ? text + unit : text;
}

// Writes the methods that read a @config class from a document. They are put into the author's
// class, and call assembly/config-reader.ts under a name that no author uses.
import { TAG } from "./config.mjs";
import { literalOf } from "./pattern.mjs";

/** The module of the SDK that the written code calls, as it is imported into the author's file. */
export const READER = "__headgate_reader";
/** Reads the object at a node into `this`; answers whether it is an object. */
export const READ = "__headgate_read";
/** Makes the variant that an object's tag names; null, with an error, when there is none. */
const MAKE = "__headgate_make";

/** Text of the members that a @config class gets. */
export function readingOf(model) {
  const body = model.fields.map((field) => readField(field));
  const isEmpty = model.fields.length === 0;
  const inherited = model.base === null ? `${READER}.object(object)` : `super.${READ}(object)`;
  return `
  ${READ}(object: u32): bool {
    ${model.hasValidate ? `const before = ${READER}.errors();` : ""}
    if (!${inherited}) return false;
    ${isEmpty ? "" : "let at: u32 = 0;"}
    ${model.base === null && model.tag !== null ? `${READER}.member(object, "${TAG}", true);` : ""}
    ${body.join("")}
    ${model.hasValidate ? `if (${READER}.errors() == before) ${READER}.check(object, this.validate());` : ""}
    return true;
  }
  ${model.isAbstract ? makingOf(model) : ""}`;
}

/** Initialisers that fields without one get: a required one has no use for a default. */
export function initialOf({ type, isRequired }) {
  if (type.initial !== undefined) return String(type.initial);
  if (!isRequired) return undefined;
  if (type.kind === "text") return '""';
  if (type.kind === "array") return "[]";
  if (type.kind === "map") return `new ${type.name}()`;
  if (type.kind === "class" && type.isNullable) return "null";
  return type.kind === "class" && !type.model.isAbstract ? `new ${type.name}()` : undefined;
}

/** Tags are told apart by the abstract class, which has its variants in the same file. */
function makingOf(model) {
  const tags = model.variants.map((variant) => variant.tag);
  const cases = model.variants.map(
    (variant, index) => `case ${index}: return new ${variant.name}();`,
  );
  const expected = `one of ${tags.join(", ")}`;
  return `
  static ${MAKE}(object: u32): ${model.name} | null {
    if (!${READER}.isObject(object)) return null;
    const tag = ${READER}.member(object, "${TAG}", true);
    if (tag == 0) return null;
    switch (${READER}.indexOf(tag, ${JSON.stringify(tags)}, ${quote(expected)})) {
      ${cases.join("\n      ")}
    }
    return null;
  }`;
}

function readField(field) {
  const { key, isRequired, isSecret, type, name } = field;
  const found = `${READER}.member(object, ${quote(key)}, ${isRequired})`;
  return `
    at = ${isSecret ? `${READER}.hide(${found})` : found};
    if (at != 0) {${readInto(type, "at", `this.${name}`, 0)}
    }`;
}

/** Statements that read the value at `node` and assign it to `target`. */
function readInto(type, node, target, depth) {
  if (type.kind === "array") return readArray(type, node, target, depth);
  if (type.kind === "map") return readMap(type, node, target, depth);
  if (type.kind === "class") {
    return readObject(type, node, depth, (made) => `${target} = ${made};`);
  }
  return `
      ${target} = ${valueOf(type, node, target)};`;
}

function readArray(type, node, target, depth) {
  const item = `item${depth}`;
  const list = `list${depth}`;
  return `
      const ${list}: ${type.name} = [];
      let ${item}: u32 = ${READER}.firstElement(${node});
      while (${item} != 0) {${readElement(type, item, depth, (value) => `${list}.push(${value});`)}
        ${item} = ${READER}.next(${item}, ${node});
      }
      ${target} = ${list};${atLeast(type, node, `${list}.length`, "an array")}`;
}

function readMap(type, node, target, depth) {
  const name = `name${depth}`;
  const map = `map${depth}`;
  const put = (value) => `${map}.set(${READER}.nameOf(${name}), ${value});`;
  return `
      const ${map} = new ${type.name}();
      let ${name}: u32 = ${READER}.firstName(${node});
      while (${name} != 0) {${readElement(type, `${name} + 1`, depth, put)}
        ${name} = ${READER}.next(${name} + 1, ${node});
      }
      ${target} = ${map};${atLeast(type, node, `${map}.size`, "an object")}`;
}

/** What is inside of an array or a map; one that is wrong is an error, whatever is put there. */
function readElement(type, node, depth, put) {
  const { element } = type;
  if (element.kind === "class") return readObject(element, node, depth + 1, put);
  if (element.kind !== "array" && element.kind !== "map") {
    return `
        ${put(valueOf(element, node, zeroOf(element)))}`;
  }
  const inner = `inner${depth}`;
  const empty = element.kind === "array" ? "[]" : `new ${element.name}()`;
  return `
      let ${inner}: ${element.name} = ${empty};${readInto(element, node, inner, depth + 1)}
      ${put(inner)}`;
}

function readObject(type, node, depth, put) {
  const made = `made${depth}`;
  if (!type.model.isAbstract) {
    return `
      const ${made} = new ${type.name}();
      ${made}.${READ}(${node});
      ${put(made)}`;
  }
  return `
      const ${made} = ${type.name}.${MAKE}(${node});
      if (${made} !== null) {
        ${made}.${READ}(${node});
        ${put(made)}
      }`;
}

function atLeast(type, node, count, what) {
  if (type.minItems === 0) return "";
  const expected =
    type.minItems === 1 ? `${what} that is not empty` : `${what} of ${type.minItems} or more`;
  return `
      ${READER}.atLeast(${node}, ${count}, ${type.minItems}, ${quote(expected)});`;
}

/** The expression for a value without anything inside. */
function valueOf(type, node, fallback) {
  const expected = quote(type.expected ?? "");
  switch (type.kind) {
    case "bool":
      return `${READER}.flag(${node}, ${fallback})`;
    case "text":
      return textValue(type, node, fallback, expected);
    case "float": {
      const least = type.least ?? "-Infinity";
      const most = type.most ?? "Infinity";
      const read = `${READER}.number(${node}, ${fallback}, ${least}, ${most}, ${expected})`;
      return type.name === "f32" ? `<f32>${read}` : read;
    }
    default:
      return `<${type.name}>${wholeValue(type, node, fallback, expected)}`;
  }
}

function textValue(type, node, fallback, expected) {
  if (type.choices !== null) {
    return `${READER}.choice(${node}, ${fallback}, ${JSON.stringify(type.choices)}, ${expected})`;
  }
  const literal = type.pattern === null ? null : literalOf(type.pattern);
  if (literal !== null) {
    const { text, isStart, isEnd } = literal;
    const ends = `${type.minLength}, ${quote(text)}, ${isStart}, ${isEnd}, ${expected}`;
    return `${READER}.literal(${node}, ${fallback}, ${ends})`;
  }
  if (type.pattern !== null) {
    const ends = `${type.minLength}, ${quote(type.pattern)}, ${expected}`;
    return `${READER}.matching(${node}, ${fallback}, ${ends})`;
  }
  if (type.minLength > 0) {
    return `${READER}.longText(${node}, ${fallback}, ${type.minLength}, ${expected})`;
  }
  return `${READER}.text(${node}, ${fallback})`;
}

function wholeValue(type, node, fallback, expected) {
  if (type.choices !== null) {
    const choices = `[${type.choices.map(wholeText).join(", ")}]`;
    return `${READER}.wholeChoice(${node}, ${fallback}, ${choices}, ${expected})`;
  }
  const ends = `${wholeText(type.least)}, ${wholeText(type.most)}, ${expected}`;
  if (type.unit !== undefined) return `${READER}.${type.unit}(${node}, ${fallback}, ${ends})`;
  const read = type.name === "u64" ? "unsigned" : "whole";
  return `${READER}.${read}(${node}, ${fallback}, ${ends})`;
}

/** asc reads -9223372036854775808 as minus something that does not fit. */
function wholeText(number) {
  return number === -(2n ** 63n) ? "i64.MIN_VALUE" : String(number);
}

/** What a wrong element reads as. */
function zeroOf(type) {
  if (type.kind === "text") return '""';
  return type.kind === "bool" ? "false" : "0";
}

/** Text as AssemblyScript writes it: JSON's escapes are among its own. */
function quote(text) {
  return JSON.stringify(text);
}

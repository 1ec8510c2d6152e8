// How an unquoted YAML scalar is read: as Envoy reads it, which is yaml-cpp's YAML 1.1 with its own
// idea of numbers. Called by both YAML readers, so that they cannot differ.

/**
 * A document as plain data, before any schema is known. Maps keep the order of the text. Floats and
 * integers beyond 32 bits stay text in YAML, as in Envoy: the field's type decides what they mean.
 */
export type RawValue = null | boolean | number | string | readonly RawValue[] | RawMap;
export type RawMap = ReadonlyMap<string, RawValue>;

/** What decides the meaning of an unquoted scalar. */
export type Dialect = "yaml" | "json";

const nullWords: ReadonlySet<string> = new Set(["", "~", "null", "Null", "NULL"]);
const trueWords: ReadonlySet<string> = new Set(flexibleCase(["y", "yes", "true", "on"]));
const falseWords: ReadonlySet<string> = new Set(flexibleCase(["n", "no", "false", "off"]));
const integerForm = /^[-+]?(?:0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*)$/;
const jsonNumberForm = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$/;
const int32Min = -2147483648n;
const int32Max = 2147483647n;
const int64Min = -(1n << 63n);
const int64Max = (1n << 63n) - 1n;

/** Meaning of a plain (unquoted, untagged) scalar. */
export function readPlainScalar(text: string, dialect: Dialect): RawValue {
  if (dialect === "json") return readJsonScalar(text);
  if (nullWords.has(text)) return null;
  if (trueWords.has(text)) return true;
  if (falseWords.has(text)) return false;
  const first = text.charCodeAt(0);
  // Only a digit or a sign can open a number: most scalars are words.
  if ((first < 0x30 || first > 0x39) && first !== 0x2d && first !== 0x2b) return text;
  return integerForm.test(text) ? readInteger(text) : text;
}

// An integer of the text 0x10 is 16 and of 010 is 8. Beyond 32 bits it becomes decimal text, beyond
// 64 bits it was never a number.
function readInteger(text: string): number | string {
  const isNegative = text.startsWith("-");
  const digits = isNegative || text.startsWith("+") ? text.slice(1) : text;
  const isOctal = digits.length > 1 && digits.startsWith("0") && /^[0-7]+$/.test(digits);
  const size = BigInt(isOctal ? `0o${digits}` : digits);
  const value = isNegative ? -size : size;
  if (value < int64Min || value > int64Max) return text;
  return value < int32Min || value > int32Max ? value.toString() : Number(value);
}

function readJsonScalar(text: string): RawValue {
  if (text === "null" || text === "") return null;
  if (text === "true") return true;
  if (text === "false") return false;
  if (!jsonNumberForm.test(text)) return text;
  const value = Number(text);
  // A 64-bit integer would lose digits as a double; as text the field reads all of them.
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? text : value;
}

// yaml-cpp takes a word in lower case, in capitals, or with a capital first letter.
function flexibleCase(words: readonly string[]): string[] {
  const forms: string[] = [];
  for (const word of words) {
    forms.push(word, word.toUpperCase(), word.slice(0, 1).toUpperCase() + word.slice(1));
  }
  return forms;
}

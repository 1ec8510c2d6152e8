// Reads one scalar of a schema's type out of raw YAML or JSON data, with the leniencies that Envoy
// has (tried on 1.40); called by the walker for fields, list items, map keys and wrappers.
import { ScalarType } from "@bufbuild/protobuf";
import type { RawValue } from "./yaml-scalars.ts";

export type ScalarValue = string | number | bigint | boolean | Uint8Array;

interface IntegerKind {
  readonly words: string;
  readonly min: bigint;
  readonly max: bigint;
}

const int32: IntegerKind = { words: "an int32", min: -(1n << 31n), max: (1n << 31n) - 1n };
const uint32: IntegerKind = { words: "a uint32", min: 0n, max: (1n << 32n) - 1n };
const int64: IntegerKind = { words: "an int64", min: -(1n << 63n), max: (1n << 63n) - 1n };
const uint64: IntegerKind = { words: "a uint64", min: 0n, max: (1n << 64n) - 1n };

const integerKinds: ReadonlyMap<ScalarType, IntegerKind> = new Map([
  [ScalarType.INT32, int32],
  [ScalarType.SINT32, int32],
  [ScalarType.SFIXED32, int32],
  [ScalarType.UINT32, uint32],
  [ScalarType.FIXED32, uint32],
  [ScalarType.INT64, int64],
  [ScalarType.SINT64, int64],
  [ScalarType.SFIXED64, int64],
  [ScalarType.UINT64, uint64],
  [ScalarType.FIXED64, uint64],
]);

const trueTexts: ReadonlySet<string> = new Set(["true", "t", "yes", "y", "1"]);
const falseTexts: ReadonlySet<string> = new Set(["false", "f", "no", "n", "0"]);
const doubleForm = /^-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/;
const floatMax = 3.4028234663852886e38;

/** The value, or undefined when the raw one does not fit; expectedScalar() says what would. */
export function readScalar(type: ScalarType, raw: RawValue): ScalarValue | undefined {
  if (type === ScalarType.STRING) return typeof raw === "string" ? raw : undefined;
  if (type === ScalarType.BOOL) return readBool(raw);
  if (type === ScalarType.BYTES) return typeof raw === "string" ? readBase64(raw) : undefined;
  const kind = integerKinds.get(type);
  if (kind !== undefined) return readInteger(kind, raw);
  const value = readDouble(raw);
  if (value === undefined || type !== ScalarType.FLOAT) return value;
  return Number.isFinite(value) && Math.abs(value) > floatMax ? undefined : value;
}

/** What a field of this type takes, in words. */
export function expectedScalar(type: ScalarType, raw: RawValue): string {
  if (type === ScalarType.STRING) {
    if (typeof raw === "number") return "a string (put it in quotes)";
    if (typeof raw !== "boolean") return "a string";
    return "a string (put it in quotes: bare y, n, yes, no, on and off are booleans)";
  }
  if (type === ScalarType.BOOL) return "true or false";
  if (type === ScalarType.BYTES) return "bytes in base64";
  const kind = integerKinds.get(type);
  if (kind !== undefined) return `${kind.words} (${kind.min} to ${kind.max})`;
  return "a number";
}

/** What a field of this type holds when it is not set. */
export function defaultScalar(type: ScalarType): ScalarValue {
  if (type === ScalarType.STRING) return "";
  if (type === ScalarType.BOOL) return false;
  if (type === ScalarType.BYTES) return new Uint8Array(0);
  return 0;
}

function readBool(raw: RawValue): boolean | undefined {
  if (typeof raw === "boolean") return raw;
  if (typeof raw !== "string") return undefined;
  const text = raw.toLowerCase();
  if (trueTexts.has(text)) return true;
  return falseTexts.has(text) ? false : undefined;
}

function readInteger(kind: IntegerKind, raw: RawValue): number | bigint | undefined {
  let value: bigint;
  if (typeof raw === "number") {
    if (!Number.isInteger(raw)) return undefined;
    value = BigInt(raw);
  } else if (typeof raw !== "string") return undefined;
  else if (/^-?[0-9]{1,20}$/.test(raw) || /^0[xX][0-9a-fA-F]{1,16}$/.test(raw)) value = BigInt(raw);
  else {
    // 1.0 and 1e3 are integers too, in protobuf's JSON.
    const number = doubleForm.test(raw) ? Number(raw) : Number.NaN;
    if (!Number.isSafeInteger(number)) return undefined;
    value = BigInt(number);
  }
  if (value < kind.min || value > kind.max) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

function readDouble(raw: RawValue): number | undefined {
  if (typeof raw === "number") return raw;
  if (typeof raw !== "string") return undefined;
  if (raw === "NaN") return Number.NaN;
  if (raw === "Infinity") return Number.POSITIVE_INFINITY;
  if (raw === "-Infinity") return Number.NEGATIVE_INFINITY;
  if (!doubleForm.test(raw)) return undefined;
  const value = Number(raw);
  return Number.isFinite(value) ? value : undefined;
}

// Both alphabets are allowed, with or without padding; Buffer alone would skip what it does not
// know.
function readBase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/={1,2}$/, "");
  if (!/^[A-Za-z0-9+/_-]*$/.test(digits) || digits.length % 4 === 1) return undefined;
  return new Uint8Array(Buffer.from(digits, "base64"));
}

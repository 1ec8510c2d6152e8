// Reads protobuf's well-known types that have a form of their own in JSON: Duration, Timestamp,
// FieldMask, Struct, Value, ListValue and the wrappers. Called by the walker.
import { ScalarType } from "@bufbuild/protobuf";
import { DurationValue, type Json, JsonValue, type SingleValue } from "./message-value.ts";
import { isRawList, isRawMap } from "./raw-words.ts";
import { expectedScalar, readScalar } from "./scalar-reader.ts";
import type { RawValue } from "./yaml-scalars.ts";

/** Protobuf's limit for a Duration: 10,000 years. */
const durationSecondsMax = 315_576_000_000;
const timestampForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[-+]\d\d:\d\d)$/;

interface WellKnownType {
  /** The value, or undefined when the raw one does not fit. */
  readonly read: (raw: RawValue) => SingleValue | undefined;
  readonly expected: (raw: RawValue) => string;
}

const wellKnownTypes: ReadonlyMap<string, WellKnownType> = new Map<string, WellKnownType>([
  ["google.protobuf.Duration", { read: readDuration, expected: expectedDuration }],
  ["google.protobuf.Timestamp", { read: readTimestamp, expected: expectedTimestamp }],
  ["google.protobuf.FieldMask", { read: readFieldMask, expected: () => "field names with commas" }],
  ["google.protobuf.Struct", { read: readStruct, expected: () => "a map" }],
  ["google.protobuf.Value", { read: readAnyJson, expected: () => "any value" }],
  ["google.protobuf.ListValue", { read: readJsonList, expected: () => "a list" }],
  ["google.protobuf.DoubleValue", wrapper(ScalarType.DOUBLE)],
  ["google.protobuf.FloatValue", wrapper(ScalarType.FLOAT)],
  ["google.protobuf.Int64Value", wrapper(ScalarType.INT64)],
  ["google.protobuf.UInt64Value", wrapper(ScalarType.UINT64)],
  ["google.protobuf.Int32Value", wrapper(ScalarType.INT32)],
  ["google.protobuf.UInt32Value", wrapper(ScalarType.UINT32)],
  ["google.protobuf.BoolValue", wrapper(ScalarType.BOOL)],
  ["google.protobuf.StringValue", wrapper(ScalarType.STRING)],
  ["google.protobuf.BytesValue", wrapper(ScalarType.BYTES)],
]);

/** How to read that message type, or undefined when it is an ordinary message (or Any). */
export function wellKnownType(typeName: string): WellKnownType | undefined {
  return wellKnownTypes.get(typeName);
}

/** Raw data as JSON, for Struct and its relatives. */
export function rawToJson(raw: RawValue): Json {
  if (isRawList(raw)) return raw.map(rawToJson);
  if (!isRawMap(raw)) return raw as Json;
  const entries: [string, Json][] = [];
  for (const [key, value] of raw) entries.push([key, rawToJson(value)]);
  return Object.fromEntries(entries);
}

function readDuration(raw: RawValue): DurationValue | undefined {
  let seconds: number;
  let nanos: number;
  if (typeof raw === "string") {
    const parts = /^([0-9]{1,12})(?:\.([0-9]{1,9}))?s$/.exec(raw);
    if (parts === null) return undefined;
    seconds = Number(parts[1]);
    nanos = Number((parts[2] ?? "").padEnd(9, "0"));
  } else {
    const parts = readSecondsAndNanos(raw);
    if (parts === undefined) return undefined;
    [seconds, nanos] = parts;
  }
  if (seconds < 0 || nanos < 0 || nanos > 999_999_999) return undefined;
  if (seconds > durationSecondsMax) return undefined;
  return new DurationValue(seconds, nanos);
}

// A unit that people write but protobuf does not know gets the right spelling for an answer.
function expectedDuration(raw: RawValue): string {
  const base = 'a duration of seconds like "1.5s"';
  if (typeof raw === "number" && raw >= 0) return `${base} (did you mean "${raw}s"?)`;
  if (typeof raw !== "string") return base;
  if (raw.startsWith("-")) return `${base}, not negative`;
  const parts = /^\s*([0-9]*\.?[0-9]+)\s*(ms|us|ns|s|m|h|d)?\s*$/.exec(raw);
  if (parts === null) return base;
  const factors = { ms: 1e-3, us: 1e-6, ns: 1e-9, s: 1, m: 60, h: 3600, d: 86_400 } as const;
  const unit = (parts[2] ?? "s") as keyof typeof factors;
  const seconds = Number((Number(parts[1]) * factors[unit]).toFixed(9));
  return seconds <= durationSecondsMax ? `${base} (did you mean "${seconds}s"?)` : base;
}

function readTimestamp(raw: RawValue): string | undefined {
  if (typeof raw === "string") {
    return timestampForm.test(raw) && !Number.isNaN(Date.parse(raw)) ? raw : undefined;
  }
  const parts = readSecondsAndNanos(raw);
  if (parts === undefined) return undefined;
  const [seconds, nanos] = parts;
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime()) || nanos < 0 || nanos > 999_999_999) return undefined;
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0")}`;
  return date.toISOString().replace(/\.\d+Z$/, `${fraction}Z`);
}

function expectedTimestamp(): string {
  return 'a time like "2026-01-02T03:04:05Z"';
}

// The legacy JSON form of Duration and Timestamp: a map of seconds and nanos.
function readSecondsAndNanos(raw: RawValue): [number, number] | undefined {
  if (!isRawMap(raw)) return undefined;
  for (const key of raw.keys()) {
    if (key !== "seconds" && key !== "nanos") return undefined;
  }
  const seconds = readScalar(ScalarType.INT64, raw.get("seconds") ?? 0);
  const nanos = readScalar(ScalarType.INT32, raw.get("nanos") ?? 0);
  return typeof seconds === "number" && typeof nanos === "number" ? [seconds, nanos] : undefined;
}

// Kept in JSON form, with the camelCase that protobuf's JSON wants.
function readFieldMask(raw: RawValue): string | undefined {
  if (typeof raw === "string") return toCamelPaths(raw.split(","));
  const paths = isRawMap(raw) ? (raw.get("paths") ?? []) : undefined;
  if (!isRawList(paths) || !paths.every((path) => typeof path === "string")) return undefined;
  return toCamelPaths(paths as readonly string[]);
}

function toCamelPaths(paths: readonly string[]): string {
  const toUpper = (_: string, letter: string): string => letter.toUpperCase();
  return paths.map((path) => path.trim().replace(/_([a-z0-9])/g, toUpper)).join(",");
}

function readStruct(raw: RawValue): JsonValue | undefined {
  return isRawMap(raw) ? new JsonValue(rawToJson(raw)) : undefined;
}

function readJsonList(raw: RawValue): JsonValue | undefined {
  return isRawList(raw) ? new JsonValue(rawToJson(raw)) : undefined;
}

function readAnyJson(raw: RawValue): JsonValue {
  return new JsonValue(rawToJson(raw));
}

// A wrapper is its bare value; Envoy also takes it as a message, `{value: 5}`.
function wrapper(type: ScalarType): WellKnownType {
  const unwrapped = (raw: RawValue): RawValue => {
    if (!isRawMap(raw) || raw.size > 1) return raw;
    return raw.size === 0 ? zeroOf(type) : (raw.get("value") ?? raw);
  };
  return {
    read: (raw) => readScalar(type, unwrapped(raw)),
    expected: (raw) => expectedScalar(type, unwrapped(raw)),
  };
}

function zeroOf(type: ScalarType): RawValue {
  if (type === ScalarType.STRING || type === ScalarType.BYTES) return "";
  return type === ScalarType.BOOL ? false : 0;
}

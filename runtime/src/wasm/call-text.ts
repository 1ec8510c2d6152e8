// Arguments and results of hostcalls and callbacks as text, by the meanings that the tables of the
// ABI give them. For call-trace.ts: nothing here changes the guest, takes its fuel, or trusts a
// pointer.
import {
  BufferType,
  decodePairsInto,
  FilterDataStatus,
  FilterHeadersStatus,
  FilterStatus,
  FilterTrailersStatus,
  GrpcStatus,
  LogLevel,
  MapType,
  MetricType,
  PairsResult,
  PeerType,
  Status,
  StreamType,
  WasiErrno,
  type EnumName,
  type Param,
} from "proxy-wasm-types";
import type { GuestMemory } from "./memory.ts";

/** As wasm hands them over; an i64 is a BigInt. */
export type CallArgument = number | bigint | undefined;

type Values = Readonly<Record<string, number>>;

/** Bytes of a value that are shown. */
const VALUE_BYTES_MAX = 256;
/** Fields of a map that are shown. */
const FIELDS_MAX = 64;

const enums: Readonly<Record<EnumName, Values>> = {
  BufferType,
  GrpcStatus,
  LogLevel,
  MapType,
  MetricType,
  PeerType,
  StreamType,
};

/** What these callbacks answer, as C++ SDKs name it. */
const answers: readonly (readonly [RegExp, Values])[] = [
  [/_(?:request|response)_headers$/, FilterHeadersStatus],
  [/_(?:request|response)_body$/, FilterDataStatus],
  [/_(?:request|response)_trailers$/, FilterTrailersStatus],
  [/_on_new_connection$|_(?:downstream|upstream)_data$/, FilterStatus],
  [/_on_vm_start$|_on_configure$|_on_done$/, { false: 0, true: 1 }],
];

/** Bytes with these names are lists of fields. */
const pairsNames: ReadonlySet<string> = new Set(["map", "headers", "trailers", "initial_metadata"]);

function nameIn(values: Values, value: number): string {
  for (const name of Object.keys(values)) if (values[name] === value) return name;
  return String(value);
}

export function statusText(status: number): string {
  return nameIn(Status, status);
}

export function errnoText(errno: number): string {
  return nameIn(WasiErrno, errno);
}

/** `callback` is its name. */
export function answerText(callback: string, answer: number): string {
  for (const [pattern, values] of answers)
    if (pattern.test(callback)) return nameIn(values, answer);
  return String(answer);
}

/** What the guest gave: "name=value, ..."; bytes and their size are one. */
export function argumentsText(
  memory: GuestMemory,
  params: readonly Param[],
  args: readonly CallArgument[],
): string {
  const texts: string[] = [];
  for (let i = 0; i < params.length; i += 1) {
    const param = params[i] as Param;
    if (param.meaning.startsWith("out-")) continue;
    const value = args[i] ?? 0;
    if (param.meaning === "pointer") {
      i += 1;
      texts.push(named(param.name, bytesText(memory, param.name, value, args[i] ?? 0)));
    } else texts.push(`${param.name}=${scalarText(param, value)}`);
  }
  return texts.join(", ");
}

/** Takes out of a text what nobody shall see. */
export type Cleaner = (text: string) => string;

const asItIs: Cleaner = (text) => text;

/** What the host wrote where the guest wanted it: ", name=value" for each. */
export function outcomeText(
  memory: GuestMemory,
  params: readonly Param[],
  args: readonly CallArgument[],
  clean: Cleaner = asItIs,
): string {
  let text = "";
  for (let i = 0; i < params.length; i += 1) {
    const param = params[i] as Param;
    const at = unsigned(args[i] ?? 0);
    const name = param.name.replace(/^return_/, "");
    if (param.meaning === "out-pointer") {
      i += 1;
      const pointer = wordAt(memory, at);
      const size = wordAt(memory, unsigned(args[i] ?? 0));
      if (pointer === null || size === null) continue;
      text += `, ${named(name, bytesText(memory, name, pointer, size, clean))}`;
    } else if (param.meaning === "out-u32") text += `, ${name}=${wordAt(memory, at) ?? "?"}`;
    else if (param.meaning === "out-u64") text += `, ${name}=${longAt(memory, at)}`;
  }
  return text;
}

/** `key_data` is shown as `key`. */
function named(name: string, text: string): string {
  return `${name.replace(/_data$/, "")}=${text}`;
}

function unsigned(value: number | bigint): number {
  return Number(value) >>> 0;
}

function scalarText(param: Param, value: number | bigint): string {
  if (param.enumName !== null) return nameIn(enums[param.enumName], Number(value));
  if (param.meaning === "boolean") return String(Number(value) !== 0);
  if (param.meaning === "struct") return `@${unsigned(value)}`;
  return typeof value === "bigint" || param.meaning === "integer"
    ? String(value)
    : String(unsigned(value));
}

function wordAt(memory: GuestMemory, pointer: number): number | null {
  return memory.contains(pointer, 4) ? memory.readU32(pointer) : null;
}

function longAt(memory: GuestMemory, pointer: number): string {
  if (!memory.contains(pointer, 8)) return "?";
  return String((BigInt(memory.readU32(pointer + 4)) << 32n) | BigInt(memory.readU32(pointer)));
}

function bytesText(
  memory: GuestMemory,
  name: string,
  pointerValue: number | bigint,
  sizeValue: number | bigint,
  clean: Cleaner = asItIs,
): string {
  const pointer = unsigned(pointerValue);
  const size = unsigned(sizeValue);
  if (!memory.contains(pointer, size))
    return `(${size} bytes at ${pointer}, outside of the memory)`;
  const plain = name.replace(/_data$/, "");
  if (pairsNames.has(plain)) {
    const fields: string[] = [];
    const result = decodePairsInto(memory.bytes, pointer, size, fields, quotedSlice);
    if (result === PairsResult.Ok) return fieldsText(fields);
  }
  const text = quotedSlice(memory.bytes, pointer, pointer + size, clean);
  return plain === "path" ? text.replaceAll(String.raw`\x00`, ".") : text;
}

function fieldsText(fields: readonly string[]): string {
  const shown: string[] = [];
  const end = Math.min(fields.length, FIELDS_MAX * 2);
  for (let i = 0; i < end; i += 2) shown.push(`${fields[i]}: ${fields[i + 1]}`);
  const left = fields.length / 2 - shown.length;
  return `[${shown.join(", ")}]${left > 0 ? ` and ${left} more` : ""}`;
}

/** latin1 in quotes; what is not ASCII as \xNN, so that no value makes a line of its own. */
function quotedSlice(
  bytes: Uint8Array,
  start: number,
  end: number,
  clean: Cleaner = asItIs,
): string {
  const left = end - start - VALUE_BYTES_MAX;
  const shown = bytes.subarray(start, left > 0 ? start + VALUE_BYTES_MAX : end);
  const text = Buffer.from(shown.buffer, shown.byteOffset, shown.length).toString("latin1");
  const escaped = clean(text).replaceAll(/[^ -~]|["\\]/g, escapeOf);
  return `"${escaped}"${left > 0 ? ` and ${left} bytes` : ""}`;
}

function escapeOf(character: string): string {
  if (character === '"' || character === "\\") return `\\${character}`;
  return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

// JSON formats: a tree whose texts hold %COMMANDS%, compiled to something that writes itself.
import type { JsonValue } from "./format-config.ts";
import { type FormatContext, type FormatValue, JsonText } from "./format-context.ts";
import { toLatin1 } from "./latin1.ts";
import { parsePieces } from "./parse-format.ts";
import type { FormatError } from "./parse-format.ts";

export interface JsonFormatOptions {
  /** For %HOSTNAME%. */
  readonly hostname: string;
  /** Leave out what has no value instead of writing null. */
  readonly omitEmptyValues: boolean;
}

/** A JSON value as latin1 text; null = leave it out (omit_empty_values). */
type JsonNode = (context: FormatContext) => string | null;

/** Compiles a tree, or says what is wrong. Each line ends with a line feed. */
export function compileJsonFormat(
  tree: JsonValue,
  options: JsonFormatOptions,
): ((context: FormatContext) => string) | FormatError {
  const node = compileJson(tree, options);
  if (typeof node !== "function") return node;
  return (context) => `${node(context) ?? "{}"}\n`;
}

function compileJson(value: JsonValue, options: JsonFormatOptions): JsonNode | FormatError {
  if (typeof value === "string") return compileJsonText(toLatin1(value), options);
  if (Array.isArray(value)) return compileJsonArray(value as readonly JsonValue[], options);
  if (typeof value === "object" && value !== null) {
    return compileJsonObject(value as Readonly<Record<string, JsonValue>>, options);
  }
  const text = JSON.stringify(value);
  return value === null && options.omitEmptyValues ? () => null : () => text;
}

/** A text that is one command keeps the value's type; others become strings. */
function compileJsonText(text: string, options: JsonFormatOptions): JsonNode | FormatError {
  const pieces = parsePieces(text, options.hostname);
  if (!Array.isArray(pieces)) return pieces;
  const only = pieces[0];
  if (pieces.length === 1 && typeof only === "function") {
    return (context) => {
      const value = only(context);
      return value === null && options.omitEmptyValues ? null : jsonText(value);
    };
  }
  const missing = options.omitEmptyValues ? "" : "-";
  return (context) => {
    let out = "";
    for (const piece of pieces) {
      out += typeof piece === "string" ? piece : String(piece(context) ?? missing);
    }
    return jsonText(out);
  };
}

/** Values that are left out leave no gap. */
function compileJsonArray(
  values: readonly JsonValue[],
  options: JsonFormatOptions,
): JsonNode | FormatError {
  const nodes: JsonNode[] = [];
  for (const value of values) {
    const node = compileJson(value, options);
    if (typeof node !== "function") return node;
    nodes.push(node);
  }
  return (context) => {
    let out = "";
    for (const node of nodes) {
      const text = node(context);
      if (text !== null) out += out === "" ? text : `,${text}`;
    }
    return `[${out}]`;
  };
}

/** Keys in byte order, as Envoy writes them; an object that became empty is left out itself. */
function compileJsonObject(
  value: Readonly<Record<string, JsonValue>>,
  options: JsonFormatOptions,
): JsonNode | FormatError {
  const entries: { readonly prefix: string; readonly node: JsonNode }[] = [];
  for (const key of Object.keys(value).sort(compareBytes)) {
    const node = compileJson(value[key] as JsonValue, options);
    if (typeof node !== "function") return node;
    entries.push({ prefix: `${jsonText(toLatin1(key))}:`, node });
  }
  return (context) => {
    let out = "";
    for (const { prefix, node } of entries) {
      const text = node(context);
      if (text !== null) out += out === "" ? prefix + text : `,${prefix}${text}`;
    }
    return out === "" && options.omitEmptyValues ? null : `{${out}}`;
  };
}

function compareBytes(a: string, b: string): number {
  const [x, y] = [toLatin1(a), toLatin1(b)];
  return x < y ? -1 : Number(x > y);
}

/**
 * UTF-8 stays as it came; of other bytes, and of what stands around them, the code points are
 * written.
 */
function jsonText(value: FormatValue): string {
  if (value instanceof JsonText) return value.json;
  if (typeof value !== "string") return JSON.stringify(value);
  // biome-ignore lint: the range is the point
  if (!/[\u0080-\u00ff]/.test(value)) return JSON.stringify(value);
  try {
    return toLatin1(JSON.stringify(utf8.decode(Buffer.from(value, "latin1"))));
  } catch {
    return `"${value.replace(/[^ !#-[\]-~]/g, unicodeEscape)}"`;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function unicodeEscape(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

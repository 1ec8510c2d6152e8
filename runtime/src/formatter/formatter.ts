// Compiles substitution formats (access logs, header values, local reply bodies): text with
// %COMMANDS%, or a JSON tree of such texts. Used by access-log, router and hcm; checked by config.
import type { JsonValue, SubstitutionFormatConfig } from "./format-config.ts";
import type { FormatContext, FormatOperator, FormatValue } from "./format-context.ts";
import { operators, unimplementedOperators } from "./operators.ts";

/** A compiled format. */
export type Formatter = (context: FormatContext) => string;

/** What is wrong with a format; `operator` is set when Envoy knows it and Headgate does not yet. */
export interface FormatError {
  readonly message: string;
  readonly isUnimplemented: boolean;
}

export interface FormatOptions {
  /** For %HOSTNAME%. */
  readonly hostname: string;
  /** Missing values are "" instead of "-". */
  readonly omitEmptyValues: boolean;
}

/** Envoy's default access-log line. */
export const DEFAULT_LOG_FORMAT: string =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ' +
  "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% " +
  '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"\n';

type Piece = string | FormatOperator;

/** Compiles a text format, or says what is wrong. */
export function compileText(format: string, options: FormatOptions): Formatter | FormatError {
  const pieces = parsePieces(format, options.hostname);
  if (!Array.isArray(pieces)) return pieces;
  const missing = options.omitEmptyValues ? "" : "-";
  if (pieces.every((piece) => typeof piece === "string")) {
    const text = pieces.join("");
    return () => text;
  }
  return (context) => {
    let out = "";
    for (let i = 0; i < pieces.length; i += 1) {
      const piece = pieces[i] as Piece;
      if (typeof piece === "string") out += piece;
      else {
        const value = piece(context);
        out += value === null ? missing : value;
      }
    }
    return out;
  };
}

/** Compiles a text or JSON format, or says what is wrong. JSON lines end with a line feed. */
export function compileFormat(
  config: SubstitutionFormatConfig,
  hostname: string,
): Formatter | FormatError {
  const options: FormatOptions = { hostname, omitEmptyValues: config.omitEmptyValues };
  if (config.kind === "text") return compileText(config.text, options);
  const node = compileJson(config.json, options);
  if ("message" in node) return node;
  return (context) => `${node.write(context) ?? "null"}\n`;
}

/** A JSON value that writes itself; null = leave it out (omit_empty_values). */
interface JsonNode {
  write(context: FormatContext): string | null;
}

function compileJson(value: JsonValue, options: FormatOptions): JsonNode | FormatError {
  if (typeof value === "string") return compileJsonText(value, options);
  if (Array.isArray(value)) return compileJsonArray(value as readonly JsonValue[], options);
  if (typeof value === "object" && value !== null) {
    return compileJsonObject(value as Readonly<Record<string, JsonValue>>, options);
  }
  const text = JSON.stringify(value);
  return { write: () => text };
}

/** A text that is one command keeps the value's type; others become strings. */
function compileJsonText(text: string, options: FormatOptions): JsonNode | FormatError {
  const pieces = parsePieces(text, options.hostname);
  if (!Array.isArray(pieces)) return pieces;
  const only = pieces[0];
  if (pieces.length === 1 && typeof only === "function") {
    return {
      write: (context) => {
        const value = only(context);
        return value === null && options.omitEmptyValues ? null : jsonText(value);
      },
    };
  }
  const missing = options.omitEmptyValues ? "" : "-";
  return {
    write: (context) => {
      let out = "";
      for (const piece of pieces) {
        out += typeof piece === "string" ? piece : (piece(context) ?? missing);
      }
      return jsonText(out);
    },
  };
}

function compileJsonArray(
  values: readonly JsonValue[],
  options: FormatOptions,
): JsonNode | FormatError {
  const nodes: JsonNode[] = [];
  for (const value of values) {
    const node = compileJson(value, options);
    if ("message" in node) return node;
    nodes.push(node);
  }
  return { write: (context) => `[${nodes.map((n) => n.write(context) ?? "null").join(",")}]` };
}

/** Keys in byte order, as Envoy writes them. */
function compileJsonObject(
  value: Readonly<Record<string, JsonValue>>,
  options: FormatOptions,
): JsonNode | FormatError {
  const entries: { readonly prefix: string; readonly node: JsonNode }[] = [];
  for (const key of Object.keys(value).sort()) {
    const node = compileJson(value[key] as JsonValue, options);
    if ("message" in node) return node;
    entries.push({ prefix: `${jsonText(key)}:`, node });
  }
  return {
    write: (context) => {
      let out = "";
      for (const entry of entries) {
        const text = entry.node.write(context);
        if (text === null) continue;
        out += out === "" ? entry.prefix + text : `,${entry.prefix}${text}`;
      }
      return `{${out}}`;
    },
  };
}

/** Header bytes are latin1 here: read as UTF-8 when they are, so that logs hold what was sent. */
function jsonText(value: FormatValue): string {
  if (typeof value !== "string") return JSON.stringify(value);
  // biome-ignore lint: the range is the point
  if (!/[\u0080-\u00ff]/.test(value)) return JSON.stringify(value);
  return JSON.stringify(Buffer.from(value, "latin1").toString("utf8"));
}

/** Splits into literal texts and compiled commands. */
function parsePieces(format: string, hostname: string): Piece[] | FormatError {
  const pieces: Piece[] = [];
  let literal = "";
  let at = 0;
  while (at < format.length) {
    const percent = format.indexOf("%", at);
    if (percent < 0) {
      literal += format.slice(at);
      break;
    }
    literal += format.slice(at, percent);
    if (format[percent + 1] === "%") {
      literal += "%";
      at = percent + 2;
      continue;
    }
    const command = parseCommand(format, percent, hostname);
    if ("message" in command) return command;
    if (literal !== "") pieces.push(literal);
    literal = "";
    pieces.push(command.operator);
    at = command.end;
  }
  if (literal !== "") pieces.push(literal);
  return pieces;
}

interface Command {
  readonly operator: FormatOperator;
  /** Offset after the closing "%". */
  readonly end: number;
}

const COMMAND_NAME = /[A-Z][A-Z0-9_]*/y;
const COMMAND_END = /(?::(\d+))?%/y;

function parseCommand(format: string, percent: number, hostname: string): Command | FormatError {
  COMMAND_NAME.lastIndex = percent + 1;
  const name = COMMAND_NAME.exec(format)?.[0];
  if (name === undefined) return syntaxError(format, percent);
  let at = percent + 1 + name.length;
  let args: string | null = null;
  if (format[at] === "(") {
    const close = closingParenthesis(format, at);
    if (close < 0) return syntaxError(format, percent);
    args = format.slice(at + 1, close);
    at = close + 1;
  }
  COMMAND_END.lastIndex = at;
  const tail = COMMAND_END.exec(format);
  if (tail === null) return syntaxError(format, percent);
  const operator = compileCommand(name, args, hostname);
  if (typeof operator !== "function") return operator;
  const lengthMax = tail[1] === undefined ? -1 : Number(tail[1]);
  return {
    operator: lengthMax < 0 ? operator : truncated(operator, lengthMax),
    end: at + tail[0].length,
  };
}

/** The ")" that is followed by "%" or ":digits%": arguments may hold parentheses and percents. */
function closingParenthesis(format: string, open: number): number {
  for (let i = format.indexOf(")", open); i >= 0; i = format.indexOf(")", i + 1)) {
    COMMAND_END.lastIndex = i + 1;
    if (COMMAND_END.test(format)) return i;
  }
  return -1;
}

function compileCommand(
  name: string,
  args: string | null,
  hostname: string,
): FormatOperator | FormatError {
  if (name === "HOSTNAME") return () => hostname;
  const factory = operators.get(name);
  if (factory === undefined) {
    const known = unimplementedOperators.some((pattern) => pattern.test(name));
    return known
      ? {
          message: `the command %${name}% is not implemented by Headgate yet`,
          isUnimplemented: true,
        }
      : { message: `not supported field in StreamInfo: ${name}`, isUnimplemented: false };
  }
  const operator = factory(args);
  if (typeof operator === "function") return operator;
  return {
    message: `%${name}${args === null ? "" : `(${args})`}%: ${operator}`,
    isUnimplemented: false,
  };
}

function truncated(operator: FormatOperator, lengthMax: number): FormatOperator {
  return (context) => {
    const value = operator(context);
    return typeof value === "string" ? value.slice(0, lengthMax) : value;
  };
}

function syntaxError(format: string, at: number): FormatError {
  const message = `incorrect configuration: ${format}. Couldn't find valid command at position ${at}`;
  return { message, isUnimplemented: false };
}

// Splits formats into literal texts and compiled %COMMANDS%; called by the compilers of text and
// JSON.
import { type FormatOperator, JsonText } from "./format-context.ts";
import {
  NOT_IMPLEMENTED,
  operators,
  truncatableOperators,
  unimplementedOperators,
} from "./operators.ts";
import type { OperatorFactory } from "./operators.ts";

/** What is wrong with a format; `operator` is set when Envoy knows it and Headgate does not yet. */
export interface FormatError {
  readonly message: string;
  readonly isUnimplemented: boolean;
}

/** A literal text or a command. */
export type Piece = string | FormatOperator;

/** Splits into literal texts and compiled commands. */
export function parsePieces(format: string, hostname: string): Piece[] | FormatError {
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
const COMMAND_END = /(?::(\d{1,15}))?%/y;

function parseCommand(format: string, percent: number, hostname: string): Command | FormatError {
  COMMAND_NAME.lastIndex = percent + 1;
  const name = COMMAND_NAME.exec(format)?.[0];
  if (name === undefined) return syntaxError(format, percent);
  let at = percent + 1 + name.length;
  let args = "";
  if (format[at] === "(") {
    const close = closingParenthesis(format, at);
    if (close < 0) return syntaxError(format, percent);
    args = format.slice(at + 1, close);
    at = close + 1;
  }
  COMMAND_END.lastIndex = at;
  const tail = COMMAND_END.exec(format);
  if (tail === null) return syntaxError(format, percent);
  const operator = compileCommand(name, args, tail[1] !== undefined, hostname);
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
  args: string,
  hasLength: boolean,
  hostname: string,
): FormatOperator | FormatError {
  const factory = name === "HOSTNAME" ? hostnameFactory(hostname) : operators.get(name);
  if (factory === undefined) {
    if (unimplementedOperators.some((pattern) => pattern.test(name))) return notImplemented(name);
    return { message: `not supported field in StreamInfo: ${name}`, isUnimplemented: false };
  }
  if (hasLength && !truncatableOperators.has(name)) {
    return { message: `${name} does not allow length to be specified`, isUnimplemented: false };
  }
  const operator = factory(args);
  if (typeof operator === "function") return operator;
  if (operator === NOT_IMPLEMENTED) return notImplemented(args === "" ? name : `${name}(${args})`);
  return { message: `${name} ${operator}`, isUnimplemented: false };
}

function notImplemented(command: string): FormatError {
  return { message: `the command %${command}% ${NOT_IMPLEMENTED}`, isUnimplemented: true };
}

function hostnameFactory(hostname: string): OperatorFactory {
  return (args) => (args === "" ? () => hostname : "does not take any parameters or length");
}

function truncated(operator: FormatOperator, lengthMax: number): FormatOperator {
  return (context) => {
    const value = operator(context);
    if (value instanceof JsonText) return value.cut(lengthMax);
    return typeof value === "string" ? value.slice(0, lengthMax) : value;
  };
}

function syntaxError(format: string, at: number): FormatError {
  const place = `Couldn't find valid command at position ${at}`;
  return { message: `incorrect configuration: ${format}. ${place}`, isUnimplemented: false };
}

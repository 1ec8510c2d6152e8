// Compiles substitution formats (access logs, header values, local reply bodies): text with
// %COMMANDS%, or a JSON tree of such texts. Used by access-log, router and hcm; checked by config.
import type { SubstitutionFormatConfig } from "./format-config.ts";
import type { FormatContext } from "./format-context.ts";
import { compileJsonFormat } from "./json-format.ts";
import { toLatin1 } from "./latin1.ts";
import { parsePieces } from "./parse-format.ts";
import type { FormatError, Piece } from "./parse-format.ts";

export type { FormatError } from "./parse-format.ts";

/** A compiled format. What it gives is latin1 text, one character a byte. */
export type Formatter = (context: FormatContext) => string;

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

/** Compiles a text format, itself latin1 text like its values, or says what is wrong. */
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
        // String() of a text is a call that answers what it was given.
        if (typeof value === "string") out += value;
        else out += value === null ? missing : String(value);
      }
    }
    return out;
  };
}

/**
 * Compiles a text or JSON format as configuration has it, or says what is wrong. JSON lines end
 * with a line feed.
 */
export function compileFormat(
  config: SubstitutionFormatConfig,
  hostname: string,
): Formatter | FormatError {
  const options: FormatOptions = { hostname, omitEmptyValues: config.omitEmptyValues };
  if (config.kind === "text") return compileText(toLatin1(config.text), options);
  return compileJsonFormat(config.json, options);
}

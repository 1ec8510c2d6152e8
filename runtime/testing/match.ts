// What a test expects of a call: fields that must be as said, others may be anything.
import { isDeepStrictEqual } from "node:util";

/** An asymmetric matcher of vitest, such as expect.stringContaining("x"). */
export interface Asymmetric {
  asymmetricMatch(found: unknown): boolean;
  toString(): string;
}

/** Equal, matching, or answered with true. Null = not there. */
export type TextMatch = string | RegExp | null | Asymmetric | ((found: string) => boolean);

export function matchesText(found: string | undefined, wanted: TextMatch): boolean {
  if (wanted === null) return found === undefined;
  if (isAsymmetric(wanted)) return wanted.asymmetricMatch(found);
  if (found === undefined) return false;
  if (typeof wanted === "string") return found === wanted;
  return wanted instanceof RegExp ? wanted.test(found) : wanted(found);
}

/** Text is matched as UTF-8; other values as JSON. */
export type BodyMatch = TextMatch | Uint8Array | { readonly json: unknown };

export function matchesBody(found: Buffer, wanted: BodyMatch): boolean {
  if (wanted instanceof Uint8Array) return found.equals(wanted);
  if (typeof wanted === "object" && wanted !== null && "json" in wanted) {
    try {
      const value: unknown = JSON.parse(found.toString());
      const { json } = wanted;
      return isAsymmetric(json) ? json.asymmetricMatch(value) : isDeepStrictEqual(value, json);
    } catch {
      return false;
    }
  }
  return matchesText(found.toString(), wanted);
}

export function isAsymmetric(value: unknown): value is Asymmetric {
  return typeof value === "object" && value !== null && "asymmetricMatch" in value;
}

/** As it stands in a failure's text. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (typeof value === "function") return "what a function accepts";
  if (value instanceof RegExp || isAsymmetric(value)) return String(value);
  return JSON.stringify(value);
}

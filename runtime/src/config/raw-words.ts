// Puts raw YAML or JSON values into the words of a problem; called by everything that reads them.
import type { RawValue } from "./yaml-scalars.ts";

const textMax = 60;

/** `"abc"`, `5`, `true`, `null`, `a list`, `a map`; long texts are cut. */
export function describeRaw(raw: RawValue): string {
  if (raw === null) return "null";
  if (typeof raw === "string") return quoted(raw);
  if (typeof raw === "object") return Array.isArray(raw) ? "a list" : "a map";
  return String(raw);
}

/** A text in double quotes, control characters escaped, cut after 60 characters. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > textMax ? `${text.slice(0, textMax)}...` : text);
}

export function isRawMap(raw: RawValue | undefined): raw is ReadonlyMap<string, RawValue> {
  return raw instanceof Map;
}

export function isRawList(raw: RawValue | undefined): raw is readonly RawValue[] {
  return Array.isArray(raw);
}

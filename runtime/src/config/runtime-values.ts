// Runtime values from JSON and from text, with Envoy's leniency: what is neither number nor
// fraction is a value all the same, and questions about it get their defaults.
import type { RuntimeValue } from "../core/runtime.ts";
import type { Json, JsonObject } from "./message-value.ts";
import { readYamlFast } from "./yaml-fast.ts";

const DENOMINATORS: Readonly<Record<string, number>> = {
  HUNDRED: 100,
  TEN_THOUSAND: 10_000,
  MILLION: 1_000_000,
};

/** A Struct whose fields are those of a FractionalPercent is one value, not a group of keys. */
export function isFraction(fields: JsonObject): boolean {
  return "numerator" in fields || "denominator" in fields;
}

/** A scalar or a fraction of a static layer. */
export function runtimeValue(json: Json): RuntimeValue {
  if (typeof json === "number") return { text: String(json), number: json, ppm: null };
  if (typeof json === "object" && json !== null && !Array.isArray(json)) {
    const fields = json as JsonObject;
    return { text: structText(fields), number: null, ppm: fractionOf(fields) };
  }
  const text = String(json);
  return { text, number: typeof json === "string" ? numberOf(text) : null, ppm: null };
}

/** What /runtime_modify was given: a number, or a fraction in YAML or JSON. */
export function runtimeValueOfText(text: string): RuntimeValue {
  const number = numberOf(text.replace(/\s#.*$/, ""));
  const map = number === null ? readYamlFast(text, "yaml") : null;
  if (!(map instanceof Map)) return { text, number, ppm: null };
  const fields = Object.fromEntries(map) as JsonObject;
  return { text, number, ppm: isFraction(fields) ? fractionOf(fields) : null };
}

/** Decimal or hexadecimal, with a sign and blanks around it; null for other text. */
function numberOf(text: string): number | null {
  const plain = text.trim().replace(/^\+/, "");
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(plain) && !/^0x[\da-f]+$/i.test(plain))
    return null;
  const number = Number(plain);
  return Number.isFinite(number) ? number : null;
}

/** Parts of a million, at most all of them; null when a field is odd, so that defaults hold. */
function fractionOf(fields: JsonObject): number | null {
  const { numerator = 0, denominator = "HUNDRED", ...rest } = fields;
  if (Object.keys(rest).length > 0 || typeof denominator !== "string") return null;
  const parts = DENOMINATORS[denominator];
  if (parts === undefined) return null;
  // As Envoy: what is no number counts as none, what is negative as all.
  const count = typeof numerator === "number" ? Math.trunc(numerator) : 0;
  return count < 0 ? 1_000_000 : Math.min(1_000_000, (count * 1_000_000) / parts);
}

/** The protobuf text of a Struct, as Envoy shows it in /runtime. */
function structText(fields: JsonObject, indent = ""): string {
  return Object.keys(fields)
    .toSorted()
    .map((key) => {
      const value = valueText(fields[key] ?? null, `${indent}    `);
      return (
        `${indent}fields {\n${indent}  key: ${JSON.stringify(key)}\n` +
        `${indent}  value {\n${value}${indent}  }\n${indent}}\n`
      );
    })
    .join("");
}

function valueText(json: Json, indent: string): string {
  if (typeof json === "number") return `${indent}number_value: ${json}\n`;
  if (typeof json === "string") return `${indent}string_value: ${JSON.stringify(json)}\n`;
  if (typeof json === "boolean") return `${indent}bool_value: ${json}\n`;
  if (json === null || Array.isArray(json)) return "";
  const fields = json as JsonObject;
  return `${indent}struct_value {\n${structText(fields, `${indent}  `)}${indent}}\n`;
}

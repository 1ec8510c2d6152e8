// Takes secrets out of configuration before it is shown: /config_dump is open to whoever reaches
// admin.
import type { JsonObject, JsonValue } from "../admin/admin-delegate.ts";
import { sensitiveFields } from "../config/sensitive-fields.ts";

const REDACTED = "[redacted]";
/** REDACTED in base64, for fields that are bytes. */
const REDACTED_BYTES = "W3JlZGFjdGVkXQ==";

/** A copy in which every text inside a sensitive field is replaced; file names are kept. */
export function redacted(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== "object" || value === null) return value;
  const copy: Record<string, JsonValue> = {};
  for (const [key, inner] of Object.entries(value as JsonObject)) {
    copy[key] = isSensitive(key, inner) ? hidden(inner, key) : redacted(inner);
  }
  return copy;
}

/** A GenericSecret has a map of secrets; the bootstrap's list of that name has messages. */
function isSensitive(key: string, value: JsonValue): boolean {
  return sensitiveFields.has(key) || (key === "secrets" && !Array.isArray(value));
}

function hidden(value: JsonValue, name: string): JsonValue {
  if (Array.isArray(value)) return value.map((item) => hidden(item, name));
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value as JsonObject);
    return Object.fromEntries(entries.map(([key, inner]) => [key, hidden(inner, key)]));
  }
  if (typeof value !== "string") return value;
  const isName = name === "filename" || name === "environment_variable";
  // A key in the place of a name is a mistake, and still a key.
  if (isName && !value.includes("-----")) return value;
  return name === "inline_bytes" ? REDACTED_BYTES : REDACTED;
}

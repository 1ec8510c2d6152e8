// PGV rules for strings and bytes, without `pattern` (it needs RE2); called by field-rules.ts.
// Envoy uses none of PGV's formats (ip, hostname, email, uri, uuid); a test fails when it does.
import { boundsText } from "./field-rule-bounds.ts";
import type { Rule } from "./rule-schema.ts";

/** PGV's KnownRegex: names and values of HTTP headers. */
const knownHeaderName = 1;
const knownHeaderValue = 2;

interface KnownRegex {
  readonly text: string;
  readonly test: RegExp;
}

// Fixed patterns without repetition inside repetition: the engine of JavaScript is safe for them.
const strictHeaderName: KnownRegex = {
  text: "^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$",
  test: /^:?[0-9a-zA-Z!#$%&'*+\-.^_|~`]+$/,
};
const strictHeaderValue: KnownRegex = {
  text: "^[^\\x00-\\b\\n-\\x1f\\x7f]*$",
  // oxlint-disable-next-line no-control-regex
  test: /^[^\x00-\x08\x0a-\x1f\x7f]*$/,
};
const looseHeader: KnownRegex = {
  text: "^[^\\x00\\n\\r]*$",
  // oxlint-disable-next-line no-control-regex
  test: /^[^\x00\n\r]*$/,
};

/** Envoy's text of the first part of the rule that the value breaks, undefined when none. */
export function brokenString(rule: Rule, value: string | Uint8Array): string | undefined {
  if (value.length === 0 && rule["ignore_empty"] === true) return undefined;
  const lengths = brokenLength(rule, value);
  if (lengths !== undefined) return lengths;
  const text = typeof value === "string" ? value : Buffer.from(value).toString("latin1");
  return brokenContent(rule, text) ?? brokenList(rule, text) ?? brokenKnownRegex(rule, text);
}

function brokenLength(rule: Rule, value: string | Uint8Array): string | undefined {
  const isText = typeof value === "string";
  const bytes = isText ? Buffer.byteLength(value) : value.length;
  if (!isText) return outside(rule, "len", "min_len", "max_len", bytes, "bytes");
  let characters = value.length;
  // A surrogate pair is one character.
  for (let at = 0; at < value.length; at += 1) {
    const code = value.charCodeAt(at);
    if (code >= 0xd800 && code <= 0xdbff) characters -= 1;
  }
  return (
    outside(rule, "len", "min_len", "max_len", characters, "characters") ??
    outside(rule, "len_bytes", "min_bytes", "max_bytes", bytes, "bytes")
  );
}

function outside(
  rule: Rule,
  exactName: string,
  minName: string,
  maxName: string,
  length: number,
  unit: string,
): string | undefined {
  const get = (name: string): number | undefined => (name in rule ? Number(rule[name]) : undefined);
  const min = get(exactName) ?? get(minName);
  const max = get(exactName) ?? get(maxName);
  if (length >= (min ?? 0) && length <= (max ?? Number.POSITIVE_INFINITY)) return undefined;
  return `value length must be ${boundsText(min, max, unit)}`;
}

function brokenContent(rule: Rule, text: string): string | undefined {
  const get = (name: string): string | undefined => {
    const part = rule[name];
    if (part instanceof Uint8Array) return Buffer.from(part).toString("latin1");
    return typeof part === "string" ? part : undefined;
  };
  const exact = get("const");
  if (exact !== undefined && text !== exact) return `value must equal "${exact}"`;
  const prefix = get("prefix");
  if (prefix !== undefined && !text.startsWith(prefix)) {
    return `value does not have prefix "${prefix}"`;
  }
  const suffix = get("suffix");
  if (suffix !== undefined && !text.endsWith(suffix)) {
    return `value does not have suffix "${suffix}"`;
  }
  const part = get("contains");
  if (part !== undefined && !text.includes(part))
    return `value does not contain substring "${part}"`;
  const refused = get("not_contains");
  return refused !== undefined && text.includes(refused)
    ? `value contains substring "${refused}"`
    : undefined;
}

function brokenList(rule: Rule, text: string): string | undefined {
  const list = (name: string): readonly string[] => (rule[name] as string[] | undefined) ?? [];
  const allowed = list("in");
  if (allowed.length > 0 && !allowed.includes(text)) {
    return `value must be in list [${allowed.join(" ")}]`;
  }
  const refused = list("not_in");
  return refused.includes(text) ? `value must not be in list [${refused.join(" ")}]` : undefined;
}

// With `strict: false` an empty text passes even as a header's name, as in Envoy.
function brokenKnownRegex(rule: Rule, text: string): string | undefined {
  const known = rule["well_known_regex"];
  if (known !== knownHeaderName && known !== knownHeaderValue) return undefined;
  const strict = known === knownHeaderName ? strictHeaderName : strictHeaderValue;
  const regex = rule["strict"] === false ? looseHeader : strict;
  return regex.test.test(text) ? undefined : `value does not match regex pattern "${regex.text}"`;
}

// Reads matchers of strings, headers and query parameters, regular expressions and CIDR ranges.
import { Regex } from "../../core/regex.ts";
import type { ConfigNode } from "../config-node.ts";
import type {
  CidrConfig,
  HeaderMatchConfig,
  QueryParameterMatchConfig,
  StringMatchConfig,
} from "../snapshot.ts";
import { guard } from "./guarded-fields.ts";
import { ipVersion } from "./ip-address.ts";
import { toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";

/** The source of a RegexMatcher; "" and a problem when RE2 refuses it. */
export function readRegex(t: Translation, node: ConfigNode | undefined): string {
  if (node === undefined) return "";
  node.accept("google_re2", "the only engine, and its programs are of another size here");
  const source = node.string("regex", "");
  const compiled = Regex.tryCompile(source);
  if (typeof compiled !== "string") return source;
  t.wrong(node, `found "${source}", expected a RE2 regular expression: ${compiled}`, "regex");
  return "";
}

/** A regular expression and what its matches are replaced by. */
export interface RegexRewrite {
  readonly regex: string;
  /** RE2's form: \0..\9 and \\ only, and no group that the expression does not have. */
  readonly substitution: string;
}

/** A RegexMatchAndSubstitute; null and a problem when it is wrong. */
export function readRegexRewrite(
  t: Translation,
  node: ConfigNode | undefined,
): RegexRewrite | null {
  if (node === undefined) return null;
  const regex = readRegex(t, node.node("pattern"));
  const substitution = node.string("substitution", "");
  const compiled = Regex.tryCompile(regex);
  if (typeof compiled === "string") return null;
  return { regex, substitution: checkedSubstitution(t, node, substitution, compiled.groupCount) };
}

/**
 * Envoy takes every substitution, and RE2 makes of a bad one what it can: a group that is not there
 * leaves each match as it is, and a bad escape ends the text.
 */
function checkedSubstitution(
  t: Translation,
  node: ConfigNode,
  text: string,
  groupCount: number,
): string {
  for (const [, group = "0"] of text.matchAll(/\\([\s\S])/g)) {
    if (!/\d/.test(group) || Number(group) <= groupCount) continue;
    const found = `found group \\${group}, expected at most \\${groupCount}`;
    t.warn(node, `${found}: the rewrite changes nothing, as in Envoy`, "substitution");
    return "\\0";
  }
  const good = /^(?:[^\\]|\\[\d\\])*/.exec(text)?.[0] ?? "";
  if (good.length < text.length) {
    const bad = text.slice(good.length, good.length + 2);
    const found = `found "${bad}", expected \\0 to \\9 or \\\\`;
    t.warn(node, `${found}: the substitution ends there, as in Envoy`, "substitution");
  }
  return good;
}

/** A StringMatcher. Without a usable pattern it matches the empty text only. */
export function readStringMatch(t: Translation, node: ConfigNode | undefined): StringMatchConfig {
  const none: StringMatchConfig = { kind: "exact", value: "", ignoreCase: false };
  if (node === undefined) return none;
  guard(t, node);
  const ignoreCase = node.bool("ignore_case", false);
  const kind = node.oneof("match_pattern");
  if (kind === "safe_regex") {
    if (ignoreCase) t.wrong(node, "ignore_case has no effect for safe_regex", "ignore_case");
    return { kind: "regex", value: readRegex(t, node.node("safe_regex")), ignoreCase: false };
  }
  if (kind === "exact" || kind === "prefix" || kind === "suffix" || kind === "contains") {
    const text = node.string(kind, "");
    return { kind, value: toLatin1(ignoreCase ? text.toLowerCase() : text), ignoreCase };
  }
  return none;
}

const legacyKinds = {
  exact_match: "exact",
  prefix_match: "prefix",
  suffix_match: "suffix",
  contains_match: "contains",
} as const;

/** A HeaderMatcher; without any specifier the header must be present. */
export function readHeaderMatch(t: Translation, node: ConfigNode): HeaderMatchConfig {
  const name = node.string("name", "").toLowerCase();
  const invert = node.bool("invert_match", false);
  const treatMissingAsEmpty = node.bool("treat_missing_header_as_empty", false);
  return { name, match: readHeaderSpecifier(t, node), invert, treatMissingAsEmpty };
}

function readHeaderSpecifier(t: Translation, node: ConfigNode): HeaderMatchConfig["match"] {
  const specifier = node.oneof("header_match_specifier");
  switch (specifier) {
    case undefined:
      return { kind: "present", present: true };
    case "present_match":
      return { kind: "present", present: node.bool("present_match", true) };
    case "range_match": {
      const range = node.node("range_match");
      return { kind: "range", start: range?.uint("start") ?? 0, end: range?.uint("end") ?? 0 };
    }
    case "string_match":
      return { kind: "string", string: readStringMatch(t, node.node("string_match")) };
    case "safe_regex_match": {
      const value = readRegex(t, node.node("safe_regex_match"));
      return { kind: "string", string: { kind: "regex", value, ignoreCase: false } };
    }
    default: {
      const kind = legacyKinds[specifier as keyof typeof legacyKinds];
      const value = toLatin1(node.string(specifier, ""));
      return { kind: "string", string: { kind, value, ignoreCase: false } };
    }
  }
}

/** A QueryParameterMatcher; without any specifier the parameter must be present. */
export function readQueryMatch(t: Translation, node: ConfigNode): QueryParameterMatchConfig {
  const name = node.string("name", "");
  const matcher = node.node("string_match");
  if (matcher !== undefined) {
    return { name, match: { kind: "string", string: readStringMatch(t, matcher) } };
  }
  return { name, match: { kind: "present", present: node.bool("present_match", true) } };
}

/** A CidrRange; bits beyond the address's length are none. Null and a problem for other text. */
export function readCidr(t: Translation, node: ConfigNode): CidrConfig | null {
  const address = node.string("address_prefix", "");
  const prefixLength = node.uint("prefix_len", 0);
  const version = ipVersion(address);
  if (version === 0) {
    if (address !== "") t.wrong(node, `malformed IP address: ${address}`, "address_prefix");
    return null;
  }
  return { address, prefixLength: Math.min(prefixLength, version === 6 ? 128 : 32) };
}

/** A FractionalPercent as parts of a million. */
export function readFractionPpm(node: ConfigNode | undefined, fallback: number): number {
  if (node === undefined) return fallback;
  return Math.min(1_000_000, (node.uint("numerator", 0) * 1_000_000) / readDenominator(node));
}

/** The denominator of a FractionalPercent, as a number. */
export function readDenominator(node: ConfigNode | undefined): number {
  const name = node?.enum("denominator") ?? "HUNDRED";
  return { HUNDRED: 100, TEN_THOUSAND: 10_000, MILLION: 1_000_000 }[name] ?? 1_000_000;
}

// Reads matchers of strings, headers and query parameters, regular expressions, data sources and CIDRs.
import { readFileSync } from "node:fs";
import { Regex } from "../../core/regex.ts";
import type { ConfigNode } from "../config-node.ts";
import type {
  CidrConfig,
  HeaderMatchConfig,
  QueryParameterMatchConfig,
  StringMatchConfig,
} from "../snapshot.ts";
import type { Translation } from "./translation.ts";

/** The source of a RegexMatcher; "" and a problem when RE2 refuses it. */
export function readRegex(t: Translation, node: ConfigNode): string {
  node.accept("google_re2", "the only engine");
  const source = node.string("regex", "");
  const compiled = Regex.tryCompile(source);
  if (typeof compiled !== "string") return source;
  t.wrong(node, `found "${source}", expected a RE2 regular expression: ${compiled}`, "regex");
  return "";
}

/** A RegexMatchAndSubstitute; null and a problem when it is wrong. */
export function readRegexRewrite(
  t: Translation,
  node: ConfigNode,
): { regex: string; substitution: string } | null {
  const pattern = node.node("pattern");
  const regex = pattern === undefined ? "" : readRegex(t, pattern);
  const substitution = node.string("substitution", "");
  const compiled = Regex.tryCompile(regex);
  if (typeof compiled === "string") return null;
  for (const [, group] of substitution.matchAll(/\\(\d)/g)) {
    if (Number(group) <= compiled.groupCount) continue;
    const most = compiled.groupCount;
    t.wrong(node, `found group \\${group}, expected at most \\${most}`, "substitution");
    return null;
  }
  return { regex, substitution };
}

export function readStringMatch(t: Translation, node: ConfigNode): StringMatchConfig {
  const ignoreCase = node.bool("ignore_case", false);
  const kind = node.oneof("match_pattern");
  if (kind === "safe_regex") {
    const regex = node.node("safe_regex");
    return {
      kind: "regex",
      value: regex === undefined ? "" : readRegex(t, regex),
      ignoreCase: false,
    };
  }
  if (kind === "exact" || kind === "prefix" || kind === "suffix" || kind === "contains") {
    return { kind, value: node.string(kind, ""), ignoreCase };
  }
  // "custom" stays unread and is reported by name.
  return { kind: "exact", value: "", ignoreCase };
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
    case "string_match": {
      const matcher = node.node("string_match") as ConfigNode;
      return { kind: "string", string: readStringMatch(t, matcher) };
    }
    case "safe_regex_match": {
      const regex = readRegex(t, node.node("safe_regex_match") as ConfigNode);
      return { kind: "string", string: { kind: "regex", value: regex, ignoreCase: false } };
    }
    default: {
      const kind = legacyKinds[specifier as keyof typeof legacyKinds];
      const value = node.string(specifier, "");
      return { kind: "string", string: { kind, value, ignoreCase: false } };
    }
  }
}

export function readQueryMatch(t: Translation, node: ConfigNode): QueryParameterMatchConfig {
  const name = node.string("name", "");
  const matcher = node.node("string_match");
  if (matcher !== undefined) {
    return { name, match: { kind: "string", string: readStringMatch(t, matcher) } };
  }
  if (node.bool("present_match", true)) return { name, match: { kind: "present" } };
  t.unsupported(node, "present_match: false", "present_match");
  return { name, match: { kind: "present" } };
}

/** Bytes of a DataSource; null and a problem when they cannot be had. */
export function readDataSource(t: Translation, node: ConfigNode): Buffer | null {
  switch (node.oneof("specifier")) {
    case "inline_string":
      return Buffer.from(node.string("inline_string", ""), "utf8");
    case "inline_bytes":
      return Buffer.from(node.bytes("inline_bytes") ?? []);
    case "filename": {
      const path = node.string("filename", "");
      try {
        return readFileSync(path);
      } catch (error) {
        t.wrong(node, `unable to read the file ${path}: ${(error as Error).message}`, "filename");
        return null;
      }
    }
    case "environment_variable": {
      const name = node.string("environment_variable", "");
      const value = process.env[name];
      if (value !== undefined) return Buffer.from(value, "utf8");
      t.wrong(node, `environment variable ${name} is not set`, "environment_variable");
      return null;
    }
    default:
      t.wrong(node, "expected one of filename, inline_bytes, inline_string, environment_variable");
      return null;
  }
}

export function readCidr(node: ConfigNode): CidrConfig {
  const address = node.string("address_prefix", "");
  const most = address.includes(":") ? 128 : 32;
  return { address, prefixLength: Math.min(node.uint("prefix_len", 0), most) };
}

/** A FractionalPercent as parts of a million. */
export function readFractionPpm(node: ConfigNode | undefined, fallback: number): number {
  if (node === undefined) return fallback;
  const factor = { HUNDRED: 10_000, TEN_THOUSAND: 100, MILLION: 1 }[node.enum("denominator")] ?? 1;
  return Math.min(1_000_000, node.uint("numerator", 0) * factor);
}

// Answers recorded from Envoy 1.40: one access log per matcher, one request per row.
import { expect, test } from "vitest";
import type { HeaderMatchConfig } from "../config/route-config.ts";
import { HeaderMap } from "../core/header-map.ts";
import { compileHeaderMatch } from "./header-matcher.ts";

const matchers: Readonly<Record<string, HeaderMatchConfig>> = {
  exact: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "a,b", ignoreCase: false } },
  },
  exact_a: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "a", ignoreCase: false } },
  },
  exact_b: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "b", ignoreCase: false } },
  },
  exact_sp: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "a, b", ignoreCase: false } },
  },
  inv_ab: {
    name: "x-d",
    invert: true,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "a,b", ignoreCase: false } },
  },
  present: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "present", present: true },
  },
  notpresent: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "present", present: false },
  },
  inv_present: {
    name: "x-d",
    invert: true,
    treatMissingAsEmpty: false,
    match: { kind: "present", present: true },
  },
  inv_notpresent: {
    name: "x-d",
    invert: true,
    treatMissingAsEmpty: false,
    match: { kind: "present", present: false },
  },
  range: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "range", start: 1, end: 10 },
  },
  inv_range: {
    name: "x-d",
    invert: true,
    treatMissingAsEmpty: false,
    match: { kind: "range", start: 1, end: 10 },
  },
  missempty: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: true,
    match: { kind: "string", string: { kind: "exact", value: "", ignoreCase: false } },
  },
  missempty_inv: {
    name: "x-d",
    invert: true,
    treatMissingAsEmpty: true,
    match: { kind: "string", string: { kind: "exact", value: "", ignoreCase: false } },
  },
  miss_inv: {
    name: "x-d",
    invert: true,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "q", ignoreCase: false } },
  },
  present_missempty: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: true,
    match: { kind: "present", present: true },
  },
  notpresent_missempty: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: true,
    match: { kind: "present", present: false },
  },
  regex: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "regex", value: "a.b", ignoreCase: false } },
  },
  regex_a: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "regex", value: "a", ignoreCase: false } },
  },
  prefix: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "prefix", value: "a", ignoreCase: false } },
  },
  prefix_ic: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "prefix", value: "A", ignoreCase: true } },
  },
  suffix_ic: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "suffix", value: "B", ignoreCase: true } },
  },
  contains_ic: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "contains", value: ",B", ignoreCase: true } },
  },
  exact_ic: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "A,B", ignoreCase: true } },
  },
  legacy_exact: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "a,b", ignoreCase: false } },
  },
  none: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "present", present: true },
  },
  method: {
    name: ":method",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "GET", ignoreCase: false } },
  },
  host: {
    name: "host",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "h", ignoreCase: false } },
  },
  authority: {
    name: ":authority",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "h", ignoreCase: false } },
  },
  path: {
    name: ":path",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "/p?q", ignoreCase: false } },
  },
  scheme: {
    name: ":scheme",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "string", string: { kind: "exact", value: "http", ignoreCase: false } },
  },
  range_missempty: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: true,
    match: { kind: "range", start: -5, end: 1 },
  },
  range_neg: {
    name: "x-d",
    invert: false,
    treatMissingAsEmpty: false,
    match: { kind: "range", start: -5, end: 1 },
  },
};

/** Values of x-d, then the matchers that Envoy found to match. */
const recorded: readonly (readonly [readonly string[], string])[] = [
  [[], "authority host inv_present method missempty notpresent path present_missempty scheme"],
  [
    ["a", "b"],
    "authority exact_a exact_b host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path prefix prefix_ic present present_missempty regex_a scheme suffix_ic",
  ],
  [
    ["a"],
    "authority exact_a host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path prefix prefix_ic present present_missempty regex_a scheme",
  ],
  [
    ["b"],
    "authority exact_b host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path present present_missempty scheme suffix_ic",
  ],
  [
    [""],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty none path present present_missempty scheme",
  ],
  [
    ["", ""],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty none path present present_missempty scheme",
  ],
  [
    ["a", ""],
    "authority exact_a host inv_ab inv_notpresent inv_range method miss_inv missempty none path prefix prefix_ic present present_missempty regex_a scheme",
  ],
  [
    ["5"],
    "authority host inv_ab inv_notpresent method miss_inv missempty_inv none path present present_missempty range scheme",
  ],
  [
    ["5", "6"],
    "authority host inv_ab inv_notpresent method miss_inv missempty_inv none path present present_missempty range scheme",
  ],
  [
    ["0"],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path present present_missempty range_missempty range_neg scheme",
  ],
  [
    ["-3"],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path present present_missempty range_missempty range_neg scheme",
  ],
  [
    ["+3"],
    "authority host inv_ab inv_notpresent method miss_inv missempty_inv none path present present_missempty range scheme",
  ],
  [
    ["5"],
    "authority host inv_ab inv_notpresent method miss_inv missempty_inv none path present present_missempty range scheme",
  ],
  [
    ["5x"],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path present present_missempty scheme",
  ],
  [
    ["10"],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path present present_missempty scheme",
  ],
  [
    ["1"],
    "authority host inv_ab inv_notpresent method miss_inv missempty_inv none path present present_missempty range scheme",
  ],
  [
    ["A"],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path prefix_ic present present_missempty scheme",
  ],
  [
    ["a,b"],
    "authority contains_ic exact exact_ic host inv_notpresent inv_range legacy_exact method miss_inv missempty_inv none path prefix prefix_ic present present_missempty regex scheme suffix_ic",
  ],
  [
    ["05"],
    "authority host inv_ab inv_notpresent method miss_inv missempty_inv none path present present_missempty range scheme",
  ],
  [
    ["5.0"],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path present present_missempty scheme",
  ],
  [
    ["0x5"],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path present present_missempty scheme",
  ],
  [
    ["99999999999999999999"],
    "authority host inv_ab inv_notpresent inv_range method miss_inv missempty_inv none path present present_missempty scheme",
  ],
];

function requestWith(values: readonly string[]): HeaderMap {
  const headers = new HeaderMap();
  headers.method = "GET";
  headers.path = "/p?q";
  headers.authority = "h";
  headers.scheme = "http";
  for (const value of values) headers.append("x-d", value);
  return headers;
}

test.each(recorded)("x-d %j matches what it matches in Envoy", (values, expected) => {
  const headers = requestWith(values);
  const matched = Object.entries(matchers)
    .filter(([, config]) => compileHeaderMatch(config).matches(headers))
    .map(([name]) => name);
  expect(matched.sort().join(" ")).toBe(expected);
});

test("bytes above 0x7f are compared as bytes, and only ASCII letters lose their case", () => {
  const config = (value: string, ignoreCase: boolean): HeaderMatchConfig => ({
    name: "x-d",
    match: { kind: "string", string: { kind: "exact", value, ignoreCase } },
    invert: false,
    treatMissingAsEmpty: false,
  });
  const headers = requestWith([Buffer.from("\u00c9A", "utf8").toString("latin1")]);
  expect(compileHeaderMatch(config("\u00c9A", false)).matches(headers)).toBe(true);
  expect(compileHeaderMatch(config("\u00c9a", true)).matches(headers)).toBe(true);
  expect(compileHeaderMatch(config("\u00e9a", true)).matches(headers)).toBe(false);
});

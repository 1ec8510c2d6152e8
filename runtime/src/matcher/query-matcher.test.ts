import { expect, test } from "vitest";
import { compileQueryMatch, queryValue } from "./query-matcher.ts";

test.each([
  ["a=1&b=2", "a", "1"],
  ["a=1&b=2", "b", "2"],
  ["a=1&a=2", "a", "1"],
  ["ab=1&a=2", "a", "2"],
  ["a", "a", ""],
  ["a=", "a", ""],
  ["a&b=2", "b", "2"],
  ["b=a=1", "a", null],
  ["b=x=y", "b", "x=y"],
  ["", "a", null],
  ["&&a=1", "a", "1"],
  ["A=1", "a", null],
])("query %j has %s = %j", (query, name, value) => {
  expect(queryValue(query, name)).toBe(value);
});

test("present asks for the name only, a string match for the value", () => {
  const present = compileQueryMatch({ name: "a", match: { kind: "present", present: true } });
  expect(present.matches("a")).toBe(true);
  expect(present.matches("b=a")).toBe(false);
  const absent = compileQueryMatch({ name: "a", match: { kind: "present", present: false } });
  expect(absent.matches("a")).toBe(false);
  expect(absent.matches("a=")).toBe(false);
  expect(absent.matches("b=a")).toBe(true);
  expect(absent.matches("")).toBe(true);
  const string = { kind: "prefix", value: "x", ignoreCase: false } as const;
  const prefix = compileQueryMatch({ name: "a", match: { kind: "string", string } });
  expect(prefix.matches("a=xy")).toBe(true);
  expect(prefix.matches("a=yx")).toBe(false);
  expect(prefix.matches("b=xy")).toBe(false);
});

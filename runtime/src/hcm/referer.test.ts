// Which Referer values Envoy 1.40 let pass.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { isValidReferer } from "./referer.ts";

test("as Envoy for some 700 values, random ones among them", () => {
  const text = readFileSync(new URL("./fixtures/referers.json", import.meta.url), "utf8");
  const pairs = JSON.parse(text) as readonly (readonly [string, boolean])[];
  expect(pairs.length).toBeGreaterThan(700);
  expect(pairs.filter(([value, expected]) => isValidReferer(value) !== expected)).toEqual([]);
});

test.each(["http://a/", "/x", "", "a/b:c", "*", "http://[::1]:80/", "//h/x", "http://h/<>"])(
  "%s stays",
  (value) => {
    expect(isValidReferer(value)).toBe(true);
  },
);

test.each(["about:blank", "http://u:p@h/", "http://a:99999/", "http:///x", "/a#b", "http://[zz]/"])(
  "%s goes",
  (value) => {
    expect(isValidReferer(value)).toBe(false);
  },
);

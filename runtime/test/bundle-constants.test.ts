// What the bundler's output becomes before it is published.
import { createRequire } from "node:module";
import { expect, test } from "vitest";
import type * as Constants from "../bundle-constants.mjs";

const require = createRequire(import.meta.url);
const { withConstants } = require("../bundle-constants.mjs") as typeof Constants;

test.each([
  ["var a=1,b=2;f(a);", "const a=1;const b=2;f(a);"],
  ["var A=class{};function f(){return A}", "const A=class{};function f(){return A}"],
  ["var a=1;a=2;", "var a=1;a=2;"],
  ["var a=1;function f(){a++}", "var a=1;function f(){a++}"],
  ["var a=1,b=2;function f(){b+=1}", "const a=1;var b=2;function f(){b+=1}"],
  ["var a;var b=1;", "var a;const b=1;"],
  ["var a=1,b=1,c=1;[a,{x:b=3,...c}]=f();", "var a=1;var b=1;var c=1;[a,{x:b=3,...c}]=f();"],
  ["var a=1;for(a of f());", "var a=1;for(a of f());"],
  ["var{a,b}=f();", "var {a,b}=f();"],
  ["const a=1;let b=2;function f(){var c=1}", "const a=1;const b=2;function f(){var c=1}"],
])("%s", (source, expected) => {
  expect(withConstants(source)).toBe(expected);
});

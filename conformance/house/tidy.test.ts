import { expect, test } from "vitest";
import { tidy } from "./tidy.ts";

test("the house is tidy", () => {
  expect(tidy(new URL("../..", import.meta.url).pathname)).toEqual([]);
});

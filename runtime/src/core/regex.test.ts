import { expect, test } from "vitest";
import { Regex } from "./regex.ts";

test("remembers few and short texts only", () => {
  const regex = Regex.compile("/a+");
  for (let i = 0; i < 1000; i += 1) {
    expect(regex.matches(`/b${i}`)).toBe(false);
    expect(regex.rememberedForTest).toBeLessThanOrEqual(128);
  }
  const before = regex.rememberedForTest;
  expect(regex.matches(`/${"a".repeat(256)}`)).toBe(true);
  expect(regex.rememberedForTest).toBe(before);
  expect(regex.matches("/aa")).toBe(true);
  expect(regex.matches("/aa")).toBe(true);
  expect(regex.rememberedForTest).toBe(before + 1);
});

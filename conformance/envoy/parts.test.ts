// The comparison with Envoy is dealt out whole.
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { CONFIG_CASES, GROUPS } from "./cases/index.ts";
import { parts } from "./differential.ts";
import { dealt, PARTS } from "./parts.ts";

test("every group, and the configuration cases, are in one part", () => {
  const ids = parts.flatMap((part) => part.map(({ id }) => id));
  expect(ids.toSorted()).toEqual([...GROUPS.map(({ id }) => id), "configurations"].toSorted());
});

test("every part has a test file, and there is no other", () => {
  const files = readdirSync(import.meta.dirname).filter((name) => name.startsWith("differential-"));
  const wanted = Array.from({ length: PARTS }, (_, at) => `differential-${at + 1}.test.ts`);
  expect(files.toSorted()).toEqual(wanted);
});

test("no part is much longer than the others", () => {
  const all = GROUPS.flatMap(({ cases }) => cases).length + CONFIG_CASES.length;
  const sizes = parts.map((part) => part.flatMap(({ cases }) => cases).length);
  expect(Math.max(...sizes)).toBeLessThan((all / PARTS) * 1.5);
});

test("what a pattern names stays together", () => {
  const all = ["a-1", "b-1", "a-2", "c-1", "d-1"].map((id) => ({ id, cases: [{ id }] }));
  const [first] = dealt(all, ["a-*", "a-2", "d-1"]).filter((part) =>
    part.some(({ id }) => id === "a-1"),
  );
  expect(first?.map(({ id }) => id)).toEqual(["a-1", "a-2"]);
});

import { expect, test } from "vitest";
import { Runtime, RuntimeFraction, RuntimeInteger } from "./runtime.ts";
import type { RuntimeLayer, RuntimeValue } from "./runtime.ts";

const number = (value: number): RuntimeValue => ({
  text: String(value),
  number: value,
  ppm: null,
});
const fraction = (ppm: number): RuntimeValue => ({ text: "f", number: null, ppm });

function layer(name: string, values: Readonly<Record<string, RuntimeValue>>): RuntimeLayer {
  return { name, kind: "static", values: new Map(Object.entries(values)) };
}

const admin: RuntimeLayer = { name: "admin", kind: "admin", values: new Map() };

/** Share of a million random values that hit. */
function ppmOf(fractionOfKey: RuntimeFraction): number {
  let hits = 0;
  for (let random = 0; random < 1_000_000; random += 1000) {
    if (fractionOfKey.isHit(random)) hits += 1000;
  }
  return hits;
}

test("the last layer that has a key counts, and the admin layer where it stands", () => {
  const runtime = new Runtime();
  runtime.setLayers([
    layer("a", { k: number(1), only: number(7) }),
    admin,
    layer("b", { k: number(3) }),
  ]);
  runtime.setOverrides(
    new Map([
      ["k", number(2)],
      ["only", number(8)],
    ]),
  );
  expect(runtime.get("k")?.number).toBe(3);
  expect(runtime.get("only")?.number).toBe(8);
  expect(runtime.layers[1]?.values.get("k")?.number).toBe(2);
  runtime.setOverrides(new Map());
  expect(runtime.get("only")?.number).toBe(7);
});

test("overrides without an admin layer have no effect", () => {
  const runtime = new Runtime();
  runtime.setOverrides(new Map([["k", number(2)]]));
  expect(runtime.get("k")).toBeUndefined();
});

test.each<[string, RuntimeValue | undefined, number]>([
  ["no value: the configuration's", undefined, 250_000],
  ["a number is a percentage", number(40), 400_000],
  ["its fraction is cut off", number(50.7), 500_000],
  ["more than 100 is all", number(1000), 1_000_000],
  ["none", number(0), 0],
  ["a negative number says nothing", number(-1), 250_000],
  ["a fraction", fraction(3000), 3000],
  ["text says nothing", { text: "true", number: null, ppm: null }, 250_000],
])("fractions: %s", (_, value, expected) => {
  const runtime = new Runtime();
  const ofKey = new RuntimeFraction(runtime, "k", 250_000);
  expect(ppmOf(ofKey)).toBe(250_000);
  runtime.setLayers([layer("a", value === undefined ? {} : { k: value })]);
  expect(ppmOf(ofKey)).toBe(expected);
  runtime.setLayers([]);
  expect(ppmOf(ofKey)).toBe(250_000);
});

test.each<[RuntimeValue, number]>([
  [number(40), 40],
  [number(0), 0],
  [number(5.9), 5],
  [number(-1), 7],
  [fraction(5), 7],
])("integers: %j", (value, expected) => {
  const runtime = new Runtime();
  const ofKey = new RuntimeInteger(runtime, "k", 7);
  expect(ofKey.value).toBe(7);
  runtime.setLayers([layer("a", { k: value, "": number(9) })]);
  expect(ofKey.value).toBe(expected);
  expect(new RuntimeInteger(runtime, "", 7).value).toBe(7);
});

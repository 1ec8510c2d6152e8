import { expect, test } from "vitest";
import type { RuntimeValue } from "../core/runtime.ts";
import { adminForTest } from "./admin-for-test.ts";

const admin = adminForTest();

test("/runtime shows each key in all layers, /runtime_modify takes query and form", async () => {
  const value = (text: string): RuntimeValue => ({ text, number: null, ppm: null });
  admin.fake.layers = [
    {
      name: "base",
      kind: "static",
      values: new Map([
        ["k", value("1")],
        ["a", value("x")],
      ]),
    },
    { name: "admin", kind: "admin", values: new Map([["k", value("2")]]) },
  ];
  expect(JSON.parse((await admin.call("GET", "/runtime")).body)).toEqual({
    entries: {
      a: { layer_values: ["x", ""], final_value: "x" },
      k: { layer_values: ["1", "2"], final_value: "2" },
    },
    layers: ["base", "admin"],
  });
  expect((await admin.call("POST", "/runtime_modify?k=%7B%20%7D&gone=")).body).toBe("OK\n");
  expect(admin.fake.calls).toEqual(['runtime [["k","{ }"],["gone",""]]']);
});

// Status and body as Envoy 1.40 answers.

import { expect, test } from "vitest";
import { refuseWasmWrite } from "./wasm-access.ts";

test.each<[string | undefined, number]>([
  [undefined, 0],
  ["127.0.0.1", 0],
  ["127.8.9.1", 0],
  ["::ffff:127.0.0.1", 0],
  ["::1", 0],
  ["::ffff:10.0.0.1", 403],
  ["10.0.127.1", 403],
  ["::2", 403],
  ["fe80::1", 403],
])("by default a change over %s is answered %i, 0 = let in", (address, status) => {
  const local = { from: "local", token: "" } as const;
  expect(refuseWasmWrite(local, address, {})?.status ?? 0).toBe(status);
  expect(refuseWasmWrite({ from: "any", token: "" }, address, {})).toBe(null);
});

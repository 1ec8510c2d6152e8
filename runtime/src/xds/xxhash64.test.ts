import { expect, test } from "vitest";
import { xxhash64 } from "./xxhash64.ts";

// The long one is from the reference implementation's page, the others are what Envoy shows.
test.each([
  ["", 0xef46_db37_51d8_e999n],
  ["1", 13_237_225_503_670_494_420n],
  ["e1", 375_412_022_058_588_663n],
  ["r1", 7_014_043_718_409_226_471n],
  ["Nobody inspects the spammish repetition", 0xfbce_a83c_8a37_8bf1n],
])("the hash of %j", (text, hash) => {
  expect(xxhash64(text)).toBe(hash);
});

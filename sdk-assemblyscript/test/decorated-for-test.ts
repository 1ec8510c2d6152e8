// A configuration of the guest "decorated" in which every member has another value than its default.
import type { Json } from "./struct-for-test.ts";

export type Document = { readonly [name: string]: Json };

export const FULL: Document = {
  name: "full",
  on: false,
  small: -128,
  byte: 0,
  whole: 2147483647,
  wide: 12,
  big: 13,
  ratio: 1,
  single: 1.5,
  "kebab-case": "renamed",
  host: "a-b.c",
  versions: ["v2x", "v3"],
  pin: 9999,
  password: "pässw",
  rules: [{ prefix: "/a", mode: "allow" }, { prefix: "/b" }],
  methods: ["HEAD", "POST"],
  matrix: [[1, 2], [], [-3]],
  labels: { x: "1", "ÿ😀": "2" },
  byHost: { h: [{ prefix: "/h" }], empty: [] },
  fallback: { prefix: "/f" },
  nested: { prefix: "/n" },
  target: { type: "cluster", name: "ab", weight: 5 },
  targets: [{ type: "redirect", hosts: ["a", "b"], status: 307 }, { type: "redirect" }],
  wait: "1.5s",
  bytesMax: "64KiB",
};

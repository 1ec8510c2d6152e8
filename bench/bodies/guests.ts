// What --bodies measures: guests, and which bodies they are given.
import { fileURLToPath } from "node:url";
import type { FilterSetup } from "../configs.ts";
import { buildByHand } from "../filter/build.ts";
import { LABELS } from "../sdks/sources.ts";
import { copySources, findToolchain } from "../sdks/toolchains.ts";

export type Direction = "response" | "request";

export const SIZES: readonly (readonly [string, number])[] = [
  ["1k", 1 << 10],
  ["4k", 4 << 10],
  ["16k", 16 << 10],
  ["64k", 64 << 10],
  ["256k", 256 << 10],
  ["1m", 1 << 20],
];

export interface BodyGuest {
  readonly name: string;
  readonly file: string;
  readonly setup: FilterSetup;
  readonly directions: readonly Direction[];
}

const BOTH: readonly Direction[] = ["response", "request"];
const RUST_PIECES: string = fileURLToPath(
  new URL("../../conformance/guests/wasm/rust-body-rewrite.wasm", import.meta.url),
);
/** Of `../filter/body.wat`, by its configurations. */
const BY_HAND: readonly (readonly [string, string])[] = [
  ["reads", "reads each piece"],
  ["reads-whole", "reads the whole"],
  ["pieces", "replaces each piece"],
  ["", "replaces the whole"],
];

function wasm(configuration: string): FilterSetup {
  return { kind: "wasm", count: 1, configurations: [configuration] };
}

/** Those whose toolchain is here; the others are named. */
export function bodyGuests(): BodyGuest[] {
  const byHand = buildByHand("body");
  const guests: BodyGuest[] = BY_HAND.map(([configuration, name]) => ({
    name,
    file: byHand,
    setup: wasm(configuration),
    directions: BOTH,
  }));
  copySources();
  for (const language of ["as", "rust", "go", "c"] as const) {
    const toolchain = findToolchain(language);
    if (typeof toolchain === "string") {
      console.log(`SKIPPED ${LABELS[language]}: missing ${toolchain}`);
      continue;
    }
    guests.push({
      name: `${LABELS[language]}, rewrites the whole`,
      file: toolchain.build("body"),
      setup: wasm(""),
      directions: ["response"],
    });
  }
  guests.push({
    name: "Rust SDK, rewrites each piece",
    file: RUST_PIECES,
    setup: wasm(""),
    directions: ["request"],
  });
  return guests;
}

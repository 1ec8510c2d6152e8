// The table of the kit in README.md: everything is in it, with the size that it has.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { KIT_NAMES, sizeWith } from "./kit-sizes.ts";

const SDK = join(import.meta.dirname, "..");

const doors = readdirSync(join(SDK, "kit"))
  .map((file) => file.replace(/\.ts$/, ""))
  .filter((name) => name !== "index");
const rows = readFileSync(join(SDK, "README.md"), "utf8").matchAll(
  /^\| `([\w-]+)` \|.*\| (\d+\.\d) \|$/gm,
);
const stated = new Map(Array.from(rows, ([, name = "", size]) => [name, Number(size)]));

let bare: number;

beforeAll(async () => {
  bare = await sizeWith();
});

test("all that can be imported is in the table and is measured", () => {
  expect([...stated.keys()].sort()).toEqual(doors.sort());
  expect([...KIT_NAMES].sort()).toEqual(doors);
});

test.each(KIT_NAMES)("%s adds what the table says", async (name) => {
  const added = ((await sizeWith(name)) - bare) / 1024;
  expect(Math.abs(added - (stated.get(name) ?? 0))).toBeLessThan(0.15 + added * 0.05);
});

test("what is imported by the door of the whole kit adds next to nothing", async () => {
  const alone = await sizeWith("base64");
  expect(Math.abs((await sizeWith("base64", "kit")) - alone)).toBeLessThan(256);
});

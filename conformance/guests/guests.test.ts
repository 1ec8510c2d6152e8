// The committed modules are those of the committed sources: nothing is built here.
import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  FOLDER,
  GUESTS,
  modulePath,
  readGuest,
  readManifest,
  sha256,
  sourcesHash,
} from "./guests.ts";

/** All modules together: they are part of each clone for ever. */
const ALL_BYTES_MAX = 6 * 1024 * 1024;

const manifest = readManifest();

test("the manifest has all guests, and the folder no other modules", () => {
  const names = GUESTS.map((guest) => guest.name);
  expect(Object.keys(manifest)).toEqual(names);
  expect(readdirSync(`${FOLDER}wasm`).toSorted()).toEqual(
    names.map((name) => `${name}.wasm`).toSorted(),
  );
});

test("the modules are small enough to be committed", () => {
  const bytes = Object.values(manifest).reduce((sum, one) => sum + one.bytes, 0);
  expect(bytes).toBeLessThan(ALL_BYTES_MAX);
});

for (const guest of GUESTS) {
  describe(`module ${guest.name}`, () => {
    const said = manifest[guest.name];

    test("is what its sources give: if this fails, run `npm run guests`", () => {
      expect(guest.sources.filter((source) => !existsSync(FOLDER + source))).toEqual([]);
      expect(said?.sources).toEqual(guest.sources);
      expect(said?.sourcesSha256).toBe(sourcesHash(guest));
    });

    test("is the module of the manifest", () => {
      expect(existsSync(modulePath(guest.name))).toBe(true);
      expect(said?.sha256).toBe(sha256(readGuest(guest.name)));
      expect(said?.bytes).toBe(readGuest(guest.name).length);
    });

    test("is a module of its ABI without paths of the machine that built it", () => {
      const module = new WebAssembly.Module(readGuest(guest.name));
      const names = WebAssembly.Module.exports(module).map((one) => one.name);
      const mark = `proxy_abi_version_${guest.abi.replaceAll(".", "_")}`;
      expect(names.filter((name) => name.startsWith("proxy_abi_version"))).toEqual([mark]);
      expect(readGuest(guest.name).toString("latin1")).not.toMatch(/\/(root|home|work|tmp|usr)\//);
    });
  });
}

// Compiles the guests of tests from AssemblyScript, once per content; kept under node_modules/.cache.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { withCompiler } from "../../../sdk-assemblyscript/asc.mjs";

const folder: string = dirname(fileURLToPath(import.meta.url));
const cache: string = join(folder, "../../../node_modules/.cache/headgate-test-guests");
const { version } = createRequire(import.meta.url)("assemblyscript/package.json") as {
  readonly version: string;
};

/** The module of assembly/<name>.ts. */
export async function compileGuest(name: string): Promise<Uint8Array> {
  return readFileSync(await compile(name, []));
}

/** With function names and a source map, as they stand in a build's folder. */
export async function compileGuestWithMap(name: string): Promise<{ wasm: Buffer; map: Buffer }> {
  const path = await compile(name, ["--debug", "--sourceMap"]);
  return { wasm: readFileSync(path), map: readFileSync(`${path}.map`) };
}

/** Path of the compiled module. */
async function compile(name: string, more: readonly string[]): Promise<string> {
  const source = join("assembly", `${name}.ts`);
  const options = ["--runtime", "stub", "--exportStart", "_initialize", ...more];
  options.push("--use", `abort=assembly/${name}/onAbort`);
  const key = createHash("sha256").update(JSON.stringify([options, version]));
  for (const part of partsOf(name)) key.update(readFileSync(join(folder, part)));
  const path = join(cache, `${name}-${key.digest("hex").slice(0, 24)}.wasm`);
  await withCompiler({ target: path, isMade: () => existsSync(path) }, async (asc) => {
    // A folder of its own, and renamed when it is whole: nobody sees half of it.
    const own = `${path}.${process.pid}`;
    mkdirSync(own, { recursive: true });
    const made = join(own, `${name}.wasm`);
    await asc([source, "--outFile", made, ...options], folder);
    if (existsSync(`${made}.map`)) renameSync(`${made}.map`, `${path}.map`);
    renameSync(made, path);
    rmSync(own, { recursive: true });
  });
  return path;
}

/** The guest's sources: its file, and those in the folder of its name. */
function partsOf(name: string): string[] {
  const parts = join("assembly", name);
  const more = existsSync(join(folder, parts)) ? readdirSync(join(folder, parts)).sort() : [];
  return [`${parts}.ts`, ...more.map((part) => join(parts, part))];
}

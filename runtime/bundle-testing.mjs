// The parts of packages that others import: bundles of what Node.js does not take from node_modules as it
// is, TypeScript, and the declarations that editors read.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { BUNDLE } from "./bundle-options.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");

/** Of `@headgate/runtime/testing`. */
const DOORS = {
  "./testing": "index",
  "./testing/project": "project",
  "./testing/vitest": "vitest",
};
const ABI = "abi/src/index.d.ts";
const IMPORT = /(from\s*|import\s*\(?\s*|<reference path=)(["'])([^"']+)\2/g;

/** Writes testing/ and types/ into the package in `folder`; answers with what its `exports` say. */
export async function bundleTesting(folder) {
  const names = Object.values(DOORS);
  await bundle(
    names.map((name) => join(here, "testing", `${name}.ts`)),
    join(folder, "testing"),
  );
  const types = names.map((name) => `runtime/testing/${name}.d.ts`);
  writeDeclarations(join(folder, "types"), types);
  return Object.fromEntries(
    Object.entries(DOORS).map(([door, name]) => [
      door,
      { types: `./types/runtime/testing/${name}.d.ts`, default: `./testing/${name}.js` },
    ]),
  );
}

/** The same for the package `proxy-wasm-types`. */
export async function bundleAbi(folder) {
  await bundle([join(root, "abi/src/index.ts")], folder);
  writeDeclarations(join(folder, "types"), [ABI]);
  return { ".": { types: `./types/${ABI}`, default: "./index.js" } };
}

function bundle(entryPoints, outdir) {
  return build({
    ...BUNDLE,
    entryPoints,
    outdir,
    // The doors are imported side by side, and know one another's classes.
    splitting: true,
    // The project's own, which holds the state of the run; and what only some filters ask for.
    external: ["vitest", "@wasmer/wasi"],
    chunkNames: "part-[hash]",
  });
}

/** The declarations that `entries` reach, in the repository's own tree, which they name one another by. */
function writeDeclarations(folder, entries) {
  const made = mkdtempSync(join(tmpdir(), "headgate-declarations-"));
  try {
    const tsc = fileURLToPath(import.meta.resolve("typescript/package.json"));
    const config = join(here, "tsconfig.declarations.json");
    const args = [join(dirname(tsc), "bin/tsc"), "-p", config, "--outDir", made];
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
    if (status !== 0) throw new Error(`no declarations: ${stdout}${stderr}`);
    const files = new Set(entries);
    for (const file of files) {
      const target = join(folder, file);
      mkdirSync(dirname(target), { recursive: true });
      const from = file.startsWith("types/") ? root : made;
      if (from === root) copyFileSync(join(from, file), target);
      else
        writeFileSync(
          target,
          withPlaces(readFileSync(join(from, file), "utf8"), made, file, files),
        );
    }
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

/** Names files as TypeScript finds them outside of the repository, and adds them to `files`. */
function withPlaces(text, made, file, files) {
  return text.replace(IMPORT, (all, before, quote, name) => {
    const isAbi = name === "proxy-wasm-types";
    if (!isAbi && !name.startsWith(".")) return all;
    const found = isAbi ? ABI : declarationOf(resolve(dirname(join(made, file)), name), made);
    files.add(found);
    const path = relative(dirname(file), found).split(sep).join("/");
    const shown = path.startsWith(".") ? path : `./${path}`;
    const isReference = before.startsWith("<");
    return `${before}${quote}${isReference ? shown : shown.replace(/\.d\.ts$/, ".js")}${quote}`;
  });
}

/** From the root of the repository. Files that were declarations before are still there. */
function declarationOf(path, made) {
  const isOld = path.startsWith(join(root, sep));
  const found = relative(isOld ? root : made, path.replace(/(?<!\.d)\.ts$/, ".d.ts"));
  return found.split(sep).join("/");
}

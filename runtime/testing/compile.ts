// Compiles a filter's AssemblyScript sources for a test: unoptimised, with a source map, and only
// when one of the files that it is made of has changed.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type * as Compiler from "../../sdk-assemblyscript/asc.mjs";
import { FilterCompileError } from "./errors.ts";
import { shownPath } from "./places.ts";

const SDK = "@headgate/sdk-assemblyscript";
const IMPORT =
  /^\s*(?:import|export)\b[^"';]*?["']([^"'\n]+)["']|^\s*\}?\s*from\s+["']([^"'\n]+)["']/gm;
const MISSING_ABORT = "'headgate_abort' not found";

export interface CompiledFilter {
  /** Path of the module; its source map stands beside it. */
  readonly wasm: string;
  /** The folder that paths in the source map start from. */
  readonly root: string;
}

/** A compiler that stays, of the SDK that a filter has. Throws FilterCompileError. */
export async function residentAscOf(entry: string): Promise<Compiler.ResidentAsc> {
  const { ResidentAsc } = await compilerOf(sdkOf(rootOf(entry), entry));
  return new ResidentAsc();
}

async function compilerOf(sdk: string): Promise<typeof Compiler> {
  return (await import(pathToFileURL(join(sdk, "asc.mjs")).href)) as typeof Compiler;
}

/** Compiles the entry file, with `resident` by that. Throws FilterCompileError. */
export async function compileFilter(
  entry: string,
  resident?: Compiler.ResidentAsc,
): Promise<CompiledFilter> {
  const root = rootOf(entry);
  const sdk = sdkOf(root, entry);
  const config = configOf(root, entry, sdk);
  const key = keyOf(root, entry, sdk, config);
  const folder = join(cacheOf(root), "headgate-testing");
  const wasm = join(folder, `${key}.wasm`);
  const isMade = (): boolean => existsSync(wasm);
  if (isMade()) return { wasm, root };
  const { withCompiler, AscError } = await compilerOf(sdk);
  await withCompiler({ target: wasm, isMade, resident }, async (asc) => {
    // Built aside and moved: another worker may be loading the same module.
    const aside = join(folder, `.${key}-${process.pid}`);
    const clean = (): void => rmSync(aside, { recursive: true, force: true });
    process.once("exit", clean);
    mkdirSync(aside, { recursive: true });
    // The name stands in the module, which tells by it where its map is.
    const made = join(aside, `${key}.wasm`);
    const target = ["--target", "debug", "--sourceMap", "--outFile", relative(root, made)];
    try {
      await asc([relative(root, entry), "--config", relative(root, config), ...target], root);
      renameSync(`${made}.map`, `${wasm}.map`);
      renameSync(made, wasm);
    } catch (error) {
      if (!(error instanceof AscError)) throw error;
      throw new FilterCompileError(messageOf(entry, error.output || error.message));
    } finally {
      process.off("exit", clean);
      clean();
    }
  });
  return { wasm, root };
}

function messageOf(entry: string, output: string): string {
  const shown = shownPath(entry);
  // The handler that asconfig.json names comes with the base.
  if (output.includes(MISSING_ABORT)) {
    const line = `export * from "${SDK}/exports/base";`;
    return `${shown} does not compile: it must say: ${line}`;
  }
  return `${shown} does not compile\n\n${output}`;
}

/** Where the compiler runs: the folder with asconfig.json, or the one above assembly/. */
function rootOf(entry: string): string {
  for (let at = dirname(entry); ; at = dirname(at)) {
    if (existsSync(join(at, "asconfig.json")) || existsSync(join(at, "package.json"))) return at;
    if (existsSync(join(at, "assembly")) || at === dirname(at)) return at;
  }
}

function sdkOf(root: string, entry: string): string {
  for (const from of [join(root, "package.json"), fileURLToPath(import.meta.url)]) {
    try {
      return dirname(createRequire(from).resolve(`${SDK}/package.json`));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
    }
  }
  const shown = shownPath(entry);
  throw new FilterCompileError(`${shown} does not compile: ${SDK} is not installed in ${root}`);
}

/** The project's own, unless it is about another entry: then its entries would come along. */
function configOf(root: string, entry: string, sdk: string): string {
  const own = join(root, "asconfig.json");
  if (existsSync(own)) {
    const { entries } = JSON.parse(readFileSync(own, "utf8")) as { entries?: readonly string[] };
    const isIts = (one: string): boolean => resolve(root, one) === entry;
    if (entries === undefined || (entries.length === 1 && entries.every(isIts))) return own;
  }
  return join(sdk, "asconfig.json");
}

function cacheOf(root: string): string {
  for (let at = root; ; at = dirname(at)) {
    const modules = join(at, "node_modules");
    if (existsSync(modules)) return join(modules, ".cache");
    if (at === dirname(at)) return tmpdir();
  }
}

function keyOf(root: string, entry: string, sdk: string, config: string): string {
  const hash = createHash("sha256");
  const add = (file: string): void => {
    hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
  };
  const compiler = createRequire(join(sdk, "package.json")).resolve("assemblyscript/package.json");
  const own = fileURLToPath(import.meta.url);
  for (const file of [own, compiler, config, join(sdk, "asconfig.json")]) add(file);
  for (const file of sourcesOf(root, entry)) add(file);
  for (const file of [...filesIn(sdk, /\.(?:ts|mjs)$/)].sort()) add(file);
  return hash.digest("hex").slice(0, 32);
}

/** The entry, what it imports by path, and all of the packages that it imports from. */
function sourcesOf(root: string, entry: string): readonly string[] {
  const files = new Set([entry]);
  const packages = new Set<string>();
  for (const file of files) {
    for (const [, first, second] of readFileSync(file, "utf8").matchAll(IMPORT)) {
      const name = first ?? second ?? "";
      if (name.startsWith(".")) {
        const found = pathOf(resolve(dirname(file), name));
        if (found !== null) files.add(found);
      } else packages.add(name.split("/", name.startsWith("@") ? 2 : 1).join("/"));
    }
  }
  packages.delete(SDK);
  for (const name of packages) {
    const folder = packageOf(root, name);
    if (folder !== null) for (const file of filesIn(folder, /\.ts$/)) files.add(file);
  }
  return [...files].sort();
}

/** As asc looks for it; null = nowhere, which asc will say. */
function pathOf(path: string): string | null {
  const places = [`${path}.ts`, join(path, "index.ts"), path];
  return places.find((place) => existsSync(place) && statSync(place).isFile()) ?? null;
}

function packageOf(root: string, name: string): string | null {
  for (let at = root; ; at = dirname(at)) {
    const folder = join(at, "node_modules", name);
    if (existsSync(folder)) return realpathSync(folder);
    if (at === dirname(at)) return null;
  }
}

const SKIPPED: ReadonlySet<string> = new Set(["node_modules", "build", "dist", "test"]);

function* filesIn(folder: string, name: RegExp): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (!SKIPPED.has(entry.name) && !entry.name.startsWith(".")) yield* filesIn(path, name);
    } else if (name.test(entry.name)) yield path;
  }
}

// Builds a filter's project: module, source map and JSON Schema, only when its sources have changed.
// Called by filters/build.mjs, by tests and by whoever builds a filter from a script. Plain
// JavaScript: it runs before anything else.
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { withCompiler } from "./asc.mjs";
import { diagnosticLine, formatDiagnostics, parseDiagnostics } from "./diagnostics.mjs";
import { CALLBACK_OF_HOOK, CALLBACKS_OF_CALL, COLLECTING } from "./transform/hooks.mjs";
import { providedImports } from "./transform/module.mjs";

export { diagnosticLine, formatDiagnostics, parseDiagnostics } from "./diagnostics.mjs";
export { ResidentAsc } from "./asc.mjs";
export { moduleSize, strippedSize } from "./module-size.mjs";

const sdk = fileURLToPath(new URL(".", import.meta.url));

/** A filter that cannot be built. */
export class BuildError extends Error {
  constructor(message, diagnostics = []) {
    super(message);
    this.name = "BuildError";
    this.diagnostics = diagnostics;
  }
}

/**
 * Builds the filter in `folder` (its `assembly/index.ts`) into `build/<name>.wasm`, a source map and,
 * when it has a @config class, a JSON Schema beside it. The name is that of
 * `targets.release.outFile` in the folder's asconfig.json, else the folder's own. `mode` "debug"
 * compiles faster, without optimising, to `build/<name>.debug.wasm`. `sources` are further folders
 * whose files go into it, `resident` a ResidentAsc that compiles it. Nothing is compiled when sources, SDK, compiler and options are those of
 * the module at hand. Throws a BuildError whose message is fit for a terminal.
 */
export async function buildFilter(folder, options = {}) {
  const { mode = "release", sources = [], resident } = options;
  const name = filterName(folder);
  const fileName = mode === "debug" ? `${name}.debug` : name;
  const build = join(folder, "build");
  const wasm = join(build, `${fileName}.wasm`);
  const schema = join(build, `${fileName}.schema.json`);
  const result = { name, mode, wasm, map: `${wasm}.map`, isCached: true, warnings: [] };
  const withSchema = () => ({ ...result, schema: existsSync(schema) ? schema : null });
  const stamp = join(build, `${fileName}.hash`);
  const hash = hashOf(folder, mode, sources);
  const isMade = () => existsSync(wasm) && existsSync(result.map) && readIfThere(stamp) === hash;
  const built = await withCompiler({ target: wasm, isMade, resident }, async (asc) => {
    // Built aside and moved: another process may be loading the same module.
    const aside = join(build, `.${fileName}-${process.pid}`);
    mkdirSync(aside, { recursive: true });
    try {
      const made = join(aside, `${fileName}.wasm`);
      const madeSchema = join(aside, `${fileName}.schema.json`);
      const warnings = await compile(asc, folder, mode, made, madeSchema);
      check(name, folder, readFileSync(made));
      if (existsSync(madeSchema)) renameSync(madeSchema, schema);
      else rmSync(schema, { force: true });
      renameSync(`${made}.map`, result.map);
      renameSync(made, wasm);
      writeFileSync(stamp, hash);
      return { ...withSchema(), isCached: false, warnings };
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  });
  return built ?? withSchema();
}

/**
 * What the compiler says of the filter in `folder`, which it compiles to nothing: a list of diagnostics.
 * Throws a BuildError when it crashed instead. `resident`: a ResidentAsc that does it.
 */
export async function checkFilter(folder, { resident } = {}) {
  const target = join(folder, "build", "check");
  return await withCompiler({ target, isMade: () => false, resident }, async (asc) => {
    try {
      const config = relative(folder, configOf(folder));
      const args = ["--config", config, "--target", "debug", "--noEmit"];
      return parseDiagnostics(await asc(["assembly/index.ts", ...args], folder));
    } catch (error) {
      return diagnosticsOf(error);
    }
  });
}

/** Name of the filter in a folder. */
export function filterName(folder) {
  const text = readIfThere(join(folder, "asconfig.json"));
  const outFile = text === undefined ? undefined : JSON.parse(text).targets?.release?.outFile;
  return basename(outFile ?? folder, ".wasm");
}

function configOf(folder) {
  const own = join(folder, "asconfig.json");
  return existsSync(own) ? own : join(sdk, "asconfig.json");
}

function hashOf(folder, mode, sources) {
  const compiler = fileURLToPath(import.meta.resolve("assemblyscript/package.json"));
  const files = [
    ...[join(folder, "assembly"), ...sources].flatMap(sourcesIn),
    ...["assembly", "exports", "kit", "transform"].flatMap((part) => sourcesIn(join(sdk, part))),
    ...["index.ts", "asconfig.json", "asc-process.mjs", "build.mjs"].map((file) => join(sdk, file)),
    configOf(folder),
    compiler,
  ];
  const hash = createHash("sha256").update(mode);
  for (const file of files) {
    hash.update(`\0${relative(folder, file)}\0`);
    hash.update(readIfThere(file) ?? "");
  }
  return hash.digest("hex");
}

function sourcesIn(folder) {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true });
  return names
    .filter((name) => /\.(ts|mjs)$/.test(name))
    .sort((a, b) => (a < b ? -1 : 1))
    .map((name) => join(folder, name));
}

function readIfThere(file) {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Resolves with warnings. */
async function compile(asc, folder, mode, outFile, schemaFile) {
  const config = relative(folder, configOf(folder));
  const args = ["--config", config, "--target", mode, "--outFile", relative(folder, outFile)];
  const env = { HEADGATE_SCHEMA_FILE: relative(folder, schemaFile) };
  try {
    return parseDiagnostics(await asc(["assembly/index.ts", ...args], folder, env));
  } catch (error) {
    const found = diagnosticsOf(error);
    throw new BuildError(formatDiagnostics(found), found);
  }
}

/** Of a compiler that has failed; there is an error among them. Throws when it is about something else. */
function diagnosticsOf(error) {
  if (error.output === undefined) throw error;
  // The handler that asconfig.json names comes with the base.
  if (error.output.includes("'headgate_abort' not found")) return [NO_BASE];
  const found = parseDiagnostics(error.output);
  if (found.every(({ severity }) => severity !== "error"))
    throw new BuildError(error.message, found);
  return found;
}

const NO_BASE = {
  severity: "error",
  code: "",
  message:
    "there is no filter: decorate its class by @filter, or register one and write " +
    'export * from "@headgate/sdk-assemblyscript/exports/base";',
  file: "assembly/index.ts",
  line: 1,
  column: 1,
  frame: "",
};

function noBase() {
  return new BuildError(diagnosticLine(NO_BASE), [NO_BASE]);
}

/** What a proxy would refuse, or silently never call, is an error here. */
function check(name, folder, bytes) {
  const module = new WebAssembly.Module(bytes);
  const provided = providedImports();
  const foreign = WebAssembly.Module.imports(module)
    .map((entry) => `${entry.module}.${entry.name}`)
    .filter((entry) => !provided.has(entry));
  if (foreign.length > 0) {
    throw new BuildError(`${name}: imports what no proxy provides: ${foreign.join(", ")}`);
  }
  const exported = new Set(WebAssembly.Module.exports(module).map((entry) => entry.name));
  if (!exported.has("proxy_abi_version_0_2_1")) throw noBase();
  for (const { name: hostcall } of WebAssembly.Module.imports(module)) {
    const wanted = Object.hasOwn(CALLBACKS_OF_CALL, hostcall) ? CALLBACKS_OF_CALL[hostcall] : [];
    for (const callback of wanted) {
      if (exported.has(callback)) continue;
      throw new BuildError(`${name}: calls ${hostcall}, but ${callback} is not exported`);
    }
  }
  const entry = readFileSync(join(folder, "assembly", "index.ts"), "utf8");
  // The transform chooses the callbacks of a decorated filter.
  const isByHand = /^export .*\/exports\//m.test(entry);
  for (const file of sourcesIn(join(folder, "assembly"))) {
    const methods = readFileSync(file, "utf8").matchAll(/^[ \t]+(?:override[ \t]+)?(on\w+)\(/gm);
    for (const [, hook] of methods) {
      const callback = Object.hasOwn(CALLBACK_OF_HOOK, hook) ? CALLBACK_OF_HOOK[hook] : undefined;
      if (callback !== undefined && !exported.has(callback)) {
        const place = relative(folder, file);
        throw new BuildError(
          `${name}: ${place} overrides ${hook}, but ${callback} is not exported`,
        );
      }
      if (isByHand && Object.hasOwn(COLLECTING, hook) && !entry.includes("/exports/bodies")) {
        throw new BuildError(`${name}: ${hook} needs the callbacks of .../exports/bodies`);
      }
    }
  }
}

// `npm run build`: writes dist/headgate.mjs and the worker.mjs that its threads run, with Envoy's schema
// beside them, and what tests of filters import: a package that `npm pack` can take as it is.
import { copyFile, cp, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildFilter, findFilters } from "../filters/build.mjs";
import { bundleProxy } from "./bundle-proxy.mjs";
import { bundleTesting } from "./bundle-testing.mjs";

const here = dirname(fileURLToPath(import.meta.url));

const templates = join(here, "../sdk-assemblyscript/templates");

/** Not what somebody has built there. */
function isOfTemplate(path) {
  return !["build", "node_modules"].includes(basename(path));
}

/** Builds into `folder`; answers with the bundle's path and size in bytes. */
export async function bundle(folder = join(here, "dist")) {
  await rm(folder, { recursive: true, force: true });
  await bundleProxy(folder);
  await bundleFilters(join(folder, "filters"));
  await cp(templates, join(folder, "templates"), { recursive: true, filter: isOfTemplate });
  for (const file of ["LICENSE", "NOTICE"])
    await copyFile(join(here, "..", file), join(folder, file));
  await copyFile(join(here, "README.md"), join(folder, "README.md"));
  const made = await manifest(await bundleTesting(folder));
  await writeFile(join(folder, "package.json"), `${JSON.stringify(made, null, 2)}\n`);
  const path = join(folder, "headgate.mjs");
  return { path, bytes: (await stat(path)).size };
}

/** The filters that stand for Envoy's own: what each serves, and its module. */
async function bundleFilters(folder) {
  for (const source of findFilters()) {
    if (!existsSync(join(source, "filter.json"))) continue;
    const { wasm, name } = await buildFilter(source);
    const target = join(folder, basename(source));
    await mkdir(join(target, "build"), { recursive: true });
    await copyFile(join(source, "filter.json"), join(target, "filter.json"));
    await copyFile(wasm, join(target, "build", `${name}.wasm`));
  }
}

/** The published package: no dependencies but the pinned Node.js, no sources. */
async function manifest(exports) {
  const root = JSON.parse(await readFile(join(here, "../package.json"), "utf8"));
  const own = JSON.parse(await readFile(join(here, "package.json"), "utf8"));
  // Loaded when a policy asks for files in memory, and by tests: who wants that installs it.
  const { vitest } = root.devDependencies;
  const peerDependencies = { ...own.optionalDependencies, vitest: `>=${vitest}` };
  return {
    name: own.name,
    version: own.version,
    description: own.description,
    license: own.license,
    type: "module",
    bin: { headgate: "bin/headgate" },
    files: [
      "bin",
      "filters",
      "templates",
      "testing",
      "types",
      "headgate.mjs",
      "worker.mjs",
      "envoy-api.binpb",
      "LICENSE",
      "NOTICE",
      "README.md",
    ],
    exports,
    engines: root.engines,
    optionalDependencies: root.optionalDependencies,
    peerDependencies,
    peerDependenciesMeta: Object.fromEntries(
      Object.keys(peerDependencies).map((name) => [name, { optional: true }]),
    ),
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { path, bytes } = await bundle();
  console.log(`${path}: ${Math.round(bytes / 1024)} KiB`);
}

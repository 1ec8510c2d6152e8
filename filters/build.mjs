// Compiles the repository's AssemblyScript filters to wasm, each only when its sources have changed:
// `npm run filters`. The quickstart and tests call buildFilter. Plain JavaScript: it runs before
// anything else.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import {
  buildFilter as build,
  filterName,
  formatDiagnostics,
  strippedSize,
} from "../sdk-assemblyscript/build.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const common = join(root, "filters", "_common", "assembly");

/** As the SDK's buildFilter, for a filter that may use what filters share. */
export function buildFilter(folder, options = {}) {
  return build(folder, { ...options, sources: [common] });
}

/** Folders of all filters in the repository that have sources. */
export function findFilters() {
  const folders = [];
  for (const parent of ["filters", "examples"]) {
    for (const entry of readdirSync(join(root, parent), { withFileTypes: true })) {
      if (entry.isDirectory()) folders.push(join(root, parent, entry.name));
    }
  }
  folders.push(join(root, "bench", "filter"));
  return folders.filter((folder) => existsSync(join(folder, "assembly", "index.ts")));
}

async function main(args) {
  const mode = args.includes("--debug") ? "debug" : "release";
  const wanted = args.filter((arg) => !arg.startsWith("-"));
  const all = findFilters();
  const queue = all.filter((f) => wanted.length === 0 || wanted.includes(filterName(f)));
  if (queue.length === 0) {
    const names = all.map(filterName).join(", ");
    console.error(`no such filter: ${wanted.join(", ")} (there are: ${names})`);
    process.exitCode = 1;
  }
  await Promise.all(queue.map((folder) => buildAndTell(folder, mode)));
}

async function buildAndTell(folder, mode) {
  try {
    const began = performance.now();
    const built = await buildFilter(folder, { mode });
    if (built.warnings.length > 0) console.error(formatDiagnostics(built.warnings));
    const place = relative(root, built.wasm);
    const bytes = readFileSync(built.wasm);
    const size = `${bytes.length} bytes, ${strippedSize(bytes)} without names`;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${place}: ${size}, ${built.isCached ? "up to date" : `built in ${seconds} s`}`);
  } catch (error) {
    console.error(`${relative(root, folder)}: ${error.message}`);
    process.exitCode = 1;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(process.argv.slice(2));
}

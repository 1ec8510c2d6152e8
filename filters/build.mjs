// Compiles AssemblyScript filters to wasm, each only when its sources have changed. `npm run
// filters` builds all; the quickstart and tests call buildFilter. Plain JavaScript: it runs before
// anything else.
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
import { fileURLToPath, pathToFileURL } from "node:url";
import { withCompiler } from "../sdk-assemblyscript/asc.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const sdk = join(root, "sdk-assemblyscript");

/** Hooks of the SDK's classes, and the callback a module must export for each to be called. */
const CALLBACK_OF_HOOK = {
  onVmStart: "proxy_on_vm_start",
  onTick: "proxy_on_tick",
  onQueueReady: "proxy_on_queue_ready",
  onHttpCallResponse: "proxy_on_http_call_response",
  onGrpcReceiveInitialMetadata: "proxy_on_grpc_receive_initial_metadata",
  onGrpcReceive: "proxy_on_grpc_receive",
  onGrpcReceiveTrailingMetadata: "proxy_on_grpc_receive_trailing_metadata",
  onGrpcClose: "proxy_on_grpc_close",
  onForeignFunction: "proxy_on_foreign_function",
  onDone: "proxy_on_done",
  onLog: "proxy_on_log",
  onRequestHeaders: "proxy_on_request_headers",
  onRequestBody: "proxy_on_request_body",
  onRequestTrailers: "proxy_on_request_trailers",
  onResponseHeaders: "proxy_on_response_headers",
  onResponseBody: "proxy_on_response_body",
  onResponseTrailers: "proxy_on_response_trailers",
  onFullRequestBody: "proxy_on_request_body",
  onFullResponseBody: "proxy_on_response_body",
  onNewConnection: "proxy_on_new_connection",
  onDownstreamData: "proxy_on_downstream_data",
  onUpstreamData: "proxy_on_upstream_data",
  onDownstreamClose: "proxy_on_downstream_connection_close",
  onUpstreamClose: "proxy_on_upstream_connection_close",
};

/** Hooks that only the callbacks of exports/bodies call. */
const WHOLE_BODY_HOOKS = ["onFullRequestBody", "onFullResponseBody"];

/** Hostcalls whose answers come in callbacks of their own: without one the answer is never heard. */
const CALLBACKS_OF_HOSTCALL = {
  proxy_http_call: ["proxy_on_http_call_response"],
  proxy_grpc_call: ["proxy_on_grpc_receive", "proxy_on_grpc_close"],
  proxy_grpc_stream: [
    "proxy_on_grpc_receive_initial_metadata",
    "proxy_on_grpc_receive",
    "proxy_on_grpc_receive_trailing_metadata",
    "proxy_on_grpc_close",
  ],
};

/**
 * Builds the filter in `folder` (its `assembly/index.ts`) into `build/<name>.wasm` and a source map
 * beside it. The name is that of `targets.release.outFile` in the folder's asconfig.json, else the
 * folder's own. `mode` "debug" compiles faster, without optimising, to `build/<name>.debug.wasm`.
 * Nothing is compiled when sources, SDK, compiler and options are those of the module at hand.
 * Throws an Error whose message is fit for a terminal.
 */
export async function buildFilter(folder, options = {}) {
  const mode = options.mode ?? "release";
  const name = filterName(folder);
  const fileName = mode === "debug" ? `${name}.debug` : name;
  const build = join(folder, "build");
  const wasm = join(build, `${fileName}.wasm`);
  const result = { name, mode, wasm, map: `${wasm}.map`, isCached: true, warnings: "" };
  const stamp = join(build, `${fileName}.hash`);
  const hash = hashOf(folder, mode);
  const isMade = () => existsSync(wasm) && existsSync(result.map) && readIfThere(stamp) === hash;
  const built = await withCompiler({ target: wasm, isMade }, async (asc) => {
    // Built aside and moved: another process may be loading the same module.
    const aside = join(build, `.${fileName}-${process.pid}`);
    mkdirSync(aside, { recursive: true });
    try {
      const made = join(aside, `${fileName}.wasm`);
      const warnings = await compile(asc, folder, mode, made);
      check(name, folder, readFileSync(made));
      renameSync(`${made}.map`, result.map);
      renameSync(made, wasm);
      writeFileSync(stamp, hash);
      return { ...result, isCached: false, warnings };
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  });
  return built ?? result;
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

function filterName(folder) {
  const text = readIfThere(join(folder, "asconfig.json"));
  const outFile = text === undefined ? undefined : JSON.parse(text).targets?.release?.outFile;
  return basename(outFile ?? folder, ".wasm");
}

function configOf(folder) {
  const own = join(folder, "asconfig.json");
  return existsSync(own) ? own : join(sdk, "asconfig.json");
}

function hashOf(folder, mode) {
  const compiler = join(root, "node_modules", "assemblyscript", "package.json");
  const files = [
    ...sourcesIn(join(folder, "assembly")),
    ...sourcesIn(join(sdk, "assembly")),
    ...sourcesIn(join(sdk, "exports")),
    ...sourcesIn(join(sdk, "kit")),
    ...sourcesIn(join(root, "filters", "_common", "assembly")),
    join(sdk, "index.ts"),
    join(sdk, "asconfig.json"),
    configOf(folder),
    compiler,
    join(sdk, "asc.mjs"),
    fileURLToPath(import.meta.url),
  ];
  const hash = createHash("sha256").update(mode);
  for (const file of files) {
    hash.update(`\0${relative(root, file)}\0`);
    hash.update(readIfThere(file) ?? "");
  }
  return hash.digest("hex");
}

function sourcesIn(folder) {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true });
  return names
    .filter((name) => name.endsWith(".ts"))
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

async function compile(asc, folder, mode, outFile) {
  const config = relative(folder, configOf(folder));
  const target = ["--target", mode, "--outFile", relative(folder, outFile)];
  try {
    return await asc(["assembly/index.ts", "--config", config, ...target], folder);
  } catch (error) {
    const place = relative(root, folder);
    // The handler that asconfig.json names comes with the base.
    if (error.output?.includes("'headgate_abort' not found")) throw new Error(noBase(place));
    throw new Error(`${place}: ${error.message}`);
  }
}

function noBase(place) {
  const line = 'export * from "@headgate/sdk-assemblyscript/exports/base";';
  return `${place}: assembly/index.ts must say: ${line}`;
}

/** What a proxy would refuse, or silently never call, is an error here. */
function check(name, folder, bytes) {
  const module = new WebAssembly.Module(bytes);
  const provided = new Set(
    Array.from(
      readFileSync(join(sdk, "assembly", "abi.ts"), "utf8").matchAll(
        /@external\("env", "(\w+)"\)/g,
      ),
      (match) => `env.${match[1]}`,
    ),
  );
  const foreign = WebAssembly.Module.imports(module)
    .map((entry) => `${entry.module}.${entry.name}`)
    .filter((entry) => !provided.has(entry));
  if (foreign.length > 0) {
    throw new Error(`${name}: imports what no proxy provides: ${foreign.join(", ")}`);
  }
  const exported = new Set(WebAssembly.Module.exports(module).map((entry) => entry.name));
  if (!exported.has("proxy_abi_version_0_2_1")) {
    throw new Error(noBase(name));
  }
  for (const { name: hostcall } of WebAssembly.Module.imports(module)) {
    const wanted = Object.hasOwn(CALLBACKS_OF_HOSTCALL, hostcall)
      ? CALLBACKS_OF_HOSTCALL[hostcall]
      : [];
    for (const callback of wanted) {
      if (exported.has(callback)) continue;
      throw new Error(`${name}: calls ${hostcall}, but ${callback} is not exported`);
    }
  }
  const entry = readFileSync(join(folder, "assembly", "index.ts"), "utf8");
  for (const file of sourcesIn(join(folder, "assembly"))) {
    const methods = readFileSync(file, "utf8").matchAll(/^[ \t]+(?:override[ \t]+)?(on\w+)\(/gm);
    for (const [, hook] of methods) {
      const callback = Object.hasOwn(CALLBACK_OF_HOOK, hook) ? CALLBACK_OF_HOOK[hook] : undefined;
      if (callback !== undefined && !exported.has(callback)) {
        const place = relative(folder, file);
        throw new Error(`${name}: ${place} overrides ${hook}, but ${callback} is not exported`);
      }
      if (WHOLE_BODY_HOOKS.includes(hook) && !entry.includes("/exports/bodies")) {
        throw new Error(`${name}: ${hook} needs the callbacks of .../exports/bodies`);
      }
    }
  }
}

/** Bytes of a module without its custom sections: what a proxy keeps of it. */
export function strippedSize(bytes) {
  let at = 8;
  let kept = 8;
  while (at < bytes.length) {
    const section = at;
    const id = bytes[at];
    at += 1;
    let length = 0;
    let shift = 0;
    while (bytes[at] >= 0x80) {
      length |= (bytes[at] & 0x7f) << shift;
      shift += 7;
      at += 1;
    }
    length |= bytes[at] << shift;
    at += 1 + length;
    if (id !== 0) kept += at - section;
  }
  return kept;
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
    if (built.warnings !== "") console.error(built.warnings);
    const place = relative(root, built.wasm);
    const bytes = readFileSync(built.wasm);
    const size = `${bytes.length} bytes, ${strippedSize(bytes)} without names`;
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    console.log(`${place}: ${size}, ${built.isCached ? "up to date" : `built in ${seconds} s`}`);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await main(process.argv.slice(2));
}

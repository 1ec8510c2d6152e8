// The proxy in two files, main thread and workers, with Envoy's schema and the launcher beside it: in the package, and for test runs.
import { chmod, copyFile, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { withConstants } from "./bundle-constants.mjs";
import { BUNDLE } from "./bundle-options.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const SCHEMA = "envoy-api.binpb";

/** Writes headgate.mjs, worker.mjs, the schema and bin/headgate into `folder`; answers with the paths of all that is in them. */
export async function bundleProxy(folder) {
  await mkdir(join(folder, "bin"), { recursive: true });
  const proxy = await bundle("src/bundle-entry.ts");
  await writeFile(join(folder, "headgate.mjs"), proxy.text);
  const worker = await bundle("src/server/worker-entry.ts");
  await writeFile(join(folder, "worker.mjs"), withConstants(worker.text));
  const schema = join(here, "src/config", SCHEMA);
  await copyFile(schema, join(folder, SCHEMA));
  const launcher = join(here, "bin/headgate");
  await copyFile(launcher, join(folder, "bin/headgate"));
  await chmod(join(folder, "bin/headgate"), 0o755);
  const sources = new Set([...proxy.sources, ...worker.sources]);
  return [schema, launcher, ...sources];
}

/** One file with all that the module at `path` imports: its text, and the paths of what is in it. */
async function bundle(path) {
  const { outputFiles, metafile } = await build({
    ...BUNDLE,
    absWorkingDir: here,
    entryPoints: [join(here, path)],
    metafile: true,
    plugins: [lazyBuiltins],
    write: false,
  });
  const inputs = Object.keys(metafile.inputs).filter((input) => !input.startsWith("builtin:"));
  return { text: outputFiles[0].text, sources: inputs.map((input) => join(here, input)) };
}

/**
 * Modules of Node.js that only the main thread needs, loaded when somebody runs what needs them. An
 * `import` would be hoisted to the top of the one file: every thread would load them, with what their
 * getters hide (node:http: a WebSocket client, 40 ms). Those of the data plane are imported as they are:
 * that is the fastest way to call them.
 */
const lazyBuiltins = {
  name: "lazy-builtins",
  setup(build) {
    const filter =
      /^(node:)?(http|https|http2|tls|zlib|crypto|dns|dns\/promises|child_process|v8|cluster)$/;
    build.onResolve({ filter }, ({ path }) => ({ path, namespace: "builtin" }));
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
    }));
  },
};

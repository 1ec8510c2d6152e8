// The proxy in one file, with Envoy's schema and the launcher beside it: in the package, and for test runs.
import { chmod, copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { BUNDLE } from "./bundle-options.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const SCHEMA = "envoy-api.binpb";

/** Writes headgate.mjs, the schema and bin/headgate into `folder`; answers with the paths of all that is in them. */
export async function bundleProxy(folder) {
  await mkdir(join(folder, "bin"), { recursive: true });
  const { metafile } = await build({
    ...BUNDLE,
    absWorkingDir: here,
    entryPoints: [join(here, "src/bundle-entry.ts")],
    outfile: join(folder, "headgate.mjs"),
    metafile: true,
    plugins: [lazyBuiltins],
  });
  const schema = join(here, "src/config", SCHEMA);
  await copyFile(schema, join(folder, SCHEMA));
  const launcher = join(here, "bin/headgate");
  await copyFile(launcher, join(folder, "bin/headgate"));
  await chmod(join(folder, "bin/headgate"), 0o755);
  const sources = Object.keys(metafile.inputs).filter((path) => !path.startsWith("builtin:"));
  return [schema, launcher, ...sources.map((path) => join(here, path))];
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

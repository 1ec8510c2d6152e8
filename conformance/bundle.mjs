// `npm pack -w conformance`: writes dist/conformance.mjs, the suite in one file that needs nothing but Node.js
// and the modules of toolchains beside it.
import { chmod, copyFile, cp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const folder = join(here, "dist");

await rm(folder, { recursive: true, force: true });
const outfile = join(folder, "conformance.mjs");
await build({
  entryPoints: [join(here, "suite/main.ts")],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  legalComments: "none",
  logLevel: "warning",
  banner: {
    js: '#!/usr/bin/env node\nimport{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
  },
});
await chmod(outfile, 0o755);
// Where guests.ts looks for them.
await cp(join(here, "guests/wasm"), join(folder, "wasm"), { recursive: true });
await copyFile(join(here, "suite/README.md"), join(folder, "README.md"));

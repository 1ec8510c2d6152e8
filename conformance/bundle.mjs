// `npm pack -w conformance`: writes dist/conformance.mjs, the suite in one file that needs nothing but Node.js
// and the modules of toolchains beside it.
import { chmod, copyFile, cp, readFile, rm, writeFile } from "node:fs/promises";
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
    js: 'import{createRequire as __createRequire}from"node:module";const require=__createRequire(import.meta.url);',
  },
});
const command = join(folder, "proxy-wasm-conformance.mjs");
await copyFile(join(here, "suite/launcher.mjs"), command);
await chmod(command, 0o755);
// Where guests.ts looks for them.
await cp(join(here, "guests/wasm"), join(folder, "wasm"), { recursive: true });
const page = await readFile(join(here, "suite/README.md"), "utf8");
const heading = "# The proxy-wasm conformance suite\n";
const note =
  "\nPaths that are named here are those of Headgate's repository, folder `conformance/suite`.\n";
await writeFile(
  join(folder, "README.md"),
  page
    .replace(heading, heading + note)
    .replaceAll(/npm run conformance(?: --)?/g, "proxy-wasm-conformance"),
);

// Before this package is packed: `headgate filter new` as one file, beside it the templates, and the
// packages that projects get from it as long as they are not published.
import { cp, rm } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { packForProjects } from "../../runtime/packages.mjs";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

await rm(at("dist"), { recursive: true, force: true });
await build({
  entryPoints: [at("../../runtime/src/cli/filter/new.ts")],
  outfile: at("dist/new.mjs"),
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  legalComments: "none",
  logLevel: "warning",
});
// Not what somebody has built there.
const isOfTemplate = (path) => !["build", "node_modules"].includes(basename(path));
await cp(at("../templates"), at("dist/templates"), { recursive: true, filter: isOfTemplate });
await packForProjects(at("dist/packages"));

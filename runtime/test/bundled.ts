// Around all tests: the proxy that they start, in one file as it is published. Its code, once compiled, is kept
// for all that start it. Made anew when a file in it has changed.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import type * as Bundle from "../bundle-proxy.mjs";
import { BUNDLE_LAUNCHER, root } from "./launcher.ts";

const cache = join(root, "node_modules/.cache");
const folder = join(cache, "headgate-bundle");
const stampFile = join(folder, "stamp");
/** What makes it, beside what is in it. */
const MAKERS = [
  "bundle-proxy.mjs",
  "bundle-constants.mjs",
  "bundle-options.mjs",
  "test/bundled.ts",
].map((name) => join(root, "runtime", name));

export default async function bundleForTests(run: TestProject): Promise<void> {
  const refresh = async (): Promise<void> => {
    if (!isFresh()) await make();
  };
  await refresh();
  run.onTestsRerun(refresh);
  process.env[BUNDLE_LAUNCHER] = join(folder, "dist/bin/headgate");
  process.env["NODE_COMPILE_CACHE"] ??= join(cache, "headgate");
}

function isFresh(): boolean {
  if (!existsSync(stampFile)) return false;
  const [made = "", ...files] = readFileSync(stampFile, "utf8").split("\n");
  return made === stampOf(files);
}

async function make(): Promise<void> {
  // Where vitest runs this, `import` has no import.meta.resolve.
  const require = createRequire(import.meta.url);
  const { bundleProxy } = require("../bundle-proxy.mjs") as typeof Bundle;
  // Made aside and moved: other runs may be starting from it.
  const aside = `${folder}-${process.pid}`;
  const dist = join(aside, "dist");
  const files = await bundleProxy(dist);
  // What stands beside it in the package, and the Node.js of the repository.
  symlinkSync("../../../../filters", join(dist, "filters"));
  mkdirSync(join(aside, "node_modules"));
  symlinkSync("../../../.bin", join(aside, "node_modules/.bin"));
  writeFileSync(join(aside, "stamp"), [stampOf(files), ...files].join("\n"));
  const old = `${aside}-old`;
  if (existsSync(folder)) renameSync(folder, old);
  renameSync(aside, folder);
  rmSync(old, { recursive: true, force: true });
}

/** Other files, other times. */
function stampOf(files: readonly string[]): string {
  return [...MAKERS, ...files]
    .map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0)
    .join();
}

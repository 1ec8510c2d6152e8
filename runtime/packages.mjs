// `npm run packages`: what a project needs outside of this repository, as npm packs it, in dist/packages.
// Plain JavaScript that reads the sources of `filter pack`: it runs on the pinned Node.js.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { bundle } from "./bundle.mjs";
import { bundleAbi } from "./bundle-testing.mjs";
import { tarOf } from "./src/cli/filter/tar-archive.ts";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..");
const sdk = join(root, "sdk-assemblyscript");

/** The two that a filter's project has, into `folder`; answers with their paths. */
export async function packForProjects(folder) {
  return await staged(async (scratch) => {
    const runtime = join(scratch, "runtime");
    await bundle(runtime);
    return [pack(runtime, folder), pack(stageSdk(join(scratch, "sdk")), folder)];
  });
}

/** `proxy-wasm-types`, for other hosts and SDKs. */
async function packAbi(folder) {
  return await staged(async (scratch) => {
    const { private: _, ...manifest } = manifestOf(join(root, "abi"));
    const exports = await bundleAbi(scratch);
    cpSync(join(root, "abi/README.md"), join(scratch, "README.md"));
    finish(scratch, { ...manifest, exports });
    return pack(scratch, folder);
  });
}

/** Its sources are what the compiler reads. */
function stageSdk(folder) {
  const { private: _, devDependencies: __, ...manifest } = manifestOf(sdk);
  for (const name of manifest.files) {
    cpSync(join(sdk, name), join(folder, name), { recursive: true });
  }
  finish(folder, manifest);
  return folder;
}

function finish(folder, manifest) {
  for (const file of ["LICENSE", "NOTICE"]) cpSync(join(root, file), join(folder, file));
  const { files: _, ...rest } = manifest;
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(rest, null, 2)}\n`);
}

/** As `npm pack` does, of all that is in the folder, and the same bytes each time. */
function pack(folder, target) {
  const { name, version } = manifestOf(folder);
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((one) => one.isFile()).map((one) => join(one.parentPath, one.name));
  const files = paths.toSorted().map((path) => ({
    name: `package/${relative(folder, path).split(sep).join("/")}`,
    content: readFileSync(path),
  }));
  mkdirSync(target, { recursive: true });
  const file = join(target, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`);
  writeFileSync(file, gzipSync(tarOf(files)));
  return file;
}

function manifestOf(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

async function staged(work) {
  const scratch = mkdtempSync(join(tmpdir(), "headgate-packages-"));
  try {
    return await work(scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** It packs those of projects again, beside its one file. */
function packCreate(folder) {
  const args = ["pack", "--silent", "--pack-destination", folder, join(sdk, "create-filter")];
  const { status, stdout } = spawnSync("npm", args, { cwd: root, encoding: "utf8" });
  if (status !== 0) throw new Error(`npm pack ended with ${status}: ${stdout}`);
  return join(folder, stdout.trim().split("\n").at(-1));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(root, "dist/packages");
  rmSync(folder, { recursive: true, force: true });
  const files = [...(await packForProjects(folder)), await packAbi(folder), packCreate(folder)];
  for (const file of files) console.log(relative(process.cwd(), file));
}

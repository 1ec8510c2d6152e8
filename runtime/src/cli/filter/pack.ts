// `headgate filter pack`: a module as an OCI image layout, in each form that somebody reads.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { UsageError } from "../args.ts";
import { ModuleError } from "../../module/module-error.ts";
import { type ModuleProfile, profileModule } from "../../module/module-profile.ts";
import { ExitCode, needed, parseFlags, readInput } from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";
import { type Descriptor, type OciImage, ociImagesOf } from "./oci-image.ts";

const flags = {
  output: { type: "string" },
  tag: { type: "string" },
  json: { type: "boolean" },
} as const;

const REF_NAME = "org.opencontainers.image.ref.name";
/** Rules of registries; the longest suffix fits, too. */
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,118}$/;

export const command: FilterCommand = {
  help: `usage: headgate filter pack FILE.wasm|FOLDER --output DIR [flags]

Writes an OCI image layout with the module in three forms, for tools that copy layouts to
registries. The same module gives the same digests. A layout that is there keeps its other tags.

  TAG                  an image whose one layer is a tar.gz with plugin.wasm ("compat"): what Istio
                       and Envoy Gateway read, and every registry takes
  TAG-artifact         an artifact of application/vnd.module.wasm.* layers, which they read, too
  TAG-wasm             an artifact with application/vnd.wasm.config.v0+json and an application/wasm
                       layer: other runtimes of WebAssembly

  FOLDER               a filter's project that has been built: the module in its build/
  --output DIR         is made when it is not there
  --tag TAG            default latest
  --json               what was written, for a machine
exit codes: 0 done; 1 Headgate would not load the module, or DIR cannot be written; 2 wrong use

examples:
  headgate filter pack build/auth.wasm --output image --tag 1.2.0
  headgate filter pack . --output image --json | jq -r .images[0].digest
  skopeo copy oci:image:1.2.0 docker://REGISTRY/filters/auth:1.2.0
  oras cp --from-oci-layout image:1.2.0-artifact REGISTRY/filters/auth:1.2.0-artifact
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const [path, ...more] = positionals;
    if (path === undefined || more.length > 0) {
      throw new UsageError(`expected one FILE.wasm or FOLDER, found ${positionals.length}`);
    }
    const folder = needed(values.output, "output");
    const tag = values.tag ?? "latest";
    if (!TAG.test(tag)) {
      const expected = 'expected letters, digits, "_", "." and "-", at most 119';
      throw new UsageError(`--tag: found ${JSON.stringify(tag)}, ${expected}`);
    }
    const file = moduleFile(path);
    const module = readInput(file, "module");
    try {
      const profile = profileModule(module, file);
      if (profile.problems.length > 0 || profile.abi === null) return refused(profile);
      const { images, blobs } = ociImagesOf(module, profile.abi);
      const tagged = images.map((image) => taggedManifest(image, tag));
      writeLayout(folder, tagged, blobs);
      const written = shown(images, tag, folder);
      const isJson = values.json === true;
      process.stdout.write(isJson ? `${JSON.stringify(written, null, 1)}\n` : textOf(written));
      for (const problem of profile.envoyProblems) {
        process.stderr.write(`warning: Envoy would not load it: ${problem}\n`);
      }
      return ExitCode.Done;
    } catch (error) {
      // A UsageError has no code: main says what was wrong.
      const isOfSystem = error instanceof Error && "code" in error;
      if (!isOfSystem && !(error instanceof ModuleError)) throw error;
      process.stderr.write(`headgate: ${(error as Error).message}\n`);
      return ExitCode.Refused;
    }
  },
};

/** A module's own path, or that of the one that a project's build has made. */
function moduleFile(path: string): string {
  if (!existsSync(path) || !statSync(path).isDirectory()) return path;
  const build = join(path, "build");
  const found = existsSync(build) ? readdirSync(build).toSorted() : [];
  const modules = found.filter((name) => name.endsWith(".wasm") && !name.endsWith(".debug.wasm"));
  if (modules.length === 1) return join(build, modules[0] as string);
  const what = modules.length === 0 ? "no module" : modules.join(", ");
  throw new UsageError(`${build}: found ${what}, expected one .wasm: build it, or name the file`);
}

function refused(profile: ModuleProfile): number {
  const problems = profile.problems.map((problem) => `  ${problem}\n`).join("");
  process.stderr.write(`headgate: ${profile.file} would not be loaded:\n${problems}`);
  return ExitCode.Refused;
}

function taggedManifest({ manifest, suffix }: OciImage, tag: string): Descriptor {
  return { ...manifest, annotations: { [REF_NAME]: tag + suffix } };
}

/** index.json is written last: what it names is there. */
function writeLayout(
  folder: string,
  manifests: readonly Descriptor[],
  blobs: ReadonlyMap<string, Buffer>,
): void {
  const others = manifestsIn(folder, new Set(manifests.map(tagOf)));
  const blobFolder = join(folder, "blobs", "sha256");
  mkdirSync(blobFolder, { recursive: true });
  for (const [digest, bytes] of blobs) {
    writeFileSync(join(blobFolder, digest.slice("sha256:".length)), bytes);
  }
  writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const mediaType = "application/vnd.oci.image.index.v1+json";
  const index = { schemaVersion: 2, mediaType, manifests: [...others, ...manifests] };
  writeFileSync(join(folder, "index.json"), JSON.stringify(index));
}

function tagOf({ annotations }: Descriptor): string {
  return annotations?.[REF_NAME] ?? "";
}

/** What a layout has already, but for these tags. A folder of something else is left alone. */
function manifestsIn(folder: string, tags: ReadonlySet<string>): readonly Descriptor[] {
  if (existsSync(folder) && !statSync(folder).isDirectory()) {
    throw new UsageError(`--output ${folder}: found a file, expected a folder`);
  }
  if (!existsSync(folder) || readdirSync(folder).length === 0) return [];
  if (!existsSync(join(folder, "oci-layout"))) {
    throw new UsageError(`--output ${folder}: found files, expected an empty folder or a layout`);
  }
  const path = join(folder, "index.json");
  if (!existsSync(path)) return [];
  let manifests: unknown;
  try {
    manifests = (JSON.parse(readFileSync(path, "utf8")) as { manifests?: unknown }).manifests;
  } catch (error) {
    throw new UsageError(`${path}: ${(error as Error).message}`);
  }
  if (!Array.isArray(manifests)) throw new UsageError(`${path}: found no list "manifests"`);
  return (manifests as Descriptor[]).filter((one) => !tags.has(tagOf(one)));
}

interface Shown {
  readonly output: string;
  readonly images: readonly { form: string; tag: string; digest: string; size: number }[];
}

function shown(images: readonly OciImage[], tag: string, output: string): Shown {
  const rows = images.map(({ form, suffix, manifest }) => {
    return { form, tag: tag + suffix, digest: manifest.digest, size: manifest.size };
  });
  return { output, images: rows };
}

function textOf({ output, images }: Shown): string {
  const width = Math.max(...images.map(({ tag }) => tag.length));
  const rows = images.map(({ tag, digest }) => `  ${tag.padEnd(width)}  ${digest}\n`);
  return `${basename(output)}: an OCI image layout\n${rows.join("")}`;
}

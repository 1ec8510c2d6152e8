// Where a new project has Headgate's own packages from, as long as they are not published: links
// to the repository's folders, or copies of what `npm run packages` made.
import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../args.ts";

/** Of the repository, by the package that is in it. */
const PARTS = {
  "@headgate/runtime": "runtime",
  "@headgate/sdk-assemblyscript": "sdk-assemblyscript",
} as const;
type PackageName = keyof typeof PARTS;
const NAMES = Object.keys(PARTS) as readonly PackageName[];
const REPOSITORY = "../../../../";
/** Beside the packed create package; in the project whose node_modules this program is in. */
const PACKED = ["./packages/", "../../../packages/"] as const;
const UNPUBLISHED = "the project's packages are not published yet";

export interface ProjectPackages {
  /** The template with what is different in such a project. */
  readonly template: "_linked" | "_packed";
  /** What package.json of the project in `folder` says, by package. */
  manifestPaths(folder: string): ReadonlyMap<string, string>;
  /** What the project has of them in it: paths from its folder, and where each is now. */
  readonly files: ReadonlyMap<string, string>;
}

/** Throws UsageError. */
export function findPackages(
  repository: string | undefined,
  packages: string | undefined,
): ProjectPackages {
  if (repository !== undefined && packages !== undefined) {
    throw new UsageError("--packages: expected no --repository beside it");
  }
  if (packages !== undefined) {
    const found = packedIn(resolve(packages));
    if (found !== null) return found;
    const expected = `${fileStart("@headgate/runtime")}VERSION.tgz as "npm run packages" makes it`;
    throw new UsageError(`--packages ${packages}: found no such packages, expected ${expected}`);
  }
  if (repository !== undefined) {
    const missing = missingIn(resolve(repository));
    if (missing === "") return linkedTo(resolve(repository));
    throw new UsageError(`--repository ${repository}: found no ${missing} (${UNPUBLISHED})`);
  }
  for (const place of PACKED) {
    const found = packedIn(fileURLToPath(new URL(place, import.meta.url)));
    if (found !== null) return found;
  }
  const own = fileURLToPath(new URL(REPOSITORY, import.meta.url));
  if (missingIn(own) === "") return linkedTo(own);
  const expected = "expected --packages with a folder of them, or --repository with the sources";
  throw new UsageError(`${UNPUBLISHED}: ${expected}`);
}

function linkedTo(root: string): ProjectPackages {
  const link = (folder: string, part: string): string =>
    `file:${relative(folder, join(root, part)).split(sep).join("/")}`;
  return {
    template: "_linked",
    manifestPaths: (folder) => new Map(NAMES.map((name) => [name, link(folder, PARTS[name])])),
    files: new Map(),
  };
}

/** "" = all of it is there. */
function missingIn(root: string): string {
  const parts = NAMES.map((name) => `${PARTS[name]}/package.json`);
  return [...parts, "abi"].find((part) => !existsSync(join(root, part))) ?? "";
}

function packedIn(folder: string): ProjectPackages | null {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) return null;
  const present = readdirSync(folder);
  const files = new Map<PackageName, string>();
  for (const name of NAMES) {
    const isIts = (file: string): boolean =>
      file.startsWith(fileStart(name)) && file.endsWith(".tgz");
    // Of several versions the last one.
    const file = present.filter(isIts).sort(byVersion).at(-1);
    if (file === undefined) return null;
    files.set(name, file);
  }
  return {
    template: "_packed",
    manifestPaths: () => new Map([...files].map(([name, file]) => [name, `file:packages/${file}`])),
    files: new Map([...files.values()].map((file) => [`packages/${file}`, join(folder, file)])),
  };
}

function byVersion(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}

/** As npm names what it packs. */
function fileStart(name: PackageName): string {
  return `${name.replace("@", "").replace("/", "-")}-`;
}

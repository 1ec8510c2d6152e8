// The files of a new project: templates under its name. All of them, or none.
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import type { ProjectPackages } from "./project-packages.ts";

export interface NewProject {
  readonly folder: string;
  readonly name: string;
  /** Folders of templates, no file in two of them. */
  readonly sources: readonly string[];
  readonly packages: ProjectPackages;
}

/** Answers with the names of the files, from the project's folder. Throws what the system says. */
export function writeProject({ folder, name, sources, packages }: NewProject): readonly string[] {
  const made: string[] = [];
  const write = (path: string, writeTo: (target: string) => void): string => {
    const target = join(folder, path);
    makeFolder(dirname(target), made);
    made.push(target);
    writeTo(target);
    return path.split(sep).join("/");
  };
  try {
    const own = sources.flatMap(templateFiles).map(({ path, text }) => {
      const named = text
        .replaceAll("my-filter", name)
        .replaceAll("my_filter", name.replaceAll("-", "_"));
      const content =
        path === "package.json" ? withPlaces(named, packages.manifestPaths(folder)) : named;
      return write(path, (target) => writeFileSync(target, content, { flag: "wx" }));
    });
    const copies = [...packages.files].map(([path, from]) =>
      write(path, (target) => copyFileSync(from, target)),
    );
    return [...own, ...copies].sort();
  } catch (error) {
    undo(made);
    throw error;
  }
}

function templateFiles(source: string): { path: string; text: string }[] {
  const entries = readdirSync(source, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !isMade(relative(source, entry.parentPath)))
    .map((entry) => {
      const from = join(entry.parentPath, entry.name);
      // Under their own names these would be about the templates' folder.
      const path = relative(source, from).replace(/(^|[\\/])dot-/g, "$1.");
      return { path, text: readFileSync(from, "utf8") };
    });
}

/** Tests of the templates in the repository may leave something behind. */
function isMade(folder: string): boolean {
  return folder.split(sep).some((part) => part === "build" || part === "node_modules");
}

function withPlaces(text: string, packages: ReadonlyMap<string, string>): string {
  const manifest = JSON.parse(text) as { devDependencies: Record<string, string> };
  for (const [name, place] of packages) manifest.devDependencies[name] = place;
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

/** Step by step: `recursive` never ends where the system says ENOENT below a folder (/proc). */
function makeFolder(folder: string, made: string[]): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder), made);
  mkdirSync(folder);
  made.push(folder);
}

/** The last first: a folder is empty when it is its turn. What cannot be removed stays. */
function undo(made: readonly string[]): void {
  for (const path of made.toReversed()) {
    for (const remove of [unlinkSync, rmdirSync]) {
      try {
        remove(path);
      } catch {
        // It is of the other kind; why the project was not written is told.
      }
    }
  }
}

// `headgate filter new`: a project of one's own, copied from a template.
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../args.ts";
import { ExitCode, parseFlags } from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";

/** Beside the bundle; among the sources. */
const TEMPLATES = ["./templates/", "../../../../sdk-assemblyscript/templates/"] as const;
const REPOSITORY = "../../../../";
/** Of the repository, by the package that is in it. */
const PACKAGES = {
  "@headgate/runtime": "runtime",
  "@headgate/sdk-assemblyscript": "sdk-assemblyscript",
};
/** What all templates begin with. */
const COMMON = "_common";
const TEMPLATE_DEFAULT = "headers";
const NAME = /^[a-z](?:-?[a-z0-9])*$/;
const NAME_CHARACTERS_MAX = 64;

const flags = {
  template: { type: "string" },
  repository: { type: "string" },
  json: { type: "boolean" },
} as const;

export const command: FilterCommand = {
  help: `usage: headgate filter new NAME [flags]

Writes the project of a filter into the folder NAME: source, tests, envoy.yaml, and what the
compiler, an editor, a linter and GitHub need. The folder must be empty or not there; its last part
is the name.

  --template NAME      what to begin with, default ${TEMPLATE_DEFAULT}:
                         headers  changes headers of requests and responses
                         auth     asks for API keys, answers 401 by itself
                         body     replaces text in bodies of responses
                         tcp      looks at the first bytes of TCP connections
                         callout  asks a service before a request may pass
  --repository FOLDER  Headgate's sources, whose packages the project links to as long as they
                       are not published; default: those that this program runs from
  --json               name, template, folder and files, for a machine
exit codes: 0 done; 1 the folder is in use, or cannot be written; 2 wrong use

examples:
  headgate filter new my-filter
  headgate filter new filters/api-keys --template auth
`,
  run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const [target, ...more] = positionals;
    if (target === undefined || more.length > 0) {
      throw new UsageError(`expected one NAME, found ${positionals.length}`);
    }
    const folder = resolve(target);
    const name = checkedName(basename(folder));
    const templates = templatesFolder();
    const template = checkedTemplate(templates, values.template ?? TEMPLATE_DEFAULT);
    const packages = packagesOf(folder, values.repository);
    const problem = whyNotInto(folder);
    if (problem !== "") {
      process.stderr.write(`headgate: ${problem}\n`);
      return Promise.resolve(ExitCode.Refused);
    }
    try {
      const sources = [join(templates, COMMON), join(templates, template)];
      const files = sources.flatMap((source) => copy(source, folder, name, packages)).sort();
      const made = { name, template, folder, files };
      const text = values.json === true ? `${JSON.stringify(made, null, 1)}\n` : nextSteps(made);
      process.stdout.write(text);
      return Promise.resolve(ExitCode.Done);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      process.stderr.write(`headgate: ${folder} cannot be written: ${message}\n`);
      return Promise.resolve(ExitCode.Refused);
    }
  },
};

interface MadeProject {
  readonly name: string;
  readonly template: string;
  readonly folder: string;
  readonly files: readonly string[];
}

function checkedName(name: string): string {
  if (NAME.test(name) && name.length <= NAME_CHARACTERS_MAX) return name;
  const expected = "lower-case letters, digits and single dashes, with a letter first";
  const most = `at most ${NAME_CHARACTERS_MAX} characters`;
  throw new UsageError(`found "${name}" as the name, expected ${expected}, ${most}`);
}

function templatesFolder(): string {
  const places = TEMPLATES.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new UsageError("the templates were not installed");
  return found;
}

function checkedTemplate(templates: string, template: string): string {
  const names = readdirSync(templates).filter((name) => name !== COMMON);
  if (names.includes(template)) return template;
  throw new UsageError(`--template: found ${template}, expected one of ${names.join(", ")}`);
}

/** What package.json says for each package: a path from the project. */
function packagesOf(folder: string, repository: string | undefined): ReadonlyMap<string, string> {
  const root = resolve(repository ?? fileURLToPath(new URL(REPOSITORY, import.meta.url)));
  const links = Object.entries(PACKAGES).map(([name, part]): [string, string] => {
    const path = join(root, part);
    if (!existsSync(join(path, "package.json")) || !existsSync(join(path, "..", "abi"))) {
      const why = "the project's packages are not published yet";
      throw new UsageError(
        repository === undefined
          ? `${why}: expected --repository with the folder of Headgate's sources`
          : `--repository ${repository}: found no ${part}/package.json (${why})`,
      );
    }
    return [name, `file:${relative(folder, path).split(sep).join("/")}`];
  });
  return new Map(links);
}

/** "" = it may be written. */
function whyNotInto(folder: string): string {
  if (!existsSync(folder)) return "";
  if (!statSync(folder).isDirectory()) return `${folder} is a file, expected a folder or nothing`;
  const [first] = readdirSync(folder);
  return first === undefined ? "" : `${folder} is not empty: it has ${first}, expected no files`;
}

/** The names of the files, from the project's folder. */
function copy(
  source: string,
  folder: string,
  name: string,
  packages: ReadonlyMap<string, string>,
): string[] {
  const entries = readdirSync(source, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !isMade(relative(source, entry.parentPath)))
    .map((entry) => {
      const from = join(entry.parentPath, entry.name);
      // Under their own names these would be about the templates' folder.
      const path = relative(source, from).replace(/(^|[\\/])dot-/g, "$1.");
      const text = readFileSync(from, "utf8")
        .replaceAll("my-filter", name)
        .replaceAll("my_filter", name.replaceAll("-", "_"));
      const target = join(folder, path);
      mkdirSync(dirname(target), { recursive: true });
      writeFileSync(target, path === "package.json" ? linked(text, packages) : text, {
        flag: "wx",
      });
      return path.split(sep).join("/");
    });
}

/** Tests of the templates in the repository may leave something behind. */
function isMade(folder: string): boolean {
  return folder.split(sep).some((part) => part === "build" || part === "node_modules");
}

function linked(text: string, packages: ReadonlyMap<string, string>): string {
  const manifest = JSON.parse(text) as { devDependencies: Record<string, string> };
  for (const [name, place] of packages) manifest.devDependencies[name] = place;
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

function nextSteps({ name, template, folder, files }: MadeProject): string {
  const shown = relative(process.cwd(), folder) || ".";
  return `${shown}: a filter of template ${template}, ${files.length} files

  assembly/index.ts     the filter
  test/filter.test.ts   its tests
  envoy.yaml            a proxy with it

Next:
${shown === "." ? "" : `  cd ${shown}\n`}  npm install
  npm test              the first run compiles, a few seconds
  npm start             serves it, with an echo behind it, and swaps it with each save
  npm run check -- --watch
  npm run build         build/${name}.wasm, for Headgate and Envoy
  npx headgate -c envoy.yaml
`;
}

// `headgate filter new`: a project of one's own, copied from a template.
import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { UsageError } from "../args.ts";
import { ExitCode, parseFlags } from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";
import { writeProject } from "./project-files.ts";
import { findPackages } from "./project-packages.ts";

/** Beside the bundle; among the sources. */
const TEMPLATES = ["./templates/", "../../../../sdk-assemblyscript/templates/"] as const;
/** What all templates begin with. */
const COMMON = "_common";
const TEMPLATE_DEFAULT = "headers";
const NAME = /^[a-z](?:-?[a-z0-9])*$/;
const NAME_CHARACTERS_MAX = 64;

const flags = {
  template: { type: "string" },
  repository: { type: "string" },
  packages: { type: "string" },
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
  --packages FOLDER    with Headgate's packages, as long as they are not published: the project
                       gets copies of them (npm run packages makes such a folder of the sources)
  --repository FOLDER  Headgate's sources: the project links to the packages in them
                       default: the packages that came with this program, or its own sources
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
    if (target === "") throw new UsageError('expected a NAME, found ""');
    const folder = realFolder(resolve(target));
    const templates = templatesFolder();
    const name = checkedName(basename(folder), templates);
    const template = checkedTemplate(templates, values.template ?? TEMPLATE_DEFAULT);
    const packages = findPackages(values.repository, values.packages);
    try {
      const problem = whyNotInto(folder);
      if (problem !== "") return refused(problem);
      const sources = [COMMON, packages.template, template].map((one) => join(templates, one));
      const files = writeProject({ folder, name, sources, packages });
      const made = { name, template, folder, files };
      const text = values.json === true ? `${JSON.stringify(made, null, 1)}\n` : nextSteps(made);
      process.stdout.write(text);
      return Promise.resolve(ExitCode.Done);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === undefined) throw error;
      return refused(`${folder} cannot be written: ${message}`);
    }
  },
};

function refused(problem: string): Promise<number> {
  process.stderr.write(`headgate: ${problem}\n`);
  return Promise.resolve(ExitCode.Refused);
}

/** Without links, because npm follows paths such as "../.." in the folder that it is really in. */
function realFolder(path: string): string {
  const above = dirname(path);
  try {
    return above === path ? path : realpathSync(path);
  } catch {
    return join(realFolder(above), basename(path));
  }
}

interface MadeProject {
  readonly name: string;
  readonly template: string;
  readonly folder: string;
  readonly files: readonly string[];
}

function checkedName(name: string, templates: string): string {
  if (!NAME.test(name) || name.length > NAME_CHARACTERS_MAX) {
    const expected = "lower-case letters, digits and single dashes, with a letter first";
    const most = `at most ${NAME_CHARACTERS_MAX} characters`;
    throw new UsageError(`found "${name}" as the name, expected ${expected}, ${most}`);
  }
  const manifest = readFileSync(join(templates, COMMON, "package.json"), "utf8");
  const { devDependencies } = JSON.parse(manifest) as { devDependencies: object };
  if (!Object.hasOwn(devDependencies, name)) return name;
  throw new UsageError(`found "${name}" as the name, expected none of a package that it needs`);
}

function templatesFolder(): string {
  const places = TEMPLATES.map((place) => fileURLToPath(new URL(place, import.meta.url)));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new UsageError("the templates were not installed");
  return found;
}

function checkedTemplate(templates: string, template: string): string {
  const names = readdirSync(templates).filter((name) => !name.startsWith("_"));
  if (names.includes(template)) return template;
  throw new UsageError(`--template: found ${template}, expected one of ${names.join(", ")}`);
}

/** "" = it may be written. */
function whyNotInto(folder: string): string {
  if (!existsSync(folder)) return "";
  if (!statSync(folder).isDirectory()) return `${folder} is a file, expected a folder or nothing`;
  const [first] = readdirSync(folder);
  return first === undefined ? "" : `${folder} is not empty: it has ${first}, expected no files`;
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

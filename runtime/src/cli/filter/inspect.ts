// `headgate filter inspect`: what a module is, needs and weighs, and who would not load it.
import { UsageError } from "../args.ts";
import { ModuleError } from "../../module/module-error.ts";
import { type ModuleProfile, profileModule } from "../../module/module-profile.ts";
import { ExitCode, parseFlags, readInput } from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";

const FUNCTIONS = 10;
const GROUPS = 8;

const flags = { functions: { type: "string" }, json: { type: "boolean" } } as const;

export const command: FilterCommand = {
  help: `usage: headgate filter inspect FILE.wasm [flags]

Tells the ABI, language and compiler, imports, hooks, memory, sections, the size of functions, and
what is odd: of a module of any SDK, also of one that no proxy would load. Nothing of it is run.

  --functions N        so many of the largest functions, default ${FUNCTIONS}
  --json               all of it, every function too, for a machine
exit codes: 0 Headgate would load it; 1 it would not, or it is no module; 2 wrong use

examples:
  headgate filter inspect build/auth.wasm
  headgate filter inspect build/auth.wasm --functions 30
  headgate filter inspect build/auth.wasm --json | jq .envoyProblems
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const [file, ...more] = positionals;
    if (file === undefined || more.length > 0) {
      throw new UsageError(`expected one FILE.wasm, found ${positionals.length}`);
    }
    const count = Number(values.functions ?? FUNCTIONS);
    if (!Number.isInteger(count) || count < 0) {
      throw new UsageError(`--functions: found ${values.functions}, expected a number`);
    }
    try {
      const profile = profileModule(readInput(file, "module"), file);
      const isJson = values.json === true;
      process.stdout.write(
        isJson ? `${JSON.stringify(profile, null, 1)}\n` : textOf(profile, count),
      );
      return profile.problems.length === 0 ? ExitCode.Done : ExitCode.Refused;
    } catch (error) {
      if (!(error instanceof ModuleError)) throw error;
      process.stderr.write(`headgate: ${error.message}\n`);
      return ExitCode.Refused;
    }
  },
};

/** For people; what is most wanted stands first. */
function textOf(profile: ModuleProfile, count: number): string {
  const { origin, functions } = profile;
  const compiler = origin.compiler === "" ? "" : `, ${origin.compiler}`;
  const language = origin.language === "" ? "unknown" : `${origin.language}${compiler}`;
  const hooks = profile.hooks.map(({ name, isTrivial }) => name + (isTrivial ? " (empty)" : ""));
  const lines = [
    `${profile.file}: ${sizeText(profile.bytes)}, ${sizeText(profile.strippedBytes)} stripped`,
    "",
    row("sha256", profile.sha256),
    row("abi", profile.abi ?? "none that is known"),
    row("made by", `${language} (${origin.evidence})`),
    row("memory", memoryText(profile.memory)),
    row("features", profile.features.length === 0 ? "none" : profile.features.join(", ")),
    row("start", profile.start === null ? "no start section" : `runs ${profile.start}`),
    ...list("hooks", hooks),
    ...list(
      "imports",
      profile.imports.map(({ module, name, type }) => `${module}.${name} ${type}`),
    ),
    ...list("exports", profile.exports),
    ...list(
      "sections",
      profile.sections.map(({ name, bytes }) => `${padded(bytes)}  ${name}`),
    ),
    ...list(
      `functions: ${functions.count}, ${sizeText(functions.codeBytes)}`,
      functions.largest.slice(0, count).map(({ index, name, bytes }) => {
        return `${padded(bytes)}  ${name === "" ? `function ${index}` : name}`;
      }),
    ),
    ...list(
      "by library",
      functions.groups.slice(0, GROUPS).map(({ name, bytes }) => `${padded(bytes)}  ${name}`),
    ),
    ...list("warnings", profile.warnings),
    ...list("Envoy would not load it", profile.envoyProblems),
    ...list("Headgate would not load it", profile.problems),
  ];
  return `${lines.join("\n")}\n`;
}

function row(name: string, value: string): string {
  return `${name.padEnd(9)} ${value}`;
}

/** Nothing for none. */
function list(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];
}

function memoryText(memory: ModuleProfile["memory"]): string {
  if (memory === null) return "none";
  const { minimumPages, maximumPages, from } = memory;
  const most = maximumPages === null ? "no maximum" : `at most ${pagesText(maximumPages)}`;
  const whose = from === "import" ? ", from the host" : "";
  return `${pagesText(minimumPages)} at the start, ${most}${whose}`;
}

function pagesText(pages: number): string {
  const kib = pages * 64;
  const size = kib < 1024 ? `${kib} KiB` : `${Number((kib / 1024).toFixed(1))} MiB`;
  return `${pages} page${pages === 1 ? "" : "s"} (${size})`;
}

function sizeText(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${(bytes / 1024).toFixed(1)} KiB`;
}

function padded(bytes: number): string {
  return String(bytes).padStart(9);
}

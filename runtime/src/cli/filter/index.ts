// `headgate filter COMMAND`: one file for each command, loaded when it is asked for.
import { UsageError } from "../args.ts";
import { ExitCode } from "./admin-client.ts";

export interface FilterCommand {
  /** The text of --help, with examples. */
  readonly help: string;
  /** Resolves with the exit code. Throws UsageError. */
  run(argv: readonly string[]): Promise<number>;
}

interface Entry {
  readonly summary: string;
  load(): Promise<{ readonly command: FilterCommand }>;
}

/** In the order of the help text. */
const commands: Readonly<Record<string, Entry>> = {
  new: {
    summary: "writes the project of a filter: source, tests, envoy.yaml",
    load: () => import("./new.ts"),
  },
  build: {
    summary: "compiles a project, and tells what weighs how much",
    load: () => import("./build.ts"),
  },
  check: {
    summary: "tells the compiler's errors, with --watch after each save",
    load: () => import("./check.ts"),
  },
  test: {
    summary: "runs a project's tests",
    load: () => import("./test.ts"),
  },
  run: {
    summary: "serves a filter with an echo upstream, and swaps it with each save",
    load: () => import("./run.ts"),
  },
  inspect: {
    summary: "tells what a module is, needs and weighs, and who would not load it",
    load: () => import("./inspect.ts"),
  },
  symbolicate: {
    summary: "adds the author's lines to a backtrace that tells offsets",
    load: () => import("./symbolicate.ts"),
  },
  pack: {
    summary: "writes a module as OCI images, for registries",
    load: () => import("./pack.ts"),
  },
  push: {
    summary: "puts a module into a running process, for all streams, as a canary or in the shadow",
    load: () => import("./push.ts"),
  },
  promote: {
    summary: "gives the version that is tried all streams",
    load: () => import("./promote.ts"),
  },
  rollback: {
    summary: "ends a canary or a shadow, or goes back to the version before",
    load: () => import("./rollback.ts"),
  },
  shadow: {
    summary: "tells what the version in the shadow does in another way",
    load: () => import("./shadow.ts"),
  },
  versions: {
    summary: "lists the versions of a process' plugins and what they do",
    load: () => import("./versions.ts"),
  },
};

export async function run(argv: readonly string[]): Promise<number> {
  const [name = "", ...rest] = argv;
  if (name === "" || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(helpText());
    return name === "" ? 2 : 0;
  }
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) {
    const names = Object.keys(commands).join(", ");
    throw new UsageError(`unknown command "filter ${name}", expected one of ${names}`);
  }
  const { command } = await entry.load();
  if (rest.includes("--help") || rest.includes("-h")) {
    process.stdout.write(command.help);
    return 0;
  }
  try {
    return await command.run(rest);
  } catch (error) {
    if (error instanceof UsageError) error.help = `headgate filter ${name} --help`;
    // What cannot be read or written says so itself, with the path.
    const isOfFiles = error instanceof Error && "syscall" in error && "path" in error;
    if (!isOfFiles) throw error;
    process.stderr.write(`headgate: ${error.message}\n`);
    return ExitCode.Refused;
  }
}

function helpText(): string {
  const lines = Object.entries(commands).map(([name, { summary }]) => {
    return `  ${name.padEnd(12)} ${summary}`;
  });
  const more = "headgate filter COMMAND --help tells more";
  return `usage: headgate filter COMMAND [flags]\n\n${lines.join("\n")}\n\n${more}\n`;
}

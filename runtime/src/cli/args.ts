// Turns the command line into options: Envoy's syntax (--flag value, --flag=value, -c value).
import { flags } from "./flags.ts";
import type { Flag } from "./flags.ts";

/** The parsed command line; undefined = not given. */
export interface CommandLine {
  readonly values: ReadonlyMap<string, string>;
  /** Flags that were given and have no effect. */
  readonly withoutEffect: readonly string[];
}

/** Wrong use of the command line; the message is for the terminal. */
export class UsageError extends Error {
  /** Where more is told. */
  help: string = "headgate --help";

  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

const byName: ReadonlyMap<string, Flag> = new Map(flags.map((flag) => [flag.name, flag]));
const byShort: ReadonlyMap<string, Flag> = new Map(
  flags.flatMap((flag): [string, Flag][] => (flag.short === undefined ? [] : [[flag.short, flag]])),
);

/** Throws UsageError. Everything after "--" is ignored, as Envoy does. */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const values = new Map<string, string>();
  const withoutEffect: string[] = [];
  for (let i = 0; i < argv.length; i += 1) {
    const arg = argv[i] as string;
    if (arg === "--" || arg === "--ignore_rest") break;
    const { flag, inline } = flagOf(arg);
    let value = inline;
    if (flag.type === "boolean") {
      if (value !== null) throw new UsageError(`--${flag.name} takes no value, found "${value}"`);
      value = "true";
    } else if (value === null) {
      i += 1;
      const next = argv[i];
      if (next === undefined) throw new UsageError(`--${flag.name} needs a value`);
      value = next;
    }
    checkValue(flag, value);
    if (values.has(flag.name) && flag.multiple !== true) {
      throw new UsageError(`--${flag.name} is given twice`);
    }
    values.set(flag.name, value);
    if (flag.status === "accepted") withoutEffect.push(flag.name);
  }
  return { values, withoutEffect };
}

function flagOf(arg: string): { flag: Flag; inline: string | null } {
  const long = /^--([a-z0-9-]+)(?:=([\s\S]*))?$/.exec(arg);
  if (long !== null) {
    const flag = byName.get(long[1] as string);
    if (flag === undefined) throw new UsageError(`unknown flag ${arg.split("=")[0] as string}`);
    return { flag, inline: long[2] ?? null };
  }
  const short = /^-([a-z])([\s\S]*)$/.exec(arg);
  const flag = short === null ? undefined : byShort.get(short[1] as string);
  if (short === null || flag === undefined) throw new UsageError(`unknown argument "${arg}"`);
  const rest = short[2] as string;
  return { flag, inline: rest === "" ? null : rest.replace(/^=/, "") };
}

function checkValue(flag: Flag, value: string): void {
  if (flag.type === "uint" && !(/^\d{1,10}$/.test(value) && Number(value) <= 0xffffffff)) {
    throw new UsageError(`--${flag.name} expects a number from 0 to 4294967295, found "${value}"`);
  }
  if (flag.values !== undefined && !flag.values.includes(value)) {
    throw new UsageError(
      `--${flag.name} expects one of ${flag.values.join(", ")}, found "${value}"`,
    );
  }
}

/** The text of --help. */
export function helpText(): string {
  const lines = [
    "usage: headgate -c FILE [flags]",
    "       headgate filter COMMAND [flags]",
    "       headgate top --admin URL",
    "",
  ];
  for (const flag of flags.filter((f) => f.status !== "accepted")) lines.push(helpLine(flag));
  lines.push("", "Envoy's flags without effect here:");
  const names = flags.filter((f) => f.status === "accepted").map((f) => `--${f.name}`);
  for (let i = 0; i < names.length; i += 3) lines.push(`  ${names.slice(i, i + 3).join(" ")}`);
  return `${lines.join("\n")}\n`;
}

function helpLine(flag: Flag): string {
  const short = flag.short === undefined ? "" : `-${flag.short}, `;
  const argument = flag.type === "boolean" ? "" : flag.type === "uint" ? " N" : " TEXT";
  const left = `  ${short}--${flag.name}${argument}`;
  return left.length > 33
    ? `${left}\n${" ".repeat(35)}${flag.help}`
    : `${left.padEnd(35)}${flag.help}`;
}

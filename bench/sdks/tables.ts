// From what --sdks measured to the tables of the SDK's page.
import { readFileSync, writeFileSync } from "node:fs";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { median, quartiles } from "../arithmetic.ts";
import { type Sample, whereLine } from "../report.ts";
import {
  FILTERS,
  type FilterName,
  LABELS,
  type Language,
  LANGUAGES,
  linesOfBindings,
  linesOfFilter,
} from "./sources.ts";

/** A module, and what making it took. */
export interface Built {
  readonly language: Language;
  readonly filter: FilterName;
  readonly file: string;
  readonly cleanSeconds: number;
  readonly editSeconds: readonly number[];
  /** Bytes. */
  readonly stripped: number;
  readonly withNames: number;
}

export type Rounds = (Sample | undefined)[];

/** By "PROXY LANGUAGE FILTER"; in place of a language "router", and "again" for a second one. */
export type Measured = Readonly<Record<string, Rounds>>;

interface Facts {
  /** What each language's modules were made by. */
  readonly words: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
}

const KIB = 1024;

/** Microseconds over the router alone, round by round. */
function costsOf(measured: Measured, proxy: string, name: string, filter: FilterName): number[] {
  const router = measured[`${proxy} router ${filter}`] ?? [];
  return (measured[`${proxy} ${name} ${filter}`] ?? []).flatMap((sample, round) => {
    const base = router[round];
    return sample === undefined || base === undefined ? [] : [sample.cpuUs - base.cpuUs];
  });
}

function ofRounds(values: readonly number[]): string {
  if (values.length === 0) return "-";
  const [low, high] = quartiles(values);
  return `${median(values).toFixed(1)} (${low.toFixed(1)} to ${high.toFixed(1)})`;
}

/** To the AssemblyScript filter's, round by round. */
function ratioOf(values: readonly number[], base: readonly number[]): string {
  const ratios = values.flatMap((value, round) => {
    const other = base[round] ?? 0;
    return other > 0 ? [value / other] : [];
  });
  return ratios.length === 0 ? "" : `, ${median(ratios).toFixed(1)}x`;
}

function seconds(values: readonly number[]): string {
  if (values.length === 0) return "-";
  const text = [median(values), Math.min(...values), Math.max(...values)].map((one) =>
    one.toFixed(one < 10 ? 1 : 0),
  );
  return text[1] === text[2] ? `${text[0]}` : `${text[0]} (${text[1]} to ${text[2]})`;
}

function kib(bytes: number): string {
  return bytes < 100 * KIB ? (bytes / KIB).toFixed(1) : (bytes / KIB).toFixed(0);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function costTable(measured: Measured, languages: readonly Language[]): string {
  const rows = ["headgate", "envoy"].flatMap((proxy) => {
    const name = proxy === "envoy" ? "Envoy" : "Headgate";
    const all = languages.map((language) => [
      `${name}, ${LABELS[language]}`,
      ...FILTERS.map((filter) => {
        const costs = costsOf(measured, proxy, language, filter);
        const isBase = language === "as";
        const base = isBase ? [] : costsOf(measured, proxy, "as", filter);
        return ofRounds(costs) + ratioOf(costs, base);
      }),
    ]);
    const again = ofRounds(costsOf(measured, proxy, "again", "header"));
    return [...all, [`${name}, the router again (A/A)`, again, "", ""]];
  });
  return table(["CPU of a request over the router alone, us", ...FILTERS], rows);
}

function moduleTable(built: readonly Built[], languages: readonly Language[]): string {
  const rows = languages.map((language) => {
    const own = FILTERS.flatMap((filter) =>
      built.filter((one) => one.language === language && one.filter === filter),
    );
    const bindings = linesOfBindings(language);
    return [
      LABELS[language],
      own.map((one) => kib(one.stripped)).join(", "),
      own.map((one) => kib(one.withNames)).join(", "),
      FILTERS.map((filter) => linesOfFilter(language, filter)).join(", ") +
        (bindings === 0 ? "" : ` + ${bindings}`),
      seconds(own.map((one) => one.cleanSeconds)),
      seconds(own.flatMap((one) => one.editSeconds)),
    ];
  });
  const three = FILTERS.join(", ");
  const head = [
    three,
    "KiB, stripped",
    "KiB, with names",
    "lines + bindings",
    "clean build, s",
    "after an edit, s",
  ];
  return table(head, rows);
}

export function sdkTables(built: readonly Built[], measured: Measured, facts: Facts): string {
  const languages = LANGUAGES.filter((one) => built.some(({ language }) => language === one));
  const how = `Costs are of ${facts.rounds} rounds, in each two plays of ${facts.seconds} s, mirrored, with 64 connections`;
  return [
    moduleTable(built, languages),
    costTable(measured, languages),
    `${how}: medians of differences round by round, with quartiles; "x" is the median of ratios to\n` +
      "AssemblyScript's. A/A is a second router: what it differs by is noise.",
    [...facts.words, whereLine()].map((word) => `- ${word}`).join("\n"),
  ].join("\n\n");
}

const PAGE: string = fileURLToPath(new URL("../../sdk-assemblyscript/README.md", import.meta.url));
const FROM = "<!-- npm run bench -- --sdks --markdown writes this -->\n";
const TO = "<!-- to here -->\n";

/** Puts the tables between the marks of the SDK's page, and gives its path. */
export function publish(tables: string, page: string = PAGE): string {
  const text = readFileSync(page, "utf8");
  const [from, to] = [text.indexOf(FROM), text.indexOf(TO)];
  if (from < 0 || to < from) throw new Error(`${page}: no marks ${FROM.trim()} and ${TO.trim()}`);
  writeFileSync(page, `${text.slice(0, from + FROM.length)}\n${tables}\n\n${text.slice(to)}`);
  return relative(process.cwd(), page);
}

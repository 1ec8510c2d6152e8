// Reads the table of conformance/KNOWN_DIFFERENCES.md and decides which differences it covers.
import type { Difference } from "./diff.ts";

/** One row of the table. */
export interface KnownDifference {
  /** Case ids; `*` stands for any text. */
  readonly cases: readonly string[];
  /** Aspects; `*` stands for any text. */
  readonly aspects: readonly string[];
  readonly what: string;
  readonly why: string;
  /** Line of the page, from 1. */
  readonly line: number;
}

/** Differences that no row covers, and cases of rows that showed none. */
export interface Verdict {
  readonly unlisted: readonly Difference[];
  readonly healed: readonly string[];
}

const HEADING = "## Measured by the harness";

function cells(row: string): string[] {
  return row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
}

function names(cell: string): string[] {
  return cell
    .split(",")
    .map((name) => name.trim().replaceAll("`", ""))
    .filter((name) => name !== "");
}

/** The rows under the heading `Measured by the harness`. Throws on a row of the wrong form. */
export function parseKnownDifferences(page: string): KnownDifference[] {
  const known: KnownDifference[] = [];
  let isInside = false;
  for (const [at, text] of page.split("\n").entries()) {
    if (text.startsWith("## ")) isInside = text.trim() === HEADING;
    if (!isInside || !text.startsWith("|") || /^\|[ :|-]+\|$/.test(text)) continue;
    const row = cells(text);
    if (row[0] === "case") continue;
    const [cases = "", aspects = "", what = "", why = ""] = row;
    if (row.length !== 4 || row.some((cell) => cell === "")) {
      throw new Error(`KNOWN_DIFFERENCES.md:${at + 1}: expected | case | aspect | what | why |`);
    }
    known.push({ cases: names(cases), aspects: names(aspects), what, why, line: at + 1 });
  }
  return known;
}

/** Whether `name` is what `pattern` stands for. */
export function matchesName(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(name);
}

/** Whether a row names this. */
export function isListed(
  known: readonly KnownDifference[],
  one: Pick<Difference, "caseId" | "aspect">,
): boolean {
  return known.some((row) => covers(row, one));
}

function covers(row: KnownDifference, difference: Pick<Difference, "caseId" | "aspect">): boolean {
  return (
    row.cases.some((pattern) => matchesName(pattern, difference.caseId)) &&
    row.aspects.some((pattern) => matchesName(pattern, difference.aspect))
  );
}

/** Sorts differences of the cases that ran. A case pattern of which no case ran is not healed. */
export function judge(
  known: readonly KnownDifference[],
  differences: readonly Difference[],
  ranIds: readonly string[],
): Verdict {
  const unlisted = differences.filter((one) => !isListed(known, one));
  const healed: string[] = [];
  for (const row of known) {
    for (const pattern of row.cases) {
      if (!ranIds.some((id) => matchesName(pattern, id))) continue;
      const only = { ...row, cases: [pattern] };
      if (differences.some((one) => covers(only, one))) continue;
      const aspects = row.aspects.join(", ");
      healed.push(`KNOWN_DIFFERENCES.md:${row.line}: ${pattern} no longer differs in ${aspects}`);
    }
  }
  return { unlisted, healed };
}

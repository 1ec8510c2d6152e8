// The three filters in the four languages: where their sources are, and how many lines these have.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const FILTERS = ["header", "auth", "body"] as const;
export type FilterName = (typeof FILTERS)[number];

export const LANGUAGES = ["as", "rust", "go", "c"] as const;
export type Language = (typeof LANGUAGES)[number];

export const LABELS: Readonly<Record<Language, string>> = {
  as: "AssemblyScript",
  rust: "Rust SDK",
  go: "Go",
  c: "C",
};

export const FOLDER: string = fileURLToPath(new URL(".", import.meta.url));

/** Where C's bindings are. */
export const C_BINDINGS: string = fileURLToPath(
  new URL("../../conformance/guests/c", import.meta.url),
);

/** From the folder of sources. */
export function sourceOf(language: Language, filter: FilterName): string {
  if (language === "as") return `as/${filter}/assembly/index.ts`;
  if (language === "go") return `go/${filter}/main.go`;
  return language === "rust" ? `rust/${filter}.rs` : `c/${filter}.c`;
}

/** What stands between the ABI and the filters; nothing where an SDK does. */
const BINDINGS: Readonly<Record<Language, readonly string[]>> = {
  as: [],
  rust: [],
  go: [`${FOLDER}go/proxywasm/proxywasm.go`],
  c: [`${C_BINDINGS}/proxy-wasm.h`, `${FOLDER}c/id-map.h`],
};

/** Lines that are neither empty nor nothing but comment. Go's `//go:` lines are code. */
export function linesOfCode(text: string): number {
  let isInComment = false;
  let count = 0;
  for (const line of text.split("\n").map((one) => one.trim())) {
    if (line.startsWith("/*")) isInComment = true;
    if (isInComment) {
      if (line.endsWith("*/")) isInComment = false;
    } else if (line !== "" && (!line.startsWith("//") || line.startsWith("//go:"))) count += 1;
  }
  return count;
}

export function linesOfFilter(language: Language, filter: FilterName): number {
  return linesOfCode(readFileSync(FOLDER + sourceOf(language, filter), "utf8"));
}

/** Lines of bindings of one's own. */
export function linesOfBindings(language: Language): number {
  const texts = BINDINGS[language].map((file) => readFileSync(file, "utf8"));
  return texts.reduce((sum, text) => sum + linesOfCode(text), 0);
}

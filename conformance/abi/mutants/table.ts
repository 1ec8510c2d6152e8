// `npm run mutants`: writes MUTANTS.md, which broken host fails which case first.
import { writeFileSync } from "node:fs";
import { catcher } from "./catch.ts";
import { mutants } from "./mutants.ts";

const rows: string[] = [];
for (const mutant of mutants)
  rows.push(`| ${mutant.name} | ${(await catcher(mutant)) ?? "nothing"} |`);
const text = [
  "# Hosts that are broken on purpose\n",
  "Written by `npm run mutants`. `mutants.test.ts` sees to it that each is caught.\n",
  "| what is broken | the first case that fails |",
  "|---|---|",
  ...rows,
];
writeFileSync(new URL("MUTANTS.md", import.meta.url), `${text.join("\n")}\n`);

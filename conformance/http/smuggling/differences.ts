// Which proxy the set is played against, and the reasons that KNOWN_DIFFERENCES.md gives.
import { readFileSync } from "node:fs";

/** SMUGGLING_TARGET=envoy plays the set against ENVOY_BIN, SMUGGLING_TARGET=record notes it, too. */
export const target: string = process.env["SMUGGLING_TARGET"] ?? "headgate";

/** Ids of the cases in the page's table below `title`, sorted. */
export function reasonsGiven(title: string): string[] {
  const page = readFileSync(new URL("../../KNOWN_DIFFERENCES.md", import.meta.url), "utf8");
  const section = page.split(`## ${title}`)[1]?.split(/\n#+ /)[0] ?? "";
  return [...section.matchAll(/^\| ([a-z0-9, -]+) \|/gm)]
    .flatMap((row) => (row[1] ?? "").split(", "))
    .filter((id) => id !== "case" && !id.startsWith("-"))
    .sort();
}

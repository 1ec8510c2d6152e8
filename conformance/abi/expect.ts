// What cases demand, for any runner: throws an error that says what was expected and what was found.
import { isDeepStrictEqual } from "node:util";

export class Unmet extends Error {
  constructor(what: string, expected: string, found: string) {
    super(`${what}: expected ${expected}, found ${found}`);
    this.name = "Unmet";
  }
}

export function same(what: string, found: unknown, expected: unknown): void {
  if (!isDeepStrictEqual(found, expected)) throw new Unmet(what, shown(expected), shown(found));
}

export function matching(what: string, found: string | undefined, pattern: RegExp): void {
  if (found === undefined || !pattern.test(found)) {
    throw new Unmet(what, String(pattern), shown(found));
  }
}

/** Values on one line where they are short. */
export function shown(value: unknown): string {
  if (value === undefined) return "nothing";
  const short = JSON.stringify(value);
  return short.length <= 100 ? short : JSON.stringify(value, null, 1);
}

/**
 * Whether a text is what is expected, where "#" stands for any number. What a call that failed has
 * written is looked at only where it is expected.
 */
export function isLike(found: string, expected: string): boolean {
  if (!expected.includes(", wrote")) return isAlike(found.replace(/, wrote .*$/s, ""), expected);
  return isAlike(found, expected);
}

function isAlike(found: string, expected: string): boolean {
  if (!expected.includes("#")) return found === expected;
  const parts = expected.split("#").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join("\\d+")}$`, "s").test(found);
}

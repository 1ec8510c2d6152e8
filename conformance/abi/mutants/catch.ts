// Finds the case that catches a broken host.
import { allCases } from "../all-cases.ts";
import type { Case } from "../case.ts";
import { CANNOT, playHere } from "../in-process.ts";
import { judge } from "../judge.ts";
import { type Mutant, onBrokenHost } from "./broken-host.ts";

/** All cases that can be played in memory. */
export const cases: readonly Case[] = allCases().filter(
  (one) => !one.needs.some((need) => CANNOT.has(need)),
);

/** Those that name what is broken first: they are what should catch it. */
function inOrder({ hostcalls = {}, callbacks = {} }: Mutant): readonly Case[] {
  const names = [...Object.keys(hostcalls), ...Object.keys(callbacks)];
  const isNamed = (one: Case): boolean => names.includes(one.row);
  return [...cases.filter(isNamed), ...cases.filter((one) => !isNamed(one))];
}

/** The first case that does not hold. */
export async function catcher(mutant: Mutant): Promise<string | null> {
  for (const one of inOrder(mutant)) {
    const problems = await onBrokenHost(mutant, async () => judge(one, await playHere(one)));
    if (problems.length > 0) return one.id;
  }
  return null;
}

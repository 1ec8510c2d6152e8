// The suite's own test: each host that is broken on purpose must fail a case.
import { expect, test } from "vitest";
import { allCases } from "../all-cases.ts";
import type { Case } from "../case.ts";
import { CANNOT, playHere } from "../in-process.ts";
import { judge } from "../judge.ts";
import { onBrokenHost, type Mutant } from "./broken-host.ts";
import { mutants } from "./mutants.ts";

const cases = allCases().filter((one) => !one.needs.some((need) => CANNOT.has(need)));

/** Those that name what is broken first: they are what should catch it. */
function inOrder({ hostcalls = {}, callbacks = {} }: Mutant): readonly Case[] {
  const names = [...Object.keys(hostcalls), ...Object.keys(callbacks)];
  const isNamed = (one: Case): boolean => names.includes(one.row);
  return [...cases.filter(isNamed), ...cases.filter((one) => !isNamed(one))];
}

/** The first case that does not hold. */
async function catcher(mutant: Mutant): Promise<string | null> {
  for (const one of inOrder(mutant)) {
    const problems = await onBrokenHost(mutant, async () => judge(one, await playHere(one)));
    if (problems.length > 0) return one.id;
  }
  return null;
}

test("a host that is not broken holds cases through the same machinery", async () => {
  const some = cases.filter((_, at) => at % 10 === 0);
  for (const one of some) {
    const mutant: Mutant = { name: "none", hostcalls: {}, callbacks: {} };
    const problems = await onBrokenHost(mutant, async () => judge(one, await playHere(one)));
    expect([one.id, problems]).toEqual([one.id, []]);
  }
});

test.each(mutants)("$name", async (mutant) => {
  expect(await catcher(mutant)).not.toBeNull();
});

// The rounds of --filters and --native. What is looked for are differences of a microsecond between
// targets, on a machine whose speed changes by more from second to second. So all targets are alive at
// once, those whose difference is told run one right behind the other, in an order by chance, and then
// once more backwards: what changes steadily meanwhile falls out of the mean of the two. Two processes
// of the same target differ by up to a microsecond for as long as they live: each runs in several, which
// take turns by rounds.
import type { Rounds, Sample } from "./report.ts";

/** Targets without a filter, with one and with five of a kind; the last may not be there. */
export interface FilterGroup {
  readonly name: string;
  readonly targets: readonly string[];
}

/** Rounds of the targets of each group, by its name: those without a filter stand in several. */
export type GroupRounds = Readonly<Record<string, Readonly<Record<string, Rounds>>>>;

function shuffled<T>(list: readonly T[], random: () => number): T[] {
  return list
    .map((one) => [random(), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one);
}

/** Both plays of one target; undefined when one of them failed. */
export function meanOf(samples: readonly (Sample | undefined)[]): Sample | undefined {
  const all = samples.filter((sample) => sample !== undefined);
  const last = all.at(-1);
  if (last === undefined || all.length < samples.length) return undefined;
  const mean = (of: (sample: Sample) => number): number =>
    all.reduce((sum, sample) => sum + of(sample), 0) / all.length;
  return {
    cpuUs: mean((sample) => sample.cpuUs),
    busiestUs: mean((sample) => sample.busiestUs ?? sample.cpuUs),
    requestsPerSecond: mean((sample) => sample.requestsPerSecond),
    p50Us: mean((sample) => sample.p50Us),
    p99Us: mean((sample) => sample.p99Us),
    residentBytes: last.residentBytes,
    errors: all.reduce((sum, sample) => sum + sample.errors, 0),
  };
}

/** Plays all groups in each round; `play` measures one target once, in the same process all round. */
export async function playGroups(
  groups: readonly FilterGroup[],
  rounds: number,
  play: (target: string, round: number) => Promise<Sample | undefined>,
  random: () => number = Math.random,
): Promise<GroupRounds> {
  const all: Record<string, Record<string, (Sample | undefined)[]>> = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const { name, targets } of shuffled(groups, random)) {
      const order = shuffled(targets, random);
      const played = new Map<string, (Sample | undefined)[]>();
      for (const target of [...order, ...order.toReversed()]) {
        const samples = played.get(target) ?? [];
        samples.push(await play(target, round));
        played.set(target, samples);
      }
      const group = (all[name] ??= {});
      for (const [target, samples] of played) (group[target] ??= []).push(meanOf(samples));
    }
  }
  return all;
}

/** The same by target alone, for the table: of those in several groups the rounds of one. */
export function roundsByTarget(groups: GroupRounds): Record<string, Rounds> {
  return Object.assign({}, ...Object.values(groups)) as Record<string, Rounds>;
}

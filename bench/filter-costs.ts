// What one filter costs a request: differences of targets that met the same noise, round by round.
import { fastestThird, median, medianRange, quartiles } from "./arithmetic.ts";
import { NATIVE_FILTERS } from "./configs.ts";
import type { FilterGroup, GroupRounds } from "./filter-rounds.ts";
import type { Rounds } from "./report.ts";

/** What one more filter costs, in microseconds. */
interface Cost {
  /** Of the rounds in which both targets had a processor. */
  readonly rounds: readonly number[];
  /** The middle of the rounds of each process; a round plays the processes of one number. */
  readonly processes: readonly number[];
  /**
   * By what the busiest thread of each process needs in its fastest rounds, the middle process of each
   * target; NaN = none ran.
   */
  readonly fastest: number;
}

/** Of the first filter, and of each of the four that follow; null = there is no target with five. */
interface FilterCost {
  readonly name: string;
  readonly first: Cost;
  readonly further: Cost | null;
}

const FURTHER = 4;
/** Names of targets with one and with five filters, `#` = the number, and without any. */
const KINDS = [
  ["headgate # wasm", "headgate"],
  ["headgate # wasm no fuel", "headgate"],
  ["headgate # native", "headgate"],
  ["envoy # native", "envoy"],
  ...NATIVE_FILTERS.flatMap((filter) =>
    ["headgate", "envoy"].map((proxy) => [`${proxy} # ${filter}`, proxy] as const),
  ),
  ["envoy # wasm", "envoy"],
  // A/A: no filter at all, in two processes.
  ["headgate (again)", "headgate"],
] as const;

/** What is to be played, of targets that run. */
export function filterGroups(running: ReadonlySet<string>): FilterGroup[] {
  return KINDS.flatMap(([form, none]) => {
    const names = [none, form.replace("#", "1"), form.replace("#", "5")];
    const targets = [...new Set(names)].filter((name) => running.has(name));
    return targets.length < 2 || targets[0] !== none
      ? []
      : [{ name: form.replace(" #", ""), targets }];
  });
}

/** The rounds of each process, one of which plays in every `copies`-th. */
function byProcess<T>(rounds: readonly T[], copies: number): T[][] {
  const all = Array.from({ length: copies }, (): T[] => []);
  for (const [round, one] of rounds.entries()) all[round % copies]?.push(one);
  return all;
}

/** Of its usual requests a second; who has fewer waited for a processor, and pays for that. */
const STARVED_SHARE = 0.6;

/** Rounds in which the target was kept waiting are left out: there a request costs several times as much. */
function withoutStarved(rounds: Rounds): Rounds {
  const usual = median(rounds.flatMap((sample) => sample?.requestsPerSecond ?? []));
  return rounds.map((sample) =>
    (sample?.requestsPerSecond ?? 0) < usual * STARVED_SHARE ? undefined : sample,
  );
}

/** By the middle process. */
function fastestOf(rounds: Rounds, copies: number): number {
  const processes = byProcess(rounds, copies).map((samples) =>
    fastestThird(samples.flatMap((sample) => sample?.busiestUs ?? sample?.cpuUs ?? [])),
  );
  return median(processes.filter((us) => !Number.isNaN(us)));
}

/** `filters` = how many more there are. */
function costOf(all: Rounds, base: Rounds, copies: number, filters: number): Cost {
  const [more, less] = [withoutStarved(all), withoutStarved(base)];
  const differences = more.map((sample, round) => {
    const other = less[round];
    if (sample === undefined || other === undefined) return undefined;
    return (sample.cpuUs - other.cpuUs) / filters;
  });
  const isThere = (us: number | undefined): us is number => us !== undefined;
  return {
    rounds: differences.filter(isThere),
    processes: byProcess(differences, copies)
      .map((all) => all.filter(isThere))
      .filter((all) => all.length > 0)
      .map(median),
    fastest: (fastestOf(more, copies) - fastestOf(less, copies)) / filters,
  };
}

/** By kinds, in their order; each target had `copies` processes in turns by rounds. */
export function filterCosts(groups: GroupRounds, copies: number): FilterCost[] {
  return KINDS.flatMap(([form, none]) => {
    const name = form.replace(" #", "");
    const rounds = groups[name];
    if (rounds === undefined) return [];
    const [one = [], five] = ["1", "5"].map((count) => rounds[form.replace("#", count)]);
    const first = costOf(one, rounds[none] ?? [], copies, 1);
    const hasFurther = form.includes("#") && five !== undefined;
    return [{ name, first, further: hasFurther ? costOf(five, one, copies, FURTHER) : null }];
  });
}

function cells(cost: Cost | null): string[] {
  if (cost === null || cost.rounds.length === 0) return ["-", "-", "-"];
  const { rounds, processes, fastest } = cost;
  const text = (us: number): string => us.toFixed(2);
  const span = ([low, high]: readonly [number, number]): string => `${text(low)} to ${text(high)}`;
  return [
    `${text(median(rounds))} (${span(medianRange(rounds))}; ${span(quartiles(rounds))})`,
    processes.map(text).join(", "),
    text(fastest),
  ];
}

/** Without the columns of further filters where no target has five. */
export function filterCostTable(groups: GroupRounds, copies: number): string {
  const costs = filterCosts(groups, copies);
  const hasFurther = costs.some(({ further }) => further !== null);
  const line = (name: string, first: readonly string[], further: readonly string[]): string =>
    `| ${[name, ...first, ...(hasFurther ? further : [])].join(" | ")} |`;
  const rule = ["---:", "---:", "---:"];
  return [
    line(
      "filters",
      ["first, us (95 % sure; quartiles)", "by process", "thread, fastest third"],
      ["each of four more, us (the same)", "by process", "thread, fastest third"],
    ),
    line("---", rule, rule),
    ...costs.map(({ name, first, further }) => line(name, cells(first), cells(further))),
  ].join("\n");
}

/** CPU per request of each round, by groups and targets, for a file: what the table was made of. */
export function roundsForFile(groups: GroupRounds): Record<string, Record<string, unknown>> {
  const of = (rounds: Rounds): (number | null)[] =>
    rounds.map((sample) => (sample === undefined ? null : Number(sample.cpuUs.toFixed(3))));
  const each = (targets: GroupRounds[string]): Record<string, unknown> =>
    Object.fromEntries(Object.entries(targets).map(([target, rounds]) => [target, of(rounds)]));
  return Object.fromEntries(Object.entries(groups).map(([name, targets]) => [name, each(targets)]));
}

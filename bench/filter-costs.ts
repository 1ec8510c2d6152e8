// What one filter costs a request: differences of targets that met the same noise, round by round.
import { median, medianRange, quartiles } from "./arithmetic.ts";
import { NATIVE_FILTERS } from "./configs.ts";
import type { FilterGroup, GroupRounds } from "./filter-rounds.ts";
import type { Rounds } from "./report.ts";

/** Microseconds: of the first filter, and of each of the four that follow. */
interface FilterCost {
  readonly name: string;
  readonly first: readonly number[];
  readonly further: readonly number[];
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

/** Of rounds that both targets have. */
function differences(more: Rounds | undefined, less: Rounds | undefined): number[] {
  return (more ?? []).flatMap((sample, round) => {
    const other = less?.[round];
    return sample === undefined || other === undefined ? [] : [sample.cpuUs - other.cpuUs];
  });
}

/** By kinds, in their order. */
export function filterCosts(groups: GroupRounds): FilterCost[] {
  return KINDS.flatMap(([form, none]) => {
    const name = form.replace(" #", "");
    const rounds = groups[name];
    if (rounds === undefined) return [];
    const [one, five] = ["1", "5"].map((count) => rounds[form.replace("#", count)]);
    const first = differences(one, rounds[none]);
    const further = form.includes("#") ? differences(five, one).map((us) => us / FURTHER) : [];
    return [{ name, first, further }];
  });
}

function cell(values: readonly number[]): string {
  if (values.length === 0) return "-";
  const span = ([low, high]: readonly [number, number]): string =>
    `${low.toFixed(2)} to ${high.toFixed(2)}`;
  return `${median(values).toFixed(2)} (${span(medianRange(values))}; ${span(quartiles(values))})`;
}

/** Without the second column where no target has five filters. */
export function filterCostTable(groups: GroupRounds): string {
  const costs = filterCosts(groups);
  const hasFurther = costs.some(({ further }) => further.length > 0);
  const line = (name: string, first: string, further: string): string =>
    `| ${name} | ${first} |${hasFurther ? ` ${further} |` : ""}`;
  return [
    line("filters", "first, us (95 % sure; quartiles)", "each of four more, us (the same)"),
    line("---", "---:", "---:"),
    ...costs.map(({ name, first, further }) => line(name, cell(first), cell(further))),
  ].join("\n");
}

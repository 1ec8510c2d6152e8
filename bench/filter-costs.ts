// What one filter costs a request: differences of targets that met the same noise, round by round.
import { median, quartiles } from "./arithmetic.ts";
import type { Rounds } from "./report.ts";

type ByTarget = Readonly<Record<string, Rounds>>;

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
  ...["header_mutation", "cors", "basic_auth"].flatMap((filter) =>
    ["headgate", "envoy"].map((proxy) => [`${proxy} # ${filter}`, proxy] as const),
  ),
  ["envoy # wasm", "envoy"],
] as const;

/** Of rounds that both targets have. */
function differences(more: Rounds | undefined, less: Rounds | undefined): number[] {
  return (more ?? []).flatMap((sample, round) => {
    const other = less?.[round];
    return sample === undefined || other === undefined ? [] : [sample.cpuUs - other.cpuUs];
  });
}

/** A kind whose targets did not run is left out. */
export function filterCosts(byTarget: ByTarget): FilterCost[] {
  return KINDS.flatMap(([form, none]) => {
    const [one, five] = ["1", "5"].map((count) => byTarget[form.replace("#", count)]);
    const first = differences(one, byTarget[none]);
    const further = differences(five, one).map((us) => us / FURTHER);
    const name = form.replace(" #", "");
    return first.length === 0 ? [] : [{ name, first, further }];
  });
}

function cell(values: readonly number[]): string {
  if (values.length === 0) return "-";
  const [low, high] = quartiles(values);
  return `${median(values).toFixed(2)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
}

export function filterCostTable(byTarget: ByTarget): string {
  const rows = filterCosts(byTarget).map(
    ({ name, first, further }) => `| ${name} | ${cell(first)} | ${cell(further)} |`,
  );
  return [
    "| filters | first, us (quartiles) | each of four more, us (quartiles) |",
    "| --- | ---: | ---: |",
    ...rows,
  ].join("\n");
}

// Limits of PGV rules: comparing numbers and durations with them, and their texts as Envoy writes
// them. Called by field-rules.ts and field-rule-strings.ts.
import type { Rule } from "./rule-schema.ts";

type Comparable = number | bigint;

/**
 * Envoy's text of the first bound (const, gt, gte, lt, lte, in, not_in) that `value` breaks,
 * undefined when it keeps all. `read` makes a bound comparable, `write` puts it into words.
 */
export function brokenBound(
  rule: Rule,
  value: Comparable,
  read: (bound: unknown) => Comparable,
  write: (bound: Comparable) => string,
): string | undefined {
  const get = (name: string): Comparable | undefined =>
    name in rule ? read(rule[name]) : undefined;
  const exact = get("const");
  if (exact !== undefined && !isSame(exact, value)) return `value must equal ${write(exact)}`;
  const range = brokenRange(value, get("gt"), get("gte"), get("lt"), get("lte"), write);
  if (range !== undefined) return range;
  const list = (name: string): Comparable[] => ((rule[name] as unknown[]) ?? []).map(read);
  const allowed = list("in");
  if (allowed.length > 0 && !allowed.some((each) => isSame(each, value))) {
    return `value must be in list [${allowed.map(write).join(" ")}]`;
  }
  const refused = list("not_in");
  return refused.some((each) => isSame(each, value))
    ? `value must not be in list [${refused.map(write).join(" ")}]`
    : undefined;
}

function brokenRange(
  value: Comparable,
  gt: Comparable | undefined,
  gte: Comparable | undefined,
  lt: Comparable | undefined,
  lte: Comparable | undefined,
  write: (bound: Comparable) => string,
): string | undefined {
  const isAbove = gt !== undefined ? value > gt : gte === undefined || value >= gte;
  const isBelow = lt !== undefined ? value < lt : lte === undefined || value <= lte;
  const low = gt ?? gte;
  const high = lt ?? lte;
  if (low !== undefined && high !== undefined) {
    const text = `range ${gt === undefined ? "[" : "("}${write(low)}, ${write(high)}${
      lt === undefined ? "]" : ")"
    }`;
    // A lower limit above the upper one means what lies outside of both.
    if (low > high) return isAbove || isBelow ? undefined : `value must be outside ${text}`;
    return isAbove && isBelow ? undefined : `value must be inside ${text}`;
  }
  if (isAbove && isBelow) return undefined;
  if (gt !== undefined) return `value must be greater than ${write(gt)}`;
  if (gte !== undefined) return `value must be greater than or equal to ${write(gte)}`;
  if (lt !== undefined) return `value must be less than ${write(lt)}`;
  return lte === undefined ? undefined : `value must be less than or equal to ${write(lte)}`;
}

// Numbers and bigints are equal here when they mean the same integer.
function isSame(left: Comparable, right: Comparable): boolean {
  return !(left < right) && !(left > right);
}

/** Words for a count or length between two limits: `at least 1 characters`. */
export function boundsText(min: number | undefined, max: number | undefined, unit: string): string {
  if (min !== undefined && max !== undefined) {
    if (min === max) return unit.endsWith("(s)") ? `exactly ${min} ${unit}` : `${min} ${unit}`;
    return `between ${min} and ${max} ${unit.replace("(s)", "s")}, inclusive`;
  }
  if (min !== undefined) return `at least ${min} ${unit}`;
  return unit.endsWith("(s)") ? `no more than ${max} ${unit}` : `at most ${max} ${unit}`;
}

export function durationNanos(seconds: number, nanos: number): bigint {
  return BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
}

/** A duration as Go writes it, which is what Envoy's texts were generated with: `5m0s`, `100ms`. */
export function durationText(nanos: bigint): string {
  if (nanos === 0n) return "0s";
  if (nanos < 1000n) return `${nanos}ns`;
  if (nanos < 1_000_000n) return `${Number(nanos) / 1e3}µs`;
  if (nanos < 1_000_000_000n) return `${Number(nanos) / 1e6}ms`;
  const seconds = nanos / 1_000_000_000n;
  const rest = `${Number(seconds % 60n) + Number(nanos % 1_000_000_000n) / 1e9}s`;
  if (seconds < 60n) return rest;
  const minutes = (seconds / 60n) % 60n;
  return seconds < 3600n ? `${minutes}m${rest}` : `${seconds / 3600n}h${minutes}m${rest}`;
}

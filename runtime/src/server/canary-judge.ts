// Whether a canary is worse than the version beside it: a decision about numbers, and nothing else.
// Asked every second by plugin-rollouts.ts.
import type { CanaryBounds } from "../config/wasm-policy.ts";
import { quantileMs, type VersionTotals } from "../wasm/version-counts.ts";

/** What both versions did since the window began. */
export interface CanaryTrial {
  readonly canary: VersionTotals;
  readonly primary: VersionTotals;
  readonly elapsedMs: number;
}

/**
 * "wait": the window is not over, or too few streams came. "rollback": a bound is exceeded; but for
 * latency, which is noise in less than a window, that is told at once. "pass": a whole window went
 * well.
 */
export interface Verdict {
  readonly kind: "wait" | "rollback" | "pass";
  /** What was found and what was expected; "" where nothing is wrong. */
  readonly reason: string;
}

/** One trap may be chance. */
const STOPS_MIN = 2;
const ERRORS_MIN = 5;
/** Less is noise of a busy machine, whatever its ratio. */
const LATENCY_MIN_MS = 5;
const LATENCY_QUANTILE = 0.9;

export function judgeCanary(trial: CanaryTrial, bounds: CanaryBounds): Verdict {
  const reason =
    stopsFault(trial, bounds) ||
    errorsFault(trial, bounds) ||
    latencyFault(trial, bounds) ||
    fuelFault(trial, bounds);
  if (reason !== "") return { kind: "rollback", reason };
  const isOver = trial.elapsedMs >= bounds.windowMs && trial.canary.done >= bounds.streamsMin;
  // One stop is no verdict, but who has it waits for the next one, or for many streams without.
  const isClean = stopsPoints(trial) <= bounds.stopsPercent;
  return { kind: isOver && isClean ? "pass" : "wait", reason: "" };
}

/** Percent of streams that met a stop, above the primary's. */
function stopsPoints({ canary, primary }: CanaryTrial): number {
  const usual = percentOf(metStops(primary), primary.streams);
  return percentOf(metStops(canary), canary.streams) - usual;
}

function stopsFault({ canary, primary }: CanaryTrial, bounds: CanaryBounds): string {
  const stops = canary.stoppedFuel + canary.stoppedOther;
  const found = percentOf(metStops(canary), canary.streams);
  const usual = percentOf(metStops(primary), primary.streams);
  if (stops < STOPS_MIN || found - usual <= bounds.stopsPercent) return "";
  const kinds = `${canary.stoppedFuel} for fuel, ${canary.stoppedOther} otherwise`;
  const met = `which ${metStops(canary)} of its ${canary.streams} streams met`;
  const what = `its guest was stopped ${stops} times (${kinds}), ${met}`;
  return `${what}: ${text(found)} %, ${expected(usual, bounds.stopsPercent)}`;
}

/** Streams behind a stop fail, too, until there is another guest; with fail_open none is failed. */
function metStops({ stoppedFuel, stoppedOther, failed }: VersionTotals): number {
  return Math.max(stoppedFuel + stoppedOther, failed);
}

function errorsFault({ canary, primary }: CanaryTrial, bounds: CanaryBounds): string {
  if (canary.done < bounds.streamsMin || canary.errors < ERRORS_MIN) return "";
  const found = percentOf(canary.errors, canary.done);
  const usual = percentOf(primary.errors, primary.done);
  if (found <= usual + bounds.errorsPercent) return "";
  const what = `${canary.errors} of its ${canary.done} streams ended with 5xx`;
  return `${what}: ${text(found)} %, ${expected(usual, bounds.errorsPercent)}`;
}

function latencyFault(trial: CanaryTrial, bounds: CanaryBounds): string {
  // A machine that has other things to do for a second is nothing against the canary.
  if (trial.elapsedMs < bounds.windowMs || !canCompare(trial, bounds)) return "";
  const found = quantileMs(trial.canary, LATENCY_QUANTILE);
  const usual = quantileMs(trial.primary, LATENCY_QUANTILE);
  const max = Math.max(usual * bounds.latencyRatio, usual + LATENCY_MIN_MS);
  if (found <= max) return "";
  const what = `nine of ten of its streams took up to ${text(found)} ms`;
  return `${what}, expected at most ${text(max)} (${text(usual)} of the primary's)`;
}

function fuelFault(trial: CanaryTrial, bounds: CanaryBounds): string {
  if (!canCompare(trial, bounds)) return "";
  const found = trial.canary.fuel / trial.canary.streams;
  const usual = trial.primary.fuel / trial.primary.streams;
  // Guests that are not metered use none.
  if (usual === 0 || found <= usual * bounds.fuelRatio) return "";
  const what = `its streams use ${text(found)} fuel each`;
  const max = `expected at most ${text(usual * bounds.fuelRatio)}`;
  return `${what}, ${max} (${text(usual)} of the primary's)`;
}

function canCompare({ canary, primary }: CanaryTrial, { streamsMin }: CanaryBounds): boolean {
  return canary.done >= streamsMin && primary.done >= streamsMin;
}

function expected(usual: number, points: number): string {
  return `expected at most ${text(usual + points)} % (${text(usual)} % of the primary's)`;
}

function percentOf(part: number, all: number): number {
  return all === 0 ? 0 : (part / all) * 100;
}

function text(value: number): string {
  return value >= 100 ? String(Math.round(value)) : String(Number(value.toPrecision(3)));
}

// Durations and sizes as a configuration writes them. assembly/units.ts reads the same.

const MS = { ms: 1n, s: 1000n, m: 60_000n, h: 3_600_000n };
const BYTES = {
  B: 1n,
  kB: 1000n,
  KiB: 1n << 10n,
  MB: 1_000_000n,
  MiB: 1n << 20n,
  GB: 1_000_000_000n,
  GiB: 1n << 30n,
};

/** What durations look like; only seconds have a fraction, of whole milliseconds. */
export const DURATION_PATTERN = "^([0-9]+(ms|s|m|h)|[0-9]+[.][0-9]{1,3}s)$";
/** What sizes look like when they are text. */
export const BYTES_PATTERN = `^[0-9]+(${Object.keys(BYTES).join("|")})$`;

/** Milliseconds as a bigint; undefined when the text is no duration. */
export function durationMs(text) {
  if (!new RegExp(DURATION_PATTERN).test(text)) return undefined;
  const [, whole, fraction = "", unit] = /^(\d+)(?:\.(\d+))?(\D+)$/.exec(text);
  return BigInt(whole) * MS[unit] + BigInt(fraction.padEnd(3, "0"));
}

/** Bytes as a bigint; undefined when the text is no size. */
export function sizeBytes(text) {
  if (!new RegExp(BYTES_PATTERN).test(text)) return undefined;
  const [, whole, unit] = /^(\d+)(\D+)$/.exec(text);
  return BigInt(whole) * BYTES[unit];
}

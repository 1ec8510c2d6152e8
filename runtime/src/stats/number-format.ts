// Numbers as Envoy prints them, which differ from JavaScript's in exponents: used by the stats'
// text forms.

/** C's %.<digits>g. */
export function formatG(value: number, digits: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value < 0 ? "-inf" : "inf";
  if (value === 0) return "0";
  const [mantissa = "0", exponentText = "0"] = value.toExponential(digits - 1).split("e");
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= digits) return scientific(trimZeros(mantissa), exponent);
  return trimZeros(value.toFixed(Math.min(100, digits - 1 - exponent)));
}

/** The shortest text that reads back the same, fixed up to 10^16: fmt's "{}". */
export function formatShortest(value: number): string {
  if (Number.isNaN(value)) return "nan";
  const { mantissa, exponent } = shortestParts(value);
  if (exponent >= -4 && exponent < 16) return fixed(value);
  return scientific(mantissa, exponent);
}

/** The shorter of fixed and scientific, as std::to_chars and so Envoy's JSON: 300000 is 3e+05. */
export function formatJson(value: number): string {
  if (!Number.isFinite(value)) return "null";
  const { mantissa, exponent } = shortestParts(value);
  const long = fixed(value);
  const short = scientific(mantissa, exponent);
  return short.length < long.length ? short : long;
}

function shortestParts(value: number): { mantissa: string; exponent: number } {
  const [mantissa = "0", exponent = "0"] = value.toExponential().split("e");
  return { mantissa, exponent: Number(exponent) };
}

/** Without an exponent, whatever the size. */
function fixed(value: number): string {
  const text = String(value);
  if (!text.includes("e")) return text;
  return Math.abs(value) >= 1 ? BigInt(value).toString() : trimZeros(value.toFixed(100));
}

function scientific(mantissa: string, exponent: number): string {
  const digits = String(Math.abs(exponent)).padStart(2, "0");
  return `${mantissa}e${exponent < 0 ? "-" : "+"}${digits}`;
}

function trimZeros(text: string): string {
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

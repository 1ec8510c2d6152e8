// How a name or a value stands in a line of log.kv.

/** The text itself, or quoted where it holds what would be taken for the line's own. */
export function logValue(text: string): string {
  const length = text.length;
  let isPlain = length > 0;
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i);
    if (unit <= 0x20 || unit == 0x22 || unit == 0x3d || unit == 0x5c || isControl(unit)) {
      isPlain = false;
    }
  }
  return isPlain ? text : quoted(text);
}

function quoted(text: string): string {
  let out = '"';
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit != 0x22 && unit != 0x5c && !isControl(unit)) continue;
    out += text.substring(from, i) + escaped(unit);
    from = i + 1;
  }
  return out + text.substring(from) + '"';
}

function escaped(unit: i32): string {
  if (unit == 0x22) return '\\"';
  if (unit == 0x5c) return "\\\\";
  if (unit == 0x0a) return "\\n";
  const digits = "0123456789abcdef";
  const high = digits.charAt(unit >> 12) + digits.charAt((unit >> 8) & 15);
  return "\\u" + high + digits.charAt((unit >> 4) & 15) + digits.charAt(unit & 15);
}

/** Also the line and paragraph separators, and the C1 controls: viewers break lines there. */
function isControl(unit: i32): bool {
  return unit < 0x20 || (unit >= 0x7f && unit < 0xa0) || unit == 0x2028 || unit == 0x2029;
}

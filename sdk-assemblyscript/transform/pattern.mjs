// What @pattern takes: expressions that mean the same to the SDK's engine, which knows RE2's syntax, and
// to the JavaScript of a JSON Schema's reader.

/** Parts that one of them does not know, or takes for something else, outside of a class or in one. */
const UNSHARED = [
  [/\\[1-9]|\\k/, "a back-reference"],
  [/\(\?(?!:|<[A-Za-z_])/, "look-around, or flags"],
  [/\\[sS]/, "\\s: it means other characters in JavaScript, write [ \\t\\n\\r\\f]"],
  [/\\[pPcuCQEAzZ]/, "an escape that not both know"],
  [/\[\^?\]/, "an empty class"],
  [/\[\[:/, "a class with a name"],
];

/** Why it is refused; null when it is fine. */
export function patternProblem(pattern) {
  // A backslash that is itself escaped begins nothing.
  const text = pattern.replaceAll("\\\\", "");
  const found = UNSHARED.find(([part]) => part.test(text));
  if (found !== undefined) return `a pattern cannot have ${found[1]}`;
  const counts = Array.from(text.matchAll(/\{(\d+)(?:,(\d*))?\}/g), ([, least, most]) =>
    Math.max(Number(least), Number(most ?? 0)),
  );
  if (counts.some((count) => count > 1000)) return "a pattern repeats 1000 times at most";
  try {
    new RegExp(pattern, "u");
    return null;
  } catch (error) {
    return `no regular expression: ${error.message}`;
  }
}

/**
 * What a pattern without any operator but `^` and `$` means: { text, isStart, isEnd }; null for others.
 * It needs no engine, which weighs 9 KiB.
 */
export function literalOf(pattern) {
  const [, start, body, end] =
    /^(\^?)((?:[^\\^$.|?*+()[\]{}]|\\[^\w\s])*)(\$?)$/u.exec(pattern) ?? [];
  if (body === undefined) return null;
  return { text: body.replace(/\\(.)/gu, "$1"), isStart: start !== "", isEnd: end !== "" };
}

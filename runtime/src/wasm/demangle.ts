// Function names as people wrote them: Rust's and C++'s of the simple kind, without parameters.
// Linkers leave most names readable; these are for modules of older ones.

/** Itanium's names of one or more parts: `_ZN3foo3barEv`, `_Z3bari`. */
const NESTED = /^_ZN[rVK]*(\d.*)$/;
const PLAIN = /^_Z(\d.*)$/;
/** Rust's hash, as the last part of a mangled name or behind a readable one. */
const HASH_PART = /^h[0-9a-f]{16}$/;
const HASH_END = /::h[0-9a-f]{16}$/;

/** How Rust writes what no identifier of a linker has. */
const escapes: Readonly<Record<string, string>> = {
  $LT$: "<",
  $GT$: ">",
  $LP$: "(",
  $RP$: ")",
  $C$: ",",
  $RF$: "&",
  $BP$: "*",
  $SP$: "@",
};

/** The name itself when it is not mangled, or in a way that we do not read. */
export function demangle(name: string): string {
  const parts = partsOf(name);
  if (parts === null) return name.replace(HASH_END, "");
  const isRust = parts.length > 1 && HASH_PART.test(parts.at(-1) as string);
  return isRust ? parts.slice(0, -1).map(unescape).join("::") : parts.join("::");
}

/** Null when it is something else than parts with their lengths in front, and then types. */
function partsOf(name: string): string[] | null {
  const nested = NESTED.exec(name)?.[1];
  let rest = nested ?? PLAIN.exec(name)?.[1];
  if (rest === undefined) return null;
  const parts: string[] = [];
  for (;;) {
    const digits = /^\d+/.exec(rest)?.[0] ?? "";
    const length = Number(digits);
    if (digits === "" || rest.length < digits.length + length) return null;
    parts.push(rest.slice(digits.length, digits.length + length));
    rest = rest.slice(digits.length + length);
    if (nested === undefined) return rest.startsWith("I") ? null : parts;
    if (rest.startsWith("E")) return parts;
  }
}

function unescape(part: string): string {
  // A part that begins with an escape has an underscore before it, to be an identifier.
  const text = part.startsWith("_$") ? part.slice(1) : part;
  return text
    .replace(/\$u([0-9a-f]{2,6})\$/g, (_all, hex: string) =>
      String.fromCodePoint(Math.min(Number.parseInt(hex, 16), 0x10ffff)),
    )
    .replace(/\$[A-Z]{1,2}\$/g, (escape) => escapes[escape] ?? escape)
    .replaceAll("..", "::");
}

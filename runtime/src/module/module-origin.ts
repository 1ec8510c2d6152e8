// Guesses which language and compiler a module comes from: what it says of itself in its producers
// section, else what only one toolchain leaves behind. Used by module-profile.ts.
import type { ModuleStructure } from "./wasm-sections.ts";

export interface ModuleOrigin {
  /** "Rust", "Go", ...; "" = nothing tells. */
  readonly language: string;
  /** "rustc 1.85.0"; "" = not known. */
  readonly compiler: string;
  /** What told it, in words. */
  readonly evidence: string;
}

interface Trace {
  readonly language: string;
  readonly compiler: string;
  readonly evidence: string;
  /** Any of these names among the exports. */
  readonly exports?: RegExp;
  /** A section of that name. */
  readonly section?: string;
  /** Any of these among the module's functions. */
  readonly functions?: RegExp;
  /** This text among the module's bytes. */
  readonly bytes?: Buffer;
}

/** The more certain ones first. */
const traces: readonly Trace[] = [
  {
    language: "AssemblyScript",
    compiler: "asc",
    evidence: "functions of its library",
    functions: /^~lib\//,
  },
  {
    language: "AssemblyScript",
    compiler: "asc",
    evidence: "exports of its runtime",
    exports: /^__(?:rtti_base|new|pin|retain)$/,
  },
  {
    language: "AssemblyScript",
    compiler: "asc",
    evidence: "names of its library's files",
    bytes: Buffer.from("~lib/", "utf16le"),
  },
  {
    language: "Go",
    compiler: "TinyGo",
    evidence: "functions of its runtime",
    functions: /^(?:tinygo_|\(\*runtime\.|runtime\.initAll)/,
  },
  { language: "Go", compiler: "TinyGo", evidence: "its name", bytes: Buffer.from("tinygo") },
  { language: "Go", compiler: "go", evidence: "section go:buildid", section: "go:buildid" },
  {
    language: "Go",
    compiler: "go",
    evidence: "functions of its runtime",
    functions: /^(?:runtime\.|_rt0_wasm)/,
  },
  {
    language: "Rust",
    compiler: "rustc",
    evidence: "its library's paths",
    bytes: Buffer.from("/rustc/"),
  },
  {
    language: "Rust",
    compiler: "rustc",
    evidence: "its library's paths",
    bytes: Buffer.from("library/core/src"),
  },
  {
    language: "Rust",
    compiler: "rustc",
    evidence: "its panics",
    bytes: Buffer.from("called `Option::unwrap()` on a `None` value"),
  },
  {
    language: "Rust",
    compiler: "rustc",
    evidence: "its crates",
    bytes: Buffer.from("/src/hostcalls.rs"),
  },
  {
    language: "C or C++",
    compiler: "emscripten",
    evidence: "exports of its runtime",
    exports: /^(?:emscripten_|_emscripten|__indirect_function_table$)/,
  },
];

/** `producers`: lines such as "language Rust" and "processed-by rustc 1.85.0". */
export function originOf(
  bytes: Uint8Array,
  structure: ModuleStructure,
  producers: readonly string[],
  functionNames: Iterable<string>,
): ModuleOrigin {
  const said = fromProducers(producers);
  const { sections, exports } = structure;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const names = [...functionNames];
  // Sections of debug information quote what was linked in, whatever the language.
  const data = sections.filter(({ name }) => !name.startsWith(".debug"));
  const found = traces.find((trace) => {
    if (trace.exports !== undefined) {
      return exports.some(({ name }) => trace.exports?.test(name) === true);
    }
    if (trace.section !== undefined) return sections.some(({ name }) => name === trace.section);
    if (trace.functions !== undefined) return names.some((name) => trace.functions?.test(name));
    const { bytes: text } = trace;
    if (text === undefined) return false;
    return data.some(({ start, end }) => buffer.subarray(start, end).includes(text));
  });
  if (said !== null) return { ...said, language: said.language || (found?.language ?? "") };
  if (found === undefined) return { language: "", compiler: "", evidence: "nothing tells" };
  const { language, compiler, evidence } = found;
  return { language, compiler, evidence };
}

/** Null when they say nothing. */
function fromProducers(producers: readonly string[]): ModuleOrigin | null {
  const valuesOf = (field: string): string[] =>
    producers
      .filter((line) => line.startsWith(`${field} `))
      .map((line) => line.slice(field.length + 1));
  const languages = valuesOf("language").map((line) => line.split(" ")[0] ?? "");
  const compilers = valuesOf("processed-by");
  if (languages.length === 0 && compilers.length === 0) return null;
  const isTinyGo = compilers.some((line) => line.startsWith("TinyGo"));
  const language = languages.map((name) =>
    /^C(?:_plus_plus)?\d*$/.test(name) ? "C or C++" : name,
  );
  return {
    // Rust links objects of C: its own name is the one that counts.
    language: isTinyGo ? "Go" : (language.find((name) => name !== "C or C++") ?? language[0] ?? ""),
    compiler: compilers.join(", "),
    evidence: "producers section",
  };
}

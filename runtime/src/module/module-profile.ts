// All that can be said of a module without running it, also of one that no proxy would load: for
// `headgate filter inspect`. What the loader itself needs is in inspect.ts.
import { createHash } from "node:crypto";
import {
  type AbiVersion,
  type Callback,
  callbacks,
  existsIn,
  findCallback,
  findHostcall,
  findVersionByMarker,
  formatSignature,
  markerPrefix,
} from "proxy-wasm-types";
import { didYouMean } from "../config/did-you-mean.ts";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import { demangle } from "../wasm/demangle.ts";
import { WasmFormatError } from "./byte-reader.ts";
import { type CodeScan, reachedFrom, scanCode } from "./code-scan.ts";
import { readFunctionNames } from "./function-names.ts";
import { inspectModule, readProducers } from "./inspect.ts";
import { ModuleError } from "./module-error.ts";
import { type ModuleOrigin, originOf } from "./module-origin.ts";
import { trivialResult } from "./trivial-bodies.ts";
import { type ModuleStructure, readModule, SectionId } from "./wasm-sections.ts";

export interface ProfiledImport {
  readonly module: string;
  readonly name: string;
  /** "(i32, i32) -> i32", or the kind of what is no function. */
  readonly type: string;
}

export interface ProfiledHook {
  readonly name: string;
  /** It does nothing but answer a constant. */
  readonly isTrivial: boolean;
}

export interface ProfiledFunction {
  readonly index: number;
  /** "" = neither named nor exported. */
  readonly name: string;
  readonly bytes: number;
}

export interface ModuleProfile {
  readonly file: string;
  readonly bytes: number;
  /** Without custom sections: what a proxy keeps. */
  readonly strippedBytes: number;
  readonly sha256: string;
  /** Null = no marker that is known. */
  readonly abi: AbiVersion | null;
  readonly origin: ModuleOrigin;
  readonly producers: readonly string[];
  readonly imports: readonly ProfiledImport[];
  readonly hooks: readonly ProfiledHook[];
  /** Exports besides hooks and the marker. */
  readonly exports: readonly string[];
  /** Pages of 64 KiB. Null = there is none. */
  readonly memory: {
    readonly minimumPages: number;
    readonly maximumPages: number | null;
    readonly from: "module" | "import";
  } | null;
  readonly sections: readonly { readonly name: string; readonly bytes: number }[];
  readonly functions: {
    readonly count: number;
    readonly codeBytes: number;
    readonly isNamed: boolean;
    /** The largest first. */
    readonly largest: readonly ProfiledFunction[];
    /** By library, package or crate, the largest first; empty without names. */
    readonly groups: readonly { readonly name: string; readonly bytes: number }[];
  };
  readonly features: readonly string[];
  /** What the start section runs; null = there is none. */
  readonly start: string | null;
  /** Why Headgate does not load it. */
  readonly problems: readonly string[];
  /** Why Envoy does not. */
  readonly envoyProblems: readonly string[];
  readonly warnings: readonly string[];
}

const SECTION_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(SectionId).map(([name, id]) => [id, name.toLowerCase()]),
);
const HEADER_BYTES = 8;
/** Debug sections above this are worth a word. */
const DEBUG_BYTES_MANY = 64 * 1024;

/** Throws ModuleError for what is no wasm module at all. */
export function profileModule(bytes: Uint8Array, file: string): ModuleProfile {
  let structure: ModuleStructure;
  try {
    structure = readModule(bytes);
  } catch (error) {
    if (error instanceof WasmFormatError) throw new ModuleError(file, [error.message]);
    throw error;
  }
  const names = namesOf(bytes, structure);
  const scan = scanCode(bytes, structure);
  const producers = readProducers(bytes, structure);
  const abi = abiOf(structure);
  const problems = problemsOf(bytes, file);
  const sections = sectionsOf(structure);
  const start = structure.startFunction;
  return {
    file,
    bytes: bytes.length,
    strippedBytes: strippedBytes(structure),
    sha256: createHash("sha256").update(bytes).digest("hex"),
    abi,
    origin: originOf(bytes, structure, producers, names.values()),
    producers,
    imports: structure.imports.map(({ module, name, kind, type }) => {
      const text = type === null ? kind : formatSignature(type.params, type.results);
      return { module, name, type: text };
    }),
    hooks: hooksOf(bytes, structure, abi),
    exports: otherExports(structure),
    memory: memoryOf(structure),
    sections,
    functions: functionsOf(structure, names),
    features: scan?.features ?? ["instructions that Headgate does not know"],
    start: start === null ? null : (names.get(start) ?? `function ${start}`),
    problems,
    envoyProblems: envoyProblemsOf(structure, abi, problems),
    warnings: warningsOf(bytes, structure, abi, names, scan),
  };
}

function problemsOf(bytes: Uint8Array, file: string): readonly string[] {
  try {
    const { memory } = inspectModule(bytes, file);
    const most = defaultWasmPolicy.memoryPagesMax;
    if (memory.minimumPages <= most) return [];
    const found = `found a memory of ${memory.minimumPages} pages at the start`;
    return [`${found}, expected at most ${most} (--wasm-policy)`];
  } catch (error) {
    if (error instanceof ModuleError) return error.problems;
    throw error;
  }
}

/** What both refuse for the same reason: each was tried with Envoy 1.40. */
const SHARED =
  /^(?:unknown import|import \S+ has signature|missing or unknown|no allocator|export \S+ has sig)/;
/** Envoy has them with one parameter less. */
const ENVOYS_OWN: ReadonlySet<string> = new Set(["path_link", "path_symlink"]);

function envoyProblemsOf(
  structure: ModuleStructure,
  abi: AbiVersion | null,
  problems: readonly string[],
): readonly string[] {
  const found = problems.filter((problem) => SHARED.test(problem));
  for (const { module, name } of structure.imports) {
    const hostcall = module === "env" ? findHostcall(name) : undefined;
    if (hostcall !== undefined && abi !== null && !existsIn(hostcall, abi)) {
      found.push(`import env.${name} is not part of abi ${abi}, which the module says it needs`);
    }
    if (module.startsWith("wasi_") && ENVOYS_OWN.has(name)) {
      found.push(`import ${module}.${name} has another signature there`);
    }
  }
  return found;
}

/** Imports that the start section may come to. */
function startCalls(structure: ModuleStructure, scan: CodeScan): readonly string[] {
  if (structure.startFunction === null) return [];
  const functions = structure.imports.filter(({ kind }) => kind === "function");
  const reached = reachedFrom(scan, structure.startFunction);
  return functions.filter((_, at) => reached.has(at)).map(({ name }) => name);
}

function warningsOf(
  bytes: Uint8Array,
  structure: ModuleStructure,
  abi: AbiVersion | null,
  names: ReadonlyMap<number, string>,
  scan: CodeScan | null,
): readonly string[] {
  const warnings: string[] = [];
  if (abi === "0.2.1") warnings.push("needs abi 0.2.1: hosts that know 0.2.0 only refuse it");
  if (abi === "0.1.0") {
    warnings.push(
      "is of abi 0.1.0: absent headers read as empty, header hooks tell no end of stream",
    );
  }
  if (structure.startFunction !== null) {
    const called = scan === null ? [] : startCalls(structure, scan);
    const may = called.length === 0 ? "" : `, may call ${called.join(", ")}, which crashes Envoy`;
    warnings.push(
      `has a start section, which runs before the host is ready${may}: use _initialize`,
    );
  }
  warnings.push(...hookWarnings(bytes, structure, abi));
  const debug = structure.sections.filter(({ name }) => name.startsWith(".debug_"));
  const debugBytes = debug.reduce((sum, { start, end }) => sum + end - start, 0);
  if (debugBytes > DEBUG_BYTES_MANY) {
    const kib = Math.round(debugBytes / 1024);
    warnings.push(
      `has ${kib} KiB of debug sections: strip what is shipped, and keep them beside it`,
    );
  }
  if (names.size === 0) warnings.push("has no names of functions: backtraces tell numbers");
  return warnings;
}

const HOOK = /^proxy_on_/;
/** Of SDKs in the field. */
const MISTAKEN: Readonly<Record<string, string>> = {
  proxy_on_grpc_trailing_metadata: "proxy_on_grpc_receive_trailing_metadata",
};
/** Hooks that are named otherwise. */
const OLD_HOOKS: ReadonlySet<string> = new Set(["proxy_validate_configuration"]);

function hookWarnings(
  bytes: Uint8Array,
  structure: ModuleStructure,
  abi: AbiVersion | null,
): readonly string[] {
  const warnings: string[] = [];
  const known = callbacks.map(({ name }) => name);
  for (const { name } of structure.exports) {
    if (!HOOK.test(name)) continue;
    if (callbackOf(name, abi) !== undefined) continue;
    const right = MISTAKEN[name];
    if (right !== undefined) {
      warnings.push(`exports ${name}, which no host calls: it is called ${right}`);
      continue;
    }
    const other = known.includes(name);
    const why = other ? `is not part of abi ${abi}: it is not called` : "no host calls";
    warnings.push(`exports ${name}, which ${why}${other ? "" : didYouMean(name, known)}`);
  }
  const idle = hooksOf(bytes, structure, abi).filter(({ isTrivial }) => isTrivial);
  if (idle.length > 0) {
    const list = idle.map(({ name }) => name).join(", ");
    warnings.push(`exports hooks that do nothing, and that Envoy calls all the same: ${list}`);
  }
  return warnings;
}

/** Some have a row for each of several versions; without a version the newest is the best guess. */
function callbackOf(name: string, abi: AbiVersion | null): Callback | undefined {
  return abi === null ? callbacks.findLast((one) => one.name === name) : findCallback(name, abi);
}

function hooksOf(
  bytes: Uint8Array,
  structure: ModuleStructure,
  abi: AbiVersion | null,
): readonly ProfiledHook[] {
  const isHook = (name: string): boolean => {
    const callback = callbackOf(name, abi);
    const isEvent =
      callback?.chapter !== "integration" && callback?.chapter !== "memory-management";
    return callback !== undefined && isEvent;
  };
  return structure.exports
    .filter(({ kind, name }) => kind === "function" && isHook(name))
    .map((entry) => ({
      name: entry.name,
      isTrivial: trivialResult(bytes, structure, entry) !== null,
    }));
}

function abiOf({ exports }: ModuleStructure): AbiVersion | null {
  for (const { name, kind } of exports) {
    const facts = kind === "function" ? findVersionByMarker(name) : undefined;
    if (facts !== undefined) return facts.version;
  }
  return null;
}

function otherExports({ exports }: ModuleStructure): readonly string[] {
  const names = exports.map(({ name }) => name);
  return names.filter((name) => {
    return !HOOK.test(name) && !name.startsWith(markerPrefix) && !OLD_HOOKS.has(name);
  });
}

function memoryOf({ memories, imports }: ModuleStructure): ModuleProfile["memory"] {
  const [memory] = memories;
  if (memory === undefined) return null;
  const from = imports.some(({ kind }) => kind === "memory") ? "import" : "module";
  return { minimumPages: memory.minimumPages, maximumPages: memory.maximumPages, from };
}

function sectionsOf({ sections }: ModuleStructure): ModuleProfile["sections"] {
  return sections.map(({ id, name, start, end }) => ({
    name: id === SectionId.Custom ? `"${name}"` : (SECTION_NAMES[id] ?? String(id)),
    bytes: end - start,
  }));
}

function strippedBytes({ sections }: ModuleStructure): number {
  const kept = sections.filter(({ id }) => id !== SectionId.Custom);
  return kept.reduce((sum, { start, end }) => sum + end - start, HEADER_BYTES);
}

/** Those of the name section. */
function namesOf(bytes: Uint8Array, structure: ModuleStructure): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const [index, name] of readFunctionNames(bytes, structure)) names.set(index, demangle(name));
  return names;
}

function functionsOf(
  structure: ModuleStructure,
  names: ReadonlyMap<number, string>,
): ModuleProfile["functions"] {
  const exported = new Map(
    structure.exports
      .filter(({ kind }) => kind === "function")
      .map(({ index, name }) => [index, name]),
  );
  const functions = structure.bodies.map(({ start, end }, at): ProfiledFunction => {
    const index = at + structure.importedFunctions;
    const name = names.get(index) ?? exported.get(index) ?? "";
    return { index, name, bytes: end - start };
  });
  const groups = new Map<string, number>();
  for (const { name, bytes } of functions) {
    if (names.size === 0) break;
    const group = groupOf(name);
    groups.set(group, (groups.get(group) ?? 0) + bytes);
  }
  return {
    count: functions.length,
    codeBytes: functions.reduce((sum, { bytes }) => sum + bytes, 0),
    isNamed: names.size > 0,
    largest: functions.toSorted((a, b) => b.bytes - a.bytes),
    groups: [...groups].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes),
  };
}

/** AssemblyScript's folders and packages, Go's packages, Rust's crates; the rest is one. */
function groupOf(name: string): string {
  const script = /^(~lib\/(?:@[^/]+\/[^/]+|[^/]+)|[\w.-]+)\/[\w@.-]+/.exec(name);
  if (script !== null && !name.includes("::")) return script[1] as string;
  const crate = /^<?(?:&?(?:mut |dyn )?)?([a-z_][\w]*)::/.exec(name);
  if (crate !== null) return crate[1] as string;
  const go = /^([\w/-]+)\.[(\w*]/.exec(name);
  return go === null ? "(others)" : (go[1] as string);
}

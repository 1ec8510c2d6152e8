// Checks a module against the proxy-wasm ABI before it is compiled; called by module-loader.ts.
import {
  abiVersions,
  callbacks,
  existsIn,
  findVersionByMarker,
  formatSignature,
  markerPrefix,
} from "proxy-wasm-types";
import type { AbiVersion, Callback } from "proxy-wasm-types";
import { engineRoomProblems } from "./engine-room.ts";
import { WasmFormatError } from "./byte-reader.ts";
import { checkImports } from "./check-imports.ts";
import type { MemoryImport, StubbedImport } from "./check-imports.ts";
import { ModuleError } from "./module-error.ts";
import { trivialResult } from "./trivial-bodies.ts";
import { customSections, readModule, SectionId } from "./wasm-sections.ts";
import type { ExportEntry, ModuleStructure } from "./wasm-sections.ts";
import type { FunctionType, MemoryLimits } from "./wasm-types.ts";

export interface InspectOptions {
  /** Let unknown `env.proxy_*` and WASI functions pass, for the host to stub. Default false. */
  readonly lenientImports?: boolean;
}

export interface ModuleReport {
  readonly structure: ModuleStructure;
  readonly abiVersion: AbiVersion;
  /** Names of all exports, whatever their kind, in the module's order. */
  readonly exportsNames: readonly string[];
  /** Of the memory the guest works in. */
  readonly memory: MemoryLimits;
  /** The memory's export; null when the module exports none. */
  readonly memoryExport: string | null;
  /** What the host must provide; null when the module has a memory of its own. */
  readonly memoryImport: MemoryImport | null;
  /** Unknown functions that the host must stub; empty unless imports are lenient. */
  readonly stubbedImports: readonly StubbedImport[];
  /** Callbacks that always answer the same without doing anything, with that answer. */
  readonly trivialCallbacks: ReadonlyMap<string, number>;
  readonly customSections: readonly string[];
  /** Lines of the producers section: "language Rust", "processed-by rustc 1.85.0". */
  readonly producers: readonly string[];
  /** What is odd but works here. */
  readonly warnings: readonly string[];
}

/** Reads and checks a module. Throws a ModuleError with every problem found. */
export function inspectModule(
  bytes: Uint8Array,
  source: string,
  options: InspectOptions = {},
): ModuleReport {
  try {
    return inspect(bytes, source, options);
  } catch (error) {
    if (error instanceof WasmFormatError) throw new ModuleError(source, [error.message]);
    throw error;
  }
}

function inspect(bytes: Uint8Array, source: string, options: InspectOptions): ModuleReport {
  const structure = readModule(bytes);
  const problems: string[] = [];
  const warnings: string[] = [];

  const abiVersion = findAbiVersion(structure.exports, problems);
  const imports = checkImports(
    structure.imports,
    abiVersion,
    options.lenientImports ?? false,
    problems,
    warnings,
  );
  checkExports(structure.exports, abiVersion, problems);
  checkStart(structure, problems);
  const memory = checkMemory(structure, problems);
  problems.push(...engineRoomProblems(bytes, structure));
  if (problems.length > 0 || abiVersion === null || memory === null) {
    throw new ModuleError(source, problems);
  }

  return {
    structure,
    abiVersion,
    exportsNames: structure.exports.map((entry) => entry.name),
    memory,
    memoryExport: findMemoryExport(structure.exports)?.name ?? null,
    memoryImport: imports.memory,
    stubbedImports: imports.stubbed,
    trivialCallbacks: findTrivialCallbacks(bytes, structure, abiVersion),
    customSections: structure.sections
      .filter((section) => section.id === SectionId.Custom)
      .map((section) => section.name),
    producers: readProducers(bytes, structure),
    warnings,
  };
}

/** The first exported function that is a marker decides; a global of that name is none. */
function findAbiVersion(exports: readonly ExportEntry[], problems: string[]): AbiVersion | null {
  const similar: string[] = [];
  for (const entry of exports) {
    if (!entry.name.startsWith(markerPrefix)) continue;
    const facts = findVersionByMarker(entry.name);
    if (facts !== undefined && entry.kind === "function") return facts.version;
    similar.push(`a ${entry.kind} ${entry.name}`);
  }
  const found = similar.length === 0 ? "none" : similar.join(", ");
  const expected = abiVersions.map((facts) => facts.marker).join(", ");
  problems.push(
    `missing or unknown proxy-wasm abi version: found ${found}, expected an exported function ` +
      `of ${expected}`,
  );
  return null;
}

/** Callbacks must have the exact signature of their version, and an allocator must be there. */
function checkExports(
  exports: readonly ExportEntry[],
  abiVersion: AbiVersion | null,
  problems: string[],
): void {
  const functions = new Map<string, FunctionType>();
  for (const entry of exports) if (entry.type !== null) functions.set(entry.name, entry.type);

  // Without a version nothing is known about the header callbacks; the newest is the best guess.
  for (const callback of callbacksOf(abiVersion ?? "0.2.1")) {
    const type = functions.get(callback.name);
    if (type === undefined || !isLookedUp(callback.name, functions)) continue;
    const found = formatSignature(type.params, type.results);
    const params = callback.params.map((param) => param.type);
    const expected = formatSignature(params, callback.results);
    if (found === expected) continue;
    problems.push(`export ${callback.name} has signature ${found}, expected ${expected}`);
  }

  const required = callbacks.filter((callback) => callback.whenAbsent === "refuse");
  if (required.some((callback) => functions.has(callback.name))) return;
  const names = required.map((callback) => callback.name).join(" or ");
  problems.push(`no allocator: found no exported function ${names}, expected one of them`);
}

/** What Envoy 1.40 does not look up it does not check either (each case was tried with it). */
function isLookedUp(name: string, functions: ReadonlyMap<string, FunctionType>): boolean {
  if (name === "main" || name === "__main_void") return functions.has("_initialize");
  if (name === "_start") return !functions.has("_initialize");
  if (name === "proxy_on_memory_allocate") return !functions.has("malloc");
  return true;
}

function callbacksOf(version: AbiVersion): readonly Callback[] {
  return callbacks.filter((callback) => existsIn(callback, version));
}

function checkStart(structure: ModuleStructure, problems: string[]): void {
  if (structure.startFunction === null) return;
  const type = structure.functions[structure.startFunction];
  if (type === undefined) {
    problems.push(
      `the start section names function ${structure.startFunction}, which is not there`,
    );
    return;
  }
  const found = formatSignature(type.params, type.results);
  const expected = formatSignature([], []);
  if (found !== expected) {
    problems.push(`the start function has signature ${found}, expected ${expected}`);
  }
}

function checkMemory(structure: ModuleStructure, problems: string[]): MemoryLimits | null {
  const index = findMemoryExport(structure.exports)?.index ?? 0;
  const memory = structure.memories[index];
  if (memory === undefined) {
    problems.push("found no memory, expected one that is exported as memory");
    return null;
  }
  if (memory.is64) problems.push("found a 64-bit memory, expected one with 32-bit addresses");
  if (memory.isShared) problems.push("found a shared memory, expected one of the instance's own");
  return memory;
}

/** Named "memory" if possible, as every toolchain does; otherwise the first one. */
function findMemoryExport(exports: readonly ExportEntry[]): ExportEntry | undefined {
  const memories = exports.filter((entry) => entry.kind === "memory");
  return memories.find((entry) => entry.name === "memory") ?? memories[0];
}

function findTrivialCallbacks(
  bytes: Uint8Array,
  structure: ModuleStructure,
  version: AbiVersion,
): ReadonlyMap<string, number> {
  const eventNames = new Set<string>();
  for (const callback of callbacksOf(version)) {
    // Allocators must be called, and initialisation happens once.
    const isEvent = callback.chapter !== "integration" && callback.chapter !== "memory-management";
    if (isEvent) eventNames.add(callback.name);
  }
  const trivial = new Map<string, number>();
  for (const entry of structure.exports) {
    if (!eventNames.has(entry.name)) continue;
    const result = trivialResult(bytes, structure, entry);
    if (result !== null) trivial.set(entry.name, result);
  }
  return trivial;
}

/** Tool conventions, "producers": fields of name and version. Malformed ones tell nothing. */
export function readProducers(bytes: Uint8Array, structure: ModuleStructure): readonly string[] {
  const lines: string[] = [];
  for (const reader of customSections(bytes, structure, "producers")) {
    try {
      for (let fields = reader.count(); fields > 0; fields -= 1) {
        const field = reader.name();
        for (let values = reader.count(); values > 0; values -= 1) {
          lines.push(`${field} ${reader.name()} ${reader.name()}`.trimEnd());
        }
      }
    } catch (error) {
      // A custom section is never a reason to refuse a module.
      if (!(error instanceof WasmFormatError)) throw error;
    }
  }
  return lines;
}

// Checks what a module imports against what a proxy-wasm host provides; called by inspect.ts.
import {
  existsIn,
  findHostcall,
  findToolchainImport,
  formatSignature,
  wasiModuleNames,
} from "proxy-wasm-types";
import type { AbiVersion } from "proxy-wasm-types";
import type { ImportEntry } from "./wasm-sections.ts";
import type { FunctionType } from "./wasm-types.ts";

/** A memory that the host must create and pass in. */
export interface MemoryImport {
  readonly module: string;
  readonly name: string;
  readonly minimumPages: number;
  /** Null when the module sets none. */
  readonly maximumPages: number | null;
}

/** An unknown function that lenient loading let pass: UNIMPLEMENTED for env, errno 52 for WASI. */
export interface StubbedImport {
  readonly module: string;
  readonly name: string;
  readonly hasResult: boolean;
}

export interface ImportsReport {
  readonly memory: MemoryImport | null;
  readonly stubbed: readonly StubbedImport[];
}

/** What plain AssemblyScript imports: its users deserve to read what to do. */
const assemblyScriptDefaults: readonly string[] = [
  "abort",
  "seed",
  "trace",
  "console.log",
  "Date.now",
];

/** Adds every unknown import and every wrong signature to `problems`. */
export function checkImports(
  imports: readonly ImportEntry[],
  abiVersion: AbiVersion | null,
  isLenient: boolean,
  problems: string[],
  warnings: string[],
): ImportsReport {
  let memory: MemoryImport | null = null;
  const stubbed: StubbedImport[] = [];
  for (const entry of imports) {
    if (entry.memory !== null) {
      const { minimumPages, maximumPages } = entry.memory;
      if (memory !== null) problems.push(`import ${nameOf(entry)} is a second memory`);
      memory = { module: entry.module, name: entry.name, minimumPages, maximumPages };
    } else if (entry.type === null) {
      problems.push(`import ${nameOf(entry)} is a ${entry.kind}, expected functions only`);
    } else {
      checkFunction(entry, entry.type, abiVersion, isLenient, stubbed, problems, warnings);
    }
  }
  return { memory, stubbed };
}

function checkFunction(
  entry: ImportEntry,
  type: FunctionType,
  abiVersion: AbiVersion | null,
  isLenient: boolean,
  stubbed: StubbedImport[],
  problems: string[],
  warnings: string[],
): void {
  const found = formatSignature(type.params, type.results);
  const expected = expectedSignatures(entry);
  if (expected.length === 0) {
    if (isLenient && canBeStubbed(entry, type)) {
      stubbed.push({ module: entry.module, name: entry.name, hasResult: type.results.length > 0 });
      warnings.push(`unknown import ${nameOf(entry)} ${found} is stubbed`);
    } else {
      problems.push(`unknown import ${nameOf(entry)} ${found}${hint(entry)}`);
    }
    return;
  }
  if (!expected.includes(found)) {
    problems.push(`import ${nameOf(entry)} has signature ${found}, expected ${expected[0]}`);
    return;
  }
  // The versions of the ABI are one family: what only another one has works here nevertheless.
  const hostcall = entry.module === "env" ? findHostcall(entry.name) : undefined;
  if (hostcall === undefined || abiVersion === null || existsIn(hostcall, abiVersion)) return;
  warnings.push(`import ${nameOf(entry)} is not part of abi ${abiVersion}`);
}

/** The signatures a host accepts, the proper one first; none when the function is unknown. */
function expectedSignatures(entry: ImportEntry): readonly string[] {
  const hostcall = entry.module === "env" ? findHostcall(entry.name) : undefined;
  const row = hostcall ?? findToolchainImport(entry.module, entry.name);
  if (row === undefined) return [];
  const params = row.params.map((param) => param.type);
  const proper = formatSignature(params, row.results);
  return hostcall?.mayOmitResult === true ? [proper, formatSignature(params, [])] : [proper];
}

/** A stub can answer one i32 or nothing, and only names of the ABI or of WASI are stubbed. */
function canBeStubbed(entry: ImportEntry, type: FunctionType): boolean {
  const isAbi = entry.module === "env" && entry.name.startsWith("proxy_");
  if (!isAbi && !wasiModuleNames.includes(entry.module)) return false;
  return type.results.length === 0 || (type.results.length === 1 && type.results[0] === "i32");
}

function hint(entry: ImportEntry): string {
  if (entry.module !== "env" || !assemblyScriptDefaults.includes(entry.name)) return "";
  return ` (assemblyscript's default: build with the sdk's asconfig, or --use ${entry.name}=...)`;
}

function nameOf(entry: ImportEntry): string {
  return `${entry.module}.${entry.name}`;
}

// Loads wasm modules for plugins: reads, checks, rewrites and compiles them. Main thread only.
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { limits } from "proxy-wasm-types";
import type { AbiVersion } from "proxy-wasm-types";
import type { MemoryImport, StubbedImport } from "./check-imports.ts";
import { inspectModule } from "./inspect.ts";
import type { ModuleReport } from "./inspect.ts";
import { defaultWasmPolicy } from "../config/wasm-policy.ts";
import type { CodeMap } from "../wasm/code-map.ts";
import { WasmFormatError } from "./byte-reader.ts";
import { ModuleError } from "./module-error.ts";
import { rewriteModule } from "./rewriter.ts";
import type { RewrittenModule } from "./rewriter.ts";

/** Where a module's bytes are, as `VmConfig.code` says it, or bytes that came another way. */
export type ModuleSource =
  | { readonly filename: string }
  | { readonly inlineBytes: Uint8Array }
  | { readonly inlineString: string }
  | { readonly name: string; readonly bytes: Uint8Array };

export interface ModuleLoadOptions {
  /** The digest the bytes must have, in hex, as in `code.remote.sha256`. Default: any. */
  readonly sha256?: string | undefined;
  /** The largest module, in bytes. Default `limits.moduleBytesMax`. */
  readonly bytesMax?: number;
  /** `--wasm-lenient-imports`. Default false. */
  readonly lenientImports?: boolean;
  /** The guest pays fuel. Default true. */
  readonly isMetered?: boolean;
  /** Pages of 64 KiB that its memory may have. Default 2048. */
  readonly memoryPagesMax?: number;
  /** Where compiled modules are kept. Default: nowhere. */
  readonly cache?: ModuleCache;
  /** Stops the reading of a file. Default: never. */
  readonly signal?: AbortSignal;
}

/** A module ready for instances. Everything but `bytes` is meant to be posted to workers. */
export interface LoadedModule {
  /** Of the bytes as they were read, lower-case hex. */
  readonly sha256: string;
  /** Of the bytes and of how they were prepared: what is loaded under one key is the same. */
  readonly key: string;
  /** As they were read, before rewriting: for VM keys and reports. */
  readonly bytes: Uint8Array;
  readonly module: WebAssembly.Module;
  readonly abiVersion: AbiVersion;
  /** Callbacks that need no call: they always give this answer (0 for none) and do nothing. */
  readonly trivialCallbacks: ReadonlyMap<string, number>;
  /** To be called once, right after instantiation; null when there is nothing to call. */
  readonly startExport: string | null;
  /** The export that sets the fuel and tells what was left; null = the guest is not metered. */
  readonly fuelExport: string | null;
  /** The same in small integers. */
  readonly refillExport: string | null;
  /** The global with what the guest calls when its fuel is used up. */
  readonly supplyExport: string | null;
  /** From addresses of the code that runs to those of `bytes`. */
  readonly codeMap: CodeMap;
  /** Names of the module's own exports, in its order. */
  readonly exportsNames: readonly string[];
  /** The export that is the guest's memory. */
  readonly memoryExport: string;
  /** A memory the host must pass in; null = the module keeps its own, of an unusual kind. */
  readonly memoryImport: MemoryImport | null;
  /** What the guest's memory begins with and may grow to, in pages of 64 KiB. */
  readonly memoryPages: { readonly minimum: number; readonly maximum: number };
  /** Functions that it asks for. */
  readonly imports: readonly { readonly module: string; readonly name: string }[];
  /** Functions the host must stub; empty unless imports are lenient. */
  readonly stubbedImports: readonly StubbedImport[];
  readonly customSections: readonly string[];
  readonly producers: readonly string[];
  /** To be logged once by whoever asked for the module. */
  readonly warnings: readonly string[];
}

/** Compiled modules by digest, so that plugins and reloads with the same code share one. */
export class ModuleCache {
  #entriesMax: number;
  readonly #entries: Map<string, Promise<LoadedModule>>;
  readonly #onForgotten: () => void;

  /**
   * @param entriesMax Modules kept, the least recently used goes first. Default 64.
   * @param onForgotten Called for each that goes.
   */
  constructor(entriesMax = 64, onForgotten: () => void = (): void => {}) {
    this.#entriesMax = entriesMax;
    this.#onForgotten = onForgotten;
    this.#entries = new Map();
  }

  get size(): number {
    return this.#entries.size;
  }

  /** From now on so many are kept. */
  setMax(entriesMax: number): void {
    this.#entriesMax = entriesMax;
    this.#shrink();
  }

  /** What is kept under this key. */
  find(key: string): Promise<LoadedModule> | undefined {
    return this.#entries.get(key);
  }

  /** The module of this key, made by `make` when it is not there. Failures are not kept. */
  get(key: string, make: () => Promise<LoadedModule>): Promise<LoadedModule> {
    const found = this.#entries.get(key);
    if (found !== undefined) {
      // A map keeps the order of insertion: the front is what was not used for longest.
      this.#entries.delete(key);
      this.#entries.set(key, found);
      return found;
    }
    const made = make();
    this.#entries.set(key, made);
    made.catch(() => {
      if (this.#entries.get(key) === made) this.#entries.delete(key);
    });
    this.#shrink();
    return made;
  }

  #shrink(): void {
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#entriesMax) return;
      this.#entries.delete(oldest);
      this.#onForgotten();
    }
  }
}

/** Loads a module. Throws nothing but a ModuleError, with every problem that was found. */
export async function loadModule(
  source: ModuleSource,
  options: ModuleLoadOptions = {},
): Promise<LoadedModule> {
  const name = nameOf(source);
  const bytes = await readSource(source, name, options);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  checkDigest(name, sha256, options.sha256);
  const variant: Variant = {
    isLenient: options.lenientImports ?? false,
    isMetered: options.isMetered ?? true,
    memoryPagesMax: options.memoryPagesMax ?? defaultWasmPolicy.memoryPagesMax,
  };
  const key = keyOf(sha256, variant);
  const prepare = (): Promise<LoadedModule> => prepareModule(name, bytes, sha256, key, variant);
  if (options.cache === undefined) return await prepare();
  try {
    return await options.cache.get(key, prepare);
  } catch (error) {
    // Another source with the same bytes may have asked first: the error names ours.
    if (error instanceof ModuleError) throw new ModuleError(name, error.problems);
    throw error;
  }
}

/** How a module is prepared. */
interface Variant {
  readonly isLenient: boolean;
  readonly isMetered: boolean;
  readonly memoryPagesMax: number;
}

function keyOf(sha256: string, variant: Variant): string {
  const fuel = variant.isMetered ? "metered" : "unmetered";
  const imports = variant.isLenient ? " lenient" : "";
  return `${sha256} ${fuel} ${variant.memoryPagesMax} pages${imports}`;
}

async function prepareModule(
  name: string,
  bytes: Uint8Array,
  sha256: string,
  key: string,
  variant: Variant,
): Promise<LoadedModule> {
  const report = inspectModule(bytes, name, { lenientImports: variant.isLenient });
  const pagesMax = variant.memoryPagesMax;
  checkMemory(name, report.memory.minimumPages, pagesMax);
  // The rewriter may trust code that V8 has found valid; what is not is told by V8 itself.
  if (!WebAssembly.validate(bytes)) await compile(name, bytes);
  const rewritten = rewrite(name, bytes, report, variant);
  const module = await compile(name, rewritten.bytes);
  const { bytes: _rewritten, ...made } = rewritten;
  const facts = factsOf(report, pagesMax);
  const memoryImport = facts.memoryImport ?? made.memoryImport;
  return { sha256, key, bytes, module, ...made, ...facts, memoryImport };
}

function rewrite(
  name: string,
  bytes: Uint8Array,
  report: ModuleReport,
  variant: Variant,
): RewrittenModule {
  try {
    const options = { ...variant, isMemoryGiven: true };
    return rewriteModule(bytes, report.structure, report.memoryExport, options);
  } catch (error) {
    if (!(error instanceof WasmFormatError)) throw error;
    throw new ModuleError(name, [`cannot be metered: ${error.message}`]);
  }
}

function checkMemory(name: string, minimumPages: number, pagesMax: number): void {
  if (minimumPages <= pagesMax) return;
  const found = `found a memory of ${minimumPages} pages of 64 KiB at the start`;
  throw new ModuleError(name, [`${found}, expected at most ${pagesMax} (--wasm-policy)`]);
}

type Made = "sha256" | "key" | "module" | Exclude<keyof RewrittenModule, "memoryImport">;

function factsOf(report: ModuleReport, pagesMax: number): Omit<LoadedModule, Made> {
  const { minimumPages, maximumPages } = report.memory;
  const wanted = report.memoryImport;
  const maximum = Math.min(maximumPages ?? pagesMax, pagesMax);
  return {
    abiVersion: report.abiVersion,
    trivialCallbacks: report.trivialCallbacks,
    exportsNames: report.exportsNames,
    memoryImport: wanted === null ? null : { ...wanted, maximumPages: maximum },
    memoryPages: { minimum: minimumPages, maximum },
    imports: report.structure.imports
      .filter(({ kind }) => kind === "function")
      .map(({ module, name }) => ({ module, name })),
    stubbedImports: report.stubbedImports,
    customSections: report.customSections,
    producers: report.producers,
    warnings: report.warnings,
  };
}

/** Only V8 validates code: what it refuses is the module's problem. */
async function compile(name: string, bytes: Uint8Array): Promise<WebAssembly.Module> {
  try {
    return await WebAssembly.compile(bytes);
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    throw new ModuleError(name, [`invalid code: ${error.message}`]);
  }
}

function nameOf(source: ModuleSource): string {
  if ("filename" in source) return source.filename;
  return "name" in source ? source.name : "inline code";
}

async function readSource(
  source: ModuleSource,
  name: string,
  options: ModuleLoadOptions,
): Promise<Uint8Array> {
  const bytesMax = options.bytesMax ?? limits.moduleBytesMax;
  if ("filename" in source) return await readModuleFile(source.filename, bytesMax, options.signal);
  if ("name" in source) {
    checkSize(name, source.bytes.length, bytesMax);
    return source.bytes;
  }
  // Bytes are copied, because the caller may write to its own while we compile.
  const bytes =
    "inlineString" in source ? Buffer.from(source.inlineString) : Buffer.from(source.inlineBytes);
  checkSize(name, bytes.length, bytesMax);
  return bytes;
}

async function readModuleFile(
  filename: string,
  bytesMax: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  try {
    signal?.throwIfAborted();
    const file = await open(filename, "r");
    try {
      const stat = await file.stat();
      // A device or a pipe could go on for ever.
      if (!stat.isFile()) throw new ModuleError(filename, ["not a regular file"]);
      checkSize(filename, stat.size, bytesMax);
      const bytes = await file.readFile(signal === undefined ? {} : { signal });
      checkSize(filename, bytes.length, bytesMax);
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ModuleError) throw error;
    throw new ModuleError(filename, [`cannot be read: ${reasonOf(error)}`]);
  }
}

/** "no such file" rather than a stack: the code says enough, and the name stands before it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" ? "no such file" : error.message;
}

function checkSize(name: string, size: number, bytesMax: number): void {
  if (size <= bytesMax) return;
  throw new ModuleError(name, [`found ${size} bytes, expected at most ${bytesMax}`]);
}

function checkDigest(name: string, found: string, expected: string | undefined): void {
  if (expected === undefined || expected === "") return;
  if (!/^[0-9a-fA-F]{64}$/.test(expected)) {
    const shown = JSON.stringify(expected);
    throw new ModuleError(name, [`sha256 pin ${shown} is malformed, expected 64 hex digits`]);
  }
  if (found === expected.toLowerCase()) return;
  throw new ModuleError(name, [`found sha256 ${found}, expected ${expected.toLowerCase()}`]);
}

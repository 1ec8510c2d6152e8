// The imports of one instance: every hostcall of every ABI version, WASI, and stubs of unknowns.
import { findHostcall, Status, WasiErrno, wasiFunctions, wasiModuleNames } from "proxy-wasm-types";
import { LogLevel } from "../../core/logger.ts";
import type { CompiledModule } from "../compiled-module.ts";
import type { Vm } from "../vm.ts";
import { bufferHostcalls } from "./buffers.ts";
import { clockHostcalls } from "./clocks-and-timers.ts";
import { contextHostcalls } from "./context-lifecycle.ts";
import { foreignFunctionHostcalls } from "./foreign-functions.ts";
import { grpcCallHostcalls } from "./grpc-calls.ts";
import { guardHostcall, type HostFunction } from "./guard.ts";
import { httpCallHostcalls } from "./http-calls.ts";
import { httpFieldHostcalls } from "./http-fields.ts";
import { loggingHostcalls } from "./logging.ts";
import { metricHostcalls } from "./metrics.ts";
import { propertyHostcalls } from "./properties.ts";
import { sharedHostcalls } from "./shared-kv-and-queues.ts";
import { streamHostcalls } from "./streams.ts";
import { wasiFileHostcalls } from "./wasi-files.ts";
import { wasiHostcalls } from "./wasi.ts";

/** Implementations by name. Closures over one VM, made once per instance. */
export type HostcallTable = Readonly<Record<string, HostFunction>>;

type Imports = Record<string, Record<string, unknown>>;

const wasiNames: ReadonlySet<string> = new Set(wasiFunctions.map(({ name }) => name));

/** What Envoy lets an allocator call, besides what the table of hostcalls says. */
const wasiOfAllocators: readonly string[] = ["fd_write", "clock_time_get", "poll_oneoff"];

/** By the ABI's chapters; the implementations of each know all of its names. */
const chapters: Readonly<Record<string, (vm: Vm) => HostcallTable>> = {
  logging: loggingHostcalls,
  "clocks-and-timers": clockHostcalls,
  "context-lifecycle": contextHostcalls,
  buffers: bufferHostcalls,
  "http-fields": httpFieldHostcalls,
  streams: streamHostcalls,
  "http-calls": httpCallHostcalls,
  "grpc-calls": grpcCallHostcalls,
  properties: propertyHostcalls,
  "shared-kv-and-queues": sharedHostcalls,
  metrics: metricHostcalls,
  "foreign-functions": foreignFunctionHostcalls,
};

/**
 * What the module asks for and nothing else: an instance is made for each trap, and a hundred
 * functions that nobody calls are garbage that stops the thread. `memory` is what the module wants
 * to be given; null = it has one of its own.
 */
export function createImports(
  vm: Vm,
  module: CompiledModule,
  memory: WebAssembly.Memory | null,
): Imports {
  const imports: Imports = {};
  const tables = new Map<string, HostcallTable>();
  for (const { module: from, name } of module.imports) {
    const place = (imports[from] ??= {});
    const isWasi = wasiModuleNames.includes(from);
    place[name] ??= isWasi ? wasiImport(vm, name, tables) : envImport(vm, name, tables);
  }
  for (const stub of module.stubbedImports) {
    const answer = stub.module === "env" ? Status.Unimplemented : WasiErrno.NoSys;
    const place = (imports[stub.module] ??= {});
    place[stub.name] ??= stub.hasResult ? (): number => answer : (): void => {};
  }
  if (module.memoryImport !== null && memory !== null) {
    (imports[module.memoryImport.module] ??= {})[module.memoryImport.name] = memory;
  }
  return imports;
}

/** Undefined = the host has none of this name. */
function envImport(vm: Vm, name: string, tables: Map<string, HostcallTable>): unknown {
  const row = findHostcall(name);
  if (row === undefined) return extraImports[name];
  const { chapter, phases } = row;
  const implementation = isAllowed(vm, name)
    ? tableOf(chapter, tables, () => chapters[chapter]?.(vm) ?? {})[name]
    : restricted(vm, name);
  return guardHostcall(vm, name, implementation as HostFunction, {
    initialize: phases.includes("initialize"),
    allocate: phases.includes("allocate"),
  });
}

function wasiImport(vm: Vm, name: string, tables: Map<string, HostcallTable>): unknown {
  if (!wasiNames.has(name)) return undefined;
  const implementation = isAllowed(vm, name)
    ? tableOf("wasi", tables, () => wasiTable(vm))[name]
    : restrictedWasi(vm, name);
  return guardHostcall(vm, name, implementation as HostFunction, {
    initialize: true,
    allocate: wasiOfAllocators.includes(name),
  });
}

function tableOf(
  chapter: string,
  tables: Map<string, HostcallTable>,
  make: () => HostcallTable,
): HostcallTable {
  const known = tables.get(chapter) ?? make();
  tables.set(chapter, known);
  return known;
}

function wasiTable(vm: Vm): HostcallTable {
  const plain = wasiHostcalls(vm);
  const { files } = vm;
  return files === null ? plain : { ...plain, ...wasiFileHostcalls(vm, files, plain) };
}

/** Two functions of old emscripten; they touch nothing, so nothing guards them. */
const extraImports: Readonly<Record<string, unknown>> = {
  pthread_equal: (left: number, right: number): number => (left === right ? 1 : 0),
  emscripten_notify_memory_growth: (): void => {},
};

function isAllowed(vm: Vm, name: string): boolean {
  const allowed = vm.settings.allowedCapabilities;
  return allowed.length === 0 || allowed.includes(name);
}

function restricted(vm: Vm, name: string): HostFunction {
  return () => {
    vm.log.host(LogLevel.Error, `wasm guest called ${name}, which its configuration restricts`);
    return Status.InternalFailure;
  };
}

function restrictedWasi(vm: Vm, name: string): HostFunction {
  return () => {
    vm.log.host(LogLevel.Error, `wasm guest called ${name}, which its configuration restricts`);
    return name === "proc_exit" ? undefined : WasiErrno.NotCapable;
  };
}

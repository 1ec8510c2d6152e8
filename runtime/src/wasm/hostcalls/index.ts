// The imports of one instance: every hostcall of every ABI version, WASI, and stubs of unknowns.
import {
  extraEnvImports,
  findHostcall,
  hostcalls,
  Status,
  WasiErrno,
  wasiFunctions,
  wasiModuleNames,
} from "proxy-wasm-types";
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

/** What Envoy lets an allocator call, besides what the table of hostcalls says. */
const wasiOfAllocators: readonly string[] = ["fd_write", "clock_time_get", "poll_oneoff"];

/** `memory` is what the module wants to be given; null = it has one of its own. */
export function createImports(
  vm: Vm,
  module: CompiledModule,
  memory: WebAssembly.Memory | null,
): Imports {
  const imports: Imports = { env: { ...envHostcalls(vm), ...extraImports() } };
  const wasi = wasiImports(vm);
  for (const name of wasiModuleNames) imports[name] = { ...wasi };
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

function envHostcalls(vm: Vm): Record<string, unknown> {
  const all: HostcallTable = {
    ...loggingHostcalls(vm),
    ...clockHostcalls(vm),
    ...contextHostcalls(vm),
    ...bufferHostcalls(vm),
    ...httpFieldHostcalls(vm),
    ...streamHostcalls(vm),
    ...httpCallHostcalls(vm),
    ...grpcCallHostcalls(vm),
    ...propertyHostcalls(vm),
    ...sharedHostcalls(vm),
    ...metricHostcalls(vm),
    ...foreignFunctionHostcalls(vm),
  };
  const imports: Record<string, unknown> = {};
  for (const { name } of hostcalls) {
    const phases = findHostcall(name)?.phases ?? [];
    const implementation = isAllowed(vm, name) ? all[name] : restricted(vm, name);
    imports[name] = guardHostcall(vm, name, implementation as HostFunction, {
      initialize: phases.includes("initialize"),
      allocate: phases.includes("allocate"),
    });
  }
  return imports;
}

function wasiImports(vm: Vm): Record<string, unknown> {
  const plain = wasiHostcalls(vm);
  const { files } = vm;
  const all = files === null ? plain : { ...plain, ...wasiFileHostcalls(vm, files, plain) };
  const imports: Record<string, unknown> = {};
  for (const { name } of wasiFunctions) {
    const implementation = isAllowed(vm, name) ? all[name] : restrictedWasi(vm, name);
    imports[name] = guardHostcall(vm, name, implementation as HostFunction, {
      initialize: true,
      allocate: wasiOfAllocators.includes(name),
    });
  }
  return imports;
}

/** Two functions of old emscripten; they touch nothing, so nothing guards them. */
function extraImports(): Record<string, unknown> {
  const known: Record<string, unknown> = {
    pthread_equal: (left: number, right: number): number => (left === right ? 1 : 0),
    emscripten_notify_memory_growth: (): void => {},
  };
  const imports: Record<string, unknown> = {};
  for (const { name } of extraEnvImports) imports[name] = known[name];
  return imports;
}

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

// The call boundary from guest to host: every import that does something is wrapped here.
import { type HostcallName, hostcalls, wasiFunctions } from "proxy-wasm-types";
import type { CallTrace } from "../call-trace.ts";
import { Phase } from "../phase.ts";
import type { Vm } from "../vm.ts";

/** A hostcall's implementation: numbers in, a status or nothing out; i64 come as BigInt. */
export type HostFunction = (...args: never[]) => number | void;

/** In which phases besides callbacks a hostcall may be made. */
export interface AllowedPhases {
  readonly initialize: boolean;
  readonly allocate: boolean;
}

type Five = (a: number, b: number, c: number, d: number, e: number) => number | void;

/**
 * What others see of a start, or what makes it depend on them: a standby, which starts when nobody
 * asked for it, may do none of it.
 */
const outward: ReadonlySet<string> = new Set<HostcallName>([
  "proxy_http_call",
  "proxy_grpc_call",
  "proxy_grpc_stream",
  "proxy_get_shared_data",
  "proxy_set_shared_data",
  "proxy_enqueue_shared_queue",
  "proxy_dequeue_shared_queue",
  "proxy_increment_metric",
  "proxy_record_metric",
  "proxy_get_metric",
]);

const paramCounts: ReadonlyMap<string, number> = new Map(
  [...wasiFunctions, ...hostcalls].map(({ name, params }) => [name, params.length]),
);

/** What an import of one instance calls: its implementation, or the trace around it. */
export class HostcallGate {
  readonly #name: string;
  readonly #implementation: HostFunction;
  target: HostFunction;

  constructor(name: string, implementation: HostFunction) {
    this.#name = name;
    this.#implementation = implementation;
    this.target = implementation;
  }

  follow(trace: CallTrace | null): void {
    const implementation = this.#implementation;
    this.target = trace === null ? implementation : trace.hostcall(this.#name, implementation);
  }

  /** Most go a way without an array. */
  get isShort(): boolean {
    return Math.max(paramCounts.get(this.#name) ?? 0, this.#implementation.length) <= 5;
  }
}

/**
 * The function that the guest gets: refuses phases that are not allowed, and lets no error out.
 * Up to five parameters, all that streams need, go a way without an array.
 */
export function guardHostcall(
  vm: Vm,
  name: string,
  hostcall: HostFunction,
  allowed: AllowedPhases,
): HostFunction {
  const gate = new HostcallGate(name, vm.observer?.hostcall(name, hostcall) ?? hostcall);
  gate.follow(vm.trace);
  vm.gates.push(gate);
  const isOutward = outward.has(name);
  const isRefused = (): boolean => {
    if (vm.phase === Phase.Start) {
      if (isOutward) vm.noteOutwardCall(name);
      return false;
    }
    return vm.phase === Phase.Initialize ? !allowed.initialize : !allowed.allocate;
  };
  if (gate.isShort) {
    return (a: number, b: number, c: number, d: number, e: number) => {
      if (vm.phase !== Phase.Run && isRefused()) return vm.refuseHostcall(name);
      vm.hostcalls += 1;
      try {
        return (gate.target as Five)(a, b, c, d, e);
      } catch (error) {
        return vm.stopByError(error);
      }
    };
  }
  return (...args: never[]) => {
    if (vm.phase !== Phase.Run && isRefused()) return vm.refuseHostcall(name);
    vm.hostcalls += 1;
    try {
      return gate.target(...args);
    } catch (error) {
      return vm.stopByError(error);
    }
  };
}

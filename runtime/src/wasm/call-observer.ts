// The contract of whatever sees the calls between a guest and its host: the live trace, and the
// checks of tests. Without one nothing is wrapped.
import type { GuestFunction } from "./guest-exports.ts";
import type { HostFunction } from "./hostcalls/guard.ts";

export interface CallObserver {
  /** The export, or what is called in its stead. */
  callback(name: string, inner: GuestFunction): GuestFunction;
  /** The implementation, or what is called in its stead; stands inside of the guard. */
  hostcall(name: string, implementation: HostFunction): HostFunction;
}

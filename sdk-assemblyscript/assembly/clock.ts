// The host's wall clock. Called by authors.
import { proxy_get_current_time_nanoseconds } from "./abi";
import { isOk, OUT } from "./results";

/** Nanoseconds since the Unix epoch; 0 when the host does not tell. */
export function nowNs(): u64 {
  return isOk(proxy_get_current_time_nanoseconds(OUT)) ? load<u64>(OUT) : 0;
}

/** Milliseconds since the Unix epoch; 0 when the host does not tell. */
export function nowMs(): u64 {
  return nowNs() / 1_000_000;
}

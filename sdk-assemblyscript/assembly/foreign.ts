// Functions of the host by name, in both directions. Called by authors.
import { BufferType, proxy_call_foreign_function, proxy_get_buffer_bytes } from "./abi";
import { isOk, OUT, OUT_SIZE, resultBytes } from "./results";
import { encodedLength, encodeUtf8 } from "./utf8";

/**
 * Calls a function of the host, such as Envoy's `clear_route_cache`, `compress`, `verify_signature`;
 * what goes in and comes back is the function's own matter. Null when there is no such function
 * (`lastStatus()` is `Status.NotFound`) or it failed; empty when it has no result. It acts on the
 * context whose callback runs, also in the callback of a call.
 */
export function callForeign(name: string, args: Uint8Array | null = null): Uint8Array | null {
  const start = encodeUtf8(name);
  const length = encodedLength();
  const data: usize = args === null ? 0 : args.dataStart;
  const size: u32 = args === null ? 0 : args.length;
  store<u64>(OUT, 0);
  const answer = proxy_call_foreign_function(start, length, data, size, OUT, OUT_SIZE);
  return isOk(answer) ? resultBytes() : null;
}

/** What the host gave along, in onForeignFunction only; null when there is nothing. */
export function foreignArguments(): Uint8Array | null {
  const all: u32 = 0xffffffff;
  const type = BufferType.ForeignFunctionArguments;
  return isOk(proxy_get_buffer_bytes(type, 0, all, OUT, OUT_SIZE)) ? resultBytes() : null;
}

// Operations of the scripted guest: buffers.
import { OUT, n, tell, tellBytes, textAt, p } from "./state";

// @ts-ignore: decorator
@external("env", "proxy_get_buffer_bytes")
declare function proxy_get_buffer_bytes(t: u32, s: u32, n: u32, op: usize, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_buffer_status")
declare function proxy_get_buffer_status(t: u32, on: usize, flags: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_buffer_bytes")
declare function proxy_set_buffer_bytes(t: u32, s: u32, n: u32, p: usize, l: u32): u32;

export function runBuffers(op: string): bool {
  if (op == "get_buffer_bytes") {
    tellBytes(proxy_get_buffer_bytes(n(2), n(3), n(4), OUT, OUT + 4));
  } else if (op == "get_buffer_status") {
    const status = proxy_get_buffer_status(n(2), OUT, OUT + 4);
    const told = load<u32>(OUT).toString() + " " + load<u32>(OUT + 4).toString();
    tell(status, status == 0 ? told : "");
  } else if (op == "set_buffer_bytes") {
    const b = textAt(5);
    tell(proxy_set_buffer_bytes(n(2), n(3), n(4), p(b), b.byteLength), "");
  } else if (op == "set_buffer_bytes_raw") {
    tell(proxy_set_buffer_bytes(n(2), n(3), n(4), n(5), n(6)), "");
  } else return false;
  return true;
}

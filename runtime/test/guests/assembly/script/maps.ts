// Operations of the scripted guest: header maps.
import { OUT, args, n, pairs, tell, tellBytes, tellU32, textAt, p } from "./state";

// @ts-ignore: decorator
@external("env", "proxy_get_header_map_size")
declare function proxy_get_header_map_size(t: u32, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_header_map_pairs")
declare function proxy_get_header_map_pairs(t: u32, op: usize, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_header_map_pairs")
declare function proxy_set_header_map_pairs(t: u32, p: usize, n: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_header_map_value")
declare function proxy_get_header_map_value(t: u32, k: usize, n: u32, op: usize, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_add_header_map_value")
declare function proxy_add_header_map_value(t: u32, k: usize, kn: u32, v: usize, vn: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_replace_header_map_value")
declare function proxy_replace_header_map_value(t: u32, k: usize, kn: u32, v: usize, vn: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_remove_header_map_value")
declare function proxy_remove_header_map_value(t: u32, k: usize, kn: u32): u32;

export function runMaps(op: string): bool {
  if (op == "get_header_map_value") {
    const k = textAt(3);
    tellBytes(proxy_get_header_map_value(n(2), p(k), k.byteLength, OUT, OUT + 4));
  } else if (op == "get_header_map_value_raw") {
    tellBytes(proxy_get_header_map_value(n(2), n(3), n(4), n(5), n(6)));
  } else if (op == "get_header_map_pairs") {
    tellBytes(proxy_get_header_map_pairs(n(2), OUT, OUT + 4));
  } else if (op == "get_header_map_size") {
    tellU32(proxy_get_header_map_size(n(2), OUT));
  } else if (op == "set_header_map_pairs") {
    const b = pairs(args[3]);
    tell(proxy_set_header_map_pairs(n(2), p(b), b.byteLength), "");
  } else if (op == "add_header_map_value") {
    const k = textAt(3);
    const v = textAt(4);
    tell(proxy_add_header_map_value(n(2), p(k), k.byteLength, p(v), v.byteLength), "");
  } else if (op == "replace_header_map_value") {
    const k = textAt(3);
    const v = textAt(4);
    tell(proxy_replace_header_map_value(n(2), p(k), k.byteLength, p(v), v.byteLength), "");
  } else if (op == "remove_header_map_value") {
    const k = textAt(3);
    tell(proxy_remove_header_map_value(n(2), p(k), k.byteLength), "");
  } else return false;
  return true;
}

// Operations of the scripted guest: properties, metrics, shared data, logging, time.
import { OUT, n, l, tell, tellBytes, tellU32, textAt, p } from "./state";

// @ts-ignore: decorator
@external("env", "proxy_log")
declare function proxy_log(level: u32, p: usize, n: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_log_level")
declare function proxy_get_log_level(out: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_current_time_nanoseconds")
declare function proxy_get_current_time_nanoseconds(out: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_property")
declare function proxy_get_property(p: usize, n: u32, op: usize, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_property")
declare function proxy_set_property(p: usize, n: u32, v: usize, vn: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_shared_data")
declare function proxy_get_shared_data(p: usize, n: u32, op: usize, on: usize, oc: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_shared_data")
declare function proxy_set_shared_data(p: usize, n: u32, v: usize, vn: u32, cas: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_register_shared_queue")
declare function proxy_register_shared_queue(p: usize, n: u32, out: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_resolve_shared_queue")
declare function proxy_resolve_shared_queue(v: usize, vn: u32, p: usize, n: u32, out: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_enqueue_shared_queue")
declare function proxy_enqueue_shared_queue(t: u32, p: usize, n: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_dequeue_shared_queue")
declare function proxy_dequeue_shared_queue(t: u32, op: usize, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_define_metric")
declare function proxy_define_metric(t: u32, p: usize, n: u32, out: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_record_metric")
declare function proxy_record_metric(id: u32, v: i64): u32;
// @ts-ignore: decorator
@external("env", "proxy_increment_metric")
declare function proxy_increment_metric(id: u32, v: i64): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_metric")
declare function proxy_get_metric(id: u32, out: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_call_foreign_function")
declare function proxy_call_foreign_function(
  p: usize,
  n: u32,
  a: usize,
  an: u32,
  op: usize,
  on: usize,
): u32;

export function runValues(op: string): bool {
  if (op == "get_property") {
    const b = textAt(2);
    tellBytes(proxy_get_property(p(b), b.byteLength, OUT, OUT + 4));
  } else if (op == "set_property") {
    const b = textAt(2);
    const v = textAt(3);
    tell(proxy_set_property(p(b), b.byteLength, p(v), v.byteLength), "");
  } else if (op == "define_metric") {
    const b = textAt(3);
    tellU32(proxy_define_metric(n(2), p(b), b.byteLength, OUT));
  } else if (op == "record_metric") tell(proxy_record_metric(n(2), l(3)), "");
  else if (op == "increment_metric") tell(proxy_increment_metric(n(2), l(3)), "");
  else if (op == "get_metric") {
    const status = proxy_get_metric(n(2), OUT);
    tell(status, status == 0 ? load<u64>(OUT).toString() : "");
  } else if (op == "get_shared_data") {
    const b = textAt(2);
    tellBytes(proxy_get_shared_data(p(b), b.byteLength, OUT, OUT + 4, OUT + 8));
  } else if (op == "set_shared_data") {
    const b = textAt(2);
    const v = textAt(3);
    tell(proxy_set_shared_data(p(b), b.byteLength, p(v), v.byteLength, n(4)), "");
  } else if (op == "register_shared_queue") {
    const b = textAt(2);
    tellU32(proxy_register_shared_queue(p(b), b.byteLength, OUT));
  } else if (op == "resolve_shared_queue") {
    const v = textAt(2);
    const b = textAt(3);
    tellU32(proxy_resolve_shared_queue(p(v), v.byteLength, p(b), b.byteLength, OUT));
  } else if (op == "enqueue_shared_queue") {
    const b = textAt(3);
    tell(proxy_enqueue_shared_queue(n(2), p(b), b.byteLength), "");
  } else if (op == "dequeue_shared_queue") {
    tellBytes(proxy_dequeue_shared_queue(n(2), OUT, OUT + 4));
  } else if (op == "call_foreign_function") {
    const b = textAt(2);
    const v = textAt(3);
    tellBytes(proxy_call_foreign_function(p(b), b.byteLength, p(v), v.byteLength, OUT, OUT + 4));
  } else if (op == "get_log_level") tellU32(proxy_get_log_level(OUT));
  else if (op == "log") {
    const b = textAt(3);
    tell(proxy_log(n(2), p(b), b.byteLength), "");
  } else if (op == "log_raw") tell(proxy_log(n(2), n(3), n(4)), "");
  else if (op == "get_current_time") {
    // At an address that is not aligned.
    const status = proxy_get_current_time_nanoseconds(OUT + 1);
    tell(status, load<u64>(OUT + 1).toString());
  } else return false;
  return true;
}

// Operations of the scripted guest: streams, contexts, callouts.
import { OUT, args, n, pairs, encode, tell, textAt, p } from "./state";

// @ts-ignore: decorator
@external("env", "proxy_set_tick_period_milliseconds")
declare function proxy_set_tick_period_milliseconds(ms: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_effective_context")
declare function proxy_set_effective_context(id: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_done")
declare function proxy_done(): u32;
// @ts-ignore: decorator
@external("env", "proxy_continue_stream")
declare function proxy_continue_stream(t: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_close_stream")
declare function proxy_close_stream(t: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_send_local_response")
declare function proxy_send_local_response(
  code: u32,
  d: usize,
  dn: u32,
  b: usize,
  bn: u32,
  h: usize,
  hn: u32,
  g: i32,
): u32;
// @ts-ignore: decorator
@external("env", "proxy_http_call")
declare function proxy_http_call(
  c: usize,
  cn: u32,
  h: usize,
  hn: u32,
  b: usize,
  bn: u32,
  t: usize,
  tn: u32,
  ms: u32,
  out: usize,
): u32;
// @ts-ignore: decorator
@external("env", "proxy_grpc_call")
declare function proxy_grpc_call(
  s: usize,
  sn: u32,
  a: usize,
  an: u32,
  m: usize,
  mn: u32,
  i: usize,
  n: u32,
  b: usize,
  bn: u32,
  ms: u32,
  out: usize,
): u32;
// @ts-ignore: decorator
@external("env", "proxy_grpc_stream")
declare function proxy_grpc_stream(
  s: usize,
  sn: u32,
  a: usize,
  an: u32,
  m: usize,
  mn: u32,
  i: usize,
  n: u32,
  out: usize,
): u32;
// @ts-ignore: decorator
@external("env", "proxy_grpc_send")
declare function proxy_grpc_send(t: u32, p: usize, n: u32, e: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_grpc_cancel")
declare function proxy_grpc_cancel(t: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_grpc_close")
declare function proxy_grpc_close(t: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_status")
declare function proxy_get_status(oc: usize, op: usize, on: usize): u32;

export function runStreams(op: string): bool {
  if (op == "continue_stream") tell(proxy_continue_stream(n(2)), "");
  else if (op == "close_stream") tell(proxy_close_stream(n(2)), "");
  else if (op == "done") tell(proxy_done(), "");
  else if (op == "set_effective_context") tell(proxy_set_effective_context(n(2)), "");
  else if (op == "set_tick_period") tell(proxy_set_tick_period_milliseconds(n(2)), "");
  else if (op == "send_local_response") {
    const details = textAt(3);
    const body = textAt(4);
    const h = pairs(args[5]);
    const status = proxy_send_local_response(
      n(2),
      p(details),
      details.byteLength,
      p(body),
      body.byteLength,
      p(h),
      h.byteLength,
      <i32>n(6),
    );
    tell(status, "");
  } else if (op == "http_call") {
    const cluster = textAt(2);
    const h = pairs(args[3]);
    const body = textAt(4);
    const t = pairs(args[5]);
    const status = proxy_http_call(
      p(cluster),
      cluster.byteLength,
      p(h),
      h.byteLength,
      p(body),
      body.byteLength,
      p(t),
      t.byteLength,
      n(6),
      OUT,
    );
    tell(status, load<u32>(OUT).toString());
  } else if (op == "grpc_call") {
    const s = textAt(2);
    const a = textAt(3);
    const m = textAt(4);
    const md = pairs(args.length > 5 ? args[5] : "~");
    const b = textAt(6);
    const ms = args.length > 7 ? n(7) : 1000;
    const status = proxy_grpc_call(
      p(s),
      s.byteLength,
      p(a),
      a.byteLength,
      p(m),
      m.byteLength,
      p(md),
      md.byteLength,
      p(b),
      b.byteLength,
      ms,
      OUT,
    );
    tell(status, status == 0 ? load<u32>(OUT).toString() : "");
  } else if (op == "grpc_stream") {
    const s = textAt(2);
    const a = textAt(3);
    const m = textAt(4);
    const md = pairs(args.length > 5 ? args[5] : "~");
    const status = proxy_grpc_stream(
      p(s),
      s.byteLength,
      p(a),
      a.byteLength,
      p(m),
      m.byteLength,
      p(md),
      md.byteLength,
      OUT,
    );
    tell(status, status == 0 ? load<u32>(OUT).toString() : "");
  } else if (op == "grpc_send") {
    const b = textAt(3);
    tell(proxy_grpc_send(n(2), p(b), b.byteLength, args.length > 4 ? n(4) : 0), "");
  }
  else if (op == "grpc_cancel") tell(proxy_grpc_cancel(n(2)), "");
  else if (op == "grpc_close") tell(proxy_grpc_close(n(2)), "");
  else if (op == "get_status") {
    const status = proxy_get_status(OUT + 8, OUT, OUT + 4);
    tell(status, load<u32>(OUT + 8).toString() + " [" + encode(load<u32>(OUT), load<u32>(OUT + 4)) + "]");
  } else return false;
  return true;
}

// A guest that does what its configuration says and logs what it sees; for tests of the host, and for
// asking another host the same questions. One line: `<callback>[#n] <operation> <arguments...>`.
// Text arguments are percent-encoded. Operations are named as hostcalls without "proxy_".

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
@external("env", "proxy_set_tick_period_milliseconds")
declare function proxy_set_tick_period_milliseconds(ms: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_effective_context")
declare function proxy_set_effective_context(id: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_done")
declare function proxy_done(): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_buffer_bytes")
declare function proxy_get_buffer_bytes(t: u32, s: u32, n: u32, op: usize, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_buffer_status")
declare function proxy_get_buffer_status(t: u32, on: usize, flags: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_buffer_bytes")
declare function proxy_set_buffer_bytes(t: u32, s: u32, n: u32, p: usize, l: u32): u32;
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
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: i32): void;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, p: usize, n: u32, out: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "clock_time_get")
declare function clock_time_get(id: u32, precision: i64, out: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "random_get")
declare function random_get(p: usize, n: u32): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_sizes_get")
declare function environ_sizes_get(oc: usize, on: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_get")
declare function environ_get(p: usize, b: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(
  fd: u32,
  df: u32,
  p: usize,
  n: u32,
  oflags: u32,
  rb: i64,
  ri: i64,
  f: u32,
  out: usize,
): u32;

export function proxy_abi_version_0_2_1(): void {}

/** Failed checks of the language end here. */
export function onAbort(_message: usize, _file: usize, _line: u32, _column: u32): void {
  unreachable();
}

/** "", or what the allocator does instead of its work. */
/** Even for ever. */
let rounds: i64 = 0;
let mallocMode: string = "";

export function malloc(size: usize): usize {
  if (mallocMode == "zero") return 0;
  if (mallocMode == "end") return <usize>memory.size() * 65536 - 4;
  if (mallocMode == "outside") return <usize>memory.size() * 65536 + 16;
  if (mallocMode == "trap") unreachable();
  if (mallocMode == "call") proxy_get_log_level(OUT);
  if (mallocMode == "grow") {
    const at = <usize>memory.size() * 65536;
    memory.grow(<i32>((size + 65535) / 65536));
    return at;
  }
  return heap.alloc(size);
}

const OUT: usize = heap.alloc(64);
let lines: string[] = [];
let counts: Map<string, i32> = new Map<string, i32>();
let answer: i32 = 0;
let args: string[] = [];

// ---- Helpers of operations.

function n(i: i32): u32 {
  const text = args[i];
  if (text == "max") return 0xffffffff;
  if (text == "end") return <u32>(memory.size() * 65536);
  if (text.startsWith("end-")) return <u32>(memory.size() * 65536) - <u32>parseInt(text.slice(4));
  return <u32>(<i64>parseInt(text));
}

function l(i: i32): i64 {
  return <i64>parseInt(args[i]);
}

function decode(text: string): ArrayBuffer {
  const bytes = new Uint8Array(text.length);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    if (text.charAt(i) == "%") {
      bytes[at++] = <u8>parseInt(text.slice(i + 1, i + 3), 16);
      i += 2;
    } else bytes[at++] = <u8>text.charCodeAt(i);
  }
  return bytes.buffer.slice(0, at);
}

/** A flat list "a=b,c=d" in its serialised form. "~" = no bytes; "!" before = the bytes as given. */
function pairs(text: string): ArrayBuffer {
  if (text == "~") return new ArrayBuffer(0);
  if (text.startsWith("!")) return decode(text.slice(1));
  const parts: ArrayBuffer[] = [];
  const entries = text.split(",");
  let size = 4 + entries.length * 8;
  for (let i = 0; i < entries.length; i++) {
    const at = entries[i].indexOf("=");
    parts.push(decode(entries[i].slice(0, at)));
    parts.push(decode(entries[i].slice(at + 1)));
    size += parts[i * 2].byteLength + parts[i * 2 + 1].byteLength + 2;
  }
  const out = new ArrayBuffer(size);
  const base = changetype<usize>(out);
  store<u32>(base, entries.length);
  let at = base + 4 + entries.length * 8;
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    store<u32>(base + 4 + i * 4, part.byteLength);
    memory.copy(at, changetype<usize>(part), part.byteLength);
    at += part.byteLength + 1;
  }
  return out;
}

function encode(p: usize, size: u32): string {
  const limit: u32 = size > 200 ? 200 : size;
  let text = "";
  for (let i: u32 = 0; i < limit; i++) {
    const byte = load<u8>(p + i);
    if (byte > 32 && byte < 127 && byte != 37) text += String.fromCharCode(byte);
    else text += "%" + (byte < 16 ? "0" : "") + byte.toString(16);
  }
  return text + (size > limit ? "...(" + size.toString() + ")" : "");
}

function say(text: string): void {
  const bytes = String.UTF8.encode(text);
  proxy_log(2, changetype<usize>(bytes), bytes.byteLength);
}

function tell(status: u32, value: string): void {
  say("  " + args.slice(1).join(" ") + " -> " + status.toString() + (value == "" ? "" : " " + value));
}

/** Two out parameters at OUT and OUT + 4: told when the status is 0. */
function tellBytes(status: u32): void {
  if (status != 0) return tell(status, "");
  const p = load<u32>(OUT);
  const size = load<u32>(OUT + 4);
  tell(status, "[" + (size == 0 ? p.toString() : encode(p, size)) + "]");
}

function tellU32(status: u32): void {
  tell(status, status == 0 ? load<u32>(OUT).toString() : "");
}

function textAt(i: i32): ArrayBuffer {
  return decode(i < args.length ? args[i] : "");
}

function p(b: ArrayBuffer): usize {
  return b.byteLength == 0 ? 0 : changetype<usize>(b);
}

// ---- Operations. args[0] is the callback, args[1] the operation.

function run(): void {
  const op = args[1];
  store<u32>(OUT, 0xdead);
  store<u32>(OUT + 4, 0xbeef);
  if (op == "return") answer = <i32>n(2);
  else if (op == "trap") unreachable();
  else if (op == "recurse") recurse(1);
  else if (op == "loop") while (rounds != -1) rounds += 2;
  else if (op == "malloc") mallocMode = args.length > 2 ? args[2] : "";
  else if (op == "say") say("  " + String.UTF8.decode(textAt(2)));
  else if (!runMaps(op) && !runStreams(op) && !runBuffers(op) && !runValues(op)) runWasi(op);
}

/** The end is out of reach, but must be there: asc's optimiser never ends on a function without. */
function recurse(depth: i64): i64 {
  if (depth < 0) return 0;
  return recurse(depth + 1) + recurse(depth + 2);
}

function runMaps(op: string): bool {
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

function runStreams(op: string): bool {
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
    const status = proxy_grpc_call(
      p(s),
      s.byteLength,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      0,
      1000,
      OUT,
    );
    tell(status, "");
  } else if (op == "grpc_send") tell(proxy_grpc_send(n(2), 0, 0, 0), "");
  else if (op == "grpc_cancel") tell(proxy_grpc_cancel(n(2)), "");
  else if (op == "grpc_close") tell(proxy_grpc_close(n(2)), "");
  else if (op == "get_status") {
    const status = proxy_get_status(OUT + 8, OUT, OUT + 4);
    tell(status, load<u32>(OUT + 8).toString() + " [" + encode(load<u32>(OUT), load<u32>(OUT + 4)) + "]");
  } else return false;
  return true;
}

function runBuffers(op: string): bool {
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

function runValues(op: string): bool {
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

function runWasi(op: string): void {
  if (op == "proc_exit") proc_exit(n(2));
  else if (op == "fd_write") {
    const b = textAt(3);
    store<u32>(OUT + 8, p(b));
    store<u32>(OUT + 12, b.byteLength);
    tellU32(fd_write(n(2), OUT + 8, 1, OUT));
  } else if (op == "clock_time_get") {
    const status = clock_time_get(n(2), 1, OUT);
    tell(status, status == 0 ? load<u64>(OUT).toString() : "");
  } else if (op == "random_get") {
    const b = new ArrayBuffer(8);
    tell(random_get(changetype<usize>(b), n(2)), encode(changetype<usize>(b), 8));
  } else if (op == "environ_get") {
    const sizes = environ_sizes_get(OUT, OUT + 4);
    const size = load<u32>(OUT + 4);
    const at = new ArrayBuffer(<i32>size + 256);
    const base = changetype<usize>(at);
    const status = environ_get(base, base + 256);
    tell(sizes + status, load<u32>(OUT).toString() + " [" + encode(base + 256, size) + "]");
  } else if (op == "path_open") tell(path_open(3, 0, 0, 0, 0, 0, 0, 0, OUT), "");
  else say("  unknown operation " + op);
}

// ---- Callbacks.

/** Runs the lines of a callback; `told` are its parameters. */
function on(name: string, told: string, byDefault: i32): i32 {
  const times = (counts.has(name) ? counts.get(name) : 0) + 1;
  counts.set(name, times);
  say(name + "(" + told + ")");
  answer = byDefault;
  const numbered = name + "#" + times.toString();
  for (let i = 0; i < lines.length; i++) {
    const parts = lines[i].trim().split(" ");
    if (parts.length < 2 || (parts[0] != name && parts[0] != numbered)) continue;
    args = parts;
    run();
  }
  return answer;
}

function text2(a: u32, b: u32): string {
  return a.toString() + "," + b.toString();
}

export function proxy_on_context_create(id: u32, parent: u32): void {
  on(parent == 0 ? "root_create" : "create", text2(id, parent), 0);
}

/** The script comes with the VM's configuration, so that it is there from the second callback on. */
export function proxy_on_vm_start(id: u32, size: u32): i32 {
  if (proxy_get_buffer_bytes(6, 0, size, OUT, OUT + 4) == 0 && load<u32>(OUT + 4) > 0) {
    lines = String.UTF8.decodeUnsafe(load<u32>(OUT), load<u32>(OUT + 4)).split("\n");
  }
  return on("vm_start", text2(id, size), 1);
}

export function proxy_on_configure(id: u32, size: u32): i32 {
  return on("configure", text2(id, size), 1);
}

export function proxy_on_tick(id: u32): void {
  on("tick", id.toString(), 0);
}

export function proxy_on_request_headers(id: u32, count: u32, end: u32): i32 {
  return on("request_headers", text2(id, count) + "," + end.toString(), 0);
}

export function proxy_on_request_body(id: u32, size: u32, end: u32): i32 {
  return on("request_body", text2(id, size) + "," + end.toString(), 0);
}

export function proxy_on_request_trailers(id: u32, count: u32): i32 {
  return on("request_trailers", text2(id, count), 0);
}

export function proxy_on_response_headers(id: u32, count: u32, end: u32): i32 {
  return on("response_headers", text2(id, count) + "," + end.toString(), 0);
}

export function proxy_on_response_body(id: u32, size: u32, end: u32): i32 {
  return on("response_body", text2(id, size) + "," + end.toString(), 0);
}

export function proxy_on_response_trailers(id: u32, count: u32): i32 {
  return on("response_trailers", text2(id, count), 0);
}

export function proxy_on_http_call_response(
  id: u32,
  token: u32,
  headers: u32,
  size: u32,
  trailers: u32,
): void {
  on("http_call_response", text2(id, token) + "," + text2(headers, size) + "," + trailers.toString(), 0);
}

export function proxy_on_queue_ready(id: u32, token: u32): void {
  on("queue_ready", text2(id, token), 0);
}

export function proxy_on_done(id: u32): i32 {
  return on("done", id.toString(), 1);
}

export function proxy_on_log(id: u32): void {
  on("log", id.toString(), 0);
}

export function proxy_on_delete(id: u32): void {
  on("delete", id.toString(), 0);
}

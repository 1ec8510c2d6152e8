// A guest that does what its configuration says and logs what it sees; for tests of the host, and for
// asking another host the same questions. One line: `<callback>[#n] <operation> <arguments...>`.
// Text arguments are percent-encoded. Operations are named as hostcalls without "proxy_".
import { runBuffers } from "./script/buffers";
import { runMaps } from "./script/maps";
import { args, n, OUT, say, setArgs, textAt } from "./script/state";
import { runStreams } from "./script/streams";
import { runValues } from "./script/values";
import { runWasi } from "./script/wasi";

// @ts-ignore: decorator
@external("env", "proxy_get_log_level")
declare function proxy_get_log_level(out: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_buffer_bytes")
declare function proxy_get_buffer_bytes(t: u32, s: u32, n: u32, op: usize, on: usize): u32;

export function proxy_abi_version_0_2_1(): void {}

/** Failed checks of the language end here. */
export function onAbort(_message: usize, _file: usize, _line: u32, _column: u32): void {
  unreachable();
}

/** Even for ever. */
let rounds: i64 = 0;
/** "", or what the allocator does instead of its work. */
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

let lines: string[] = [];
let counts: Map<string, i32> = new Map<string, i32>();
let answer: i32 = 0;

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
    setArgs(parts);
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

/** What the plugin's configuration has of a script comes behind the VM's. */
export function proxy_on_configure(id: u32, size: u32): i32 {
  if (size > 0 && proxy_get_buffer_bytes(7, 0, size, OUT, OUT + 4) == 0) {
    const text = String.UTF8.decodeUnsafe(load<u32>(OUT), load<u32>(OUT + 4));
    lines = lines.concat(text.split("\n"));
  }
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

export function proxy_on_new_connection(id: u32): i32 {
  return on("new_connection", id.toString(), 0);
}

export function proxy_on_downstream_data(id: u32, size: u32, end: u32): i32 {
  return on("downstream_data", text2(id, size) + "," + end.toString(), 0);
}

export function proxy_on_downstream_connection_close(id: u32, peer: u32): void {
  on("downstream_close", text2(id, peer), 0);
}

export function proxy_on_upstream_data(id: u32, size: u32, end: u32): i32 {
  return on("upstream_data", text2(id, size) + "," + end.toString(), 0);
}

export function proxy_on_upstream_connection_close(id: u32, peer: u32): void {
  on("upstream_close", text2(id, peer), 0);
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

export function proxy_on_grpc_receive_initial_metadata(id: u32, token: u32, count: u32): void {
  on("grpc_receive_initial_metadata", text2(id, token) + "," + count.toString(), 0);
}

export function proxy_on_grpc_receive(id: u32, token: u32, size: u32): void {
  on("grpc_receive", text2(id, token) + "," + size.toString(), 0);
}

export function proxy_on_grpc_receive_trailing_metadata(id: u32, token: u32, count: u32): void {
  on("grpc_receive_trailing_metadata", text2(id, token) + "," + count.toString(), 0);
}

export function proxy_on_grpc_close(id: u32, token: u32, status: u32): void {
  on("grpc_close", text2(id, token) + "," + status.toString(), 0);
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

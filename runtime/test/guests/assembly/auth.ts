// A filter that asks a cluster whether a request may pass, as filters in the field do: "auth" is asked
// for /check with the request's x-user, and its answer's x-auth-id goes to the upstream. Requests for
// /twice are asked about twice at a time, those for /body when their body has come; x-patient: yes gets more
// time; x-cluster names another cluster.

// @ts-ignore: decorator
@external("env", "proxy_set_effective_context")
declare function proxy_set_effective_context(id: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_header_map_value")
declare function proxy_get_header_map_value(t: u32, k: usize, n: u32, op: usize, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_add_header_map_value")
declare function proxy_add_header_map_value(t: u32, k: usize, kn: u32, v: usize, vn: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_buffer_bytes")
declare function proxy_get_buffer_bytes(t: u32, s: u32, n: u32, op: usize, on: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_continue_stream")
declare function proxy_continue_stream(t: u32): u32;
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

const REQUEST_HEADERS: u32 = 0;
const CALL_RESPONSE_HEADERS: u32 = 6;
const CALL_RESPONSE_BODY: u32 = 4;
const CONTINUE: i32 = 0;
const PAUSE: i32 = 1;
const TIMEOUT_MS: u32 = 300;
const PATIENT_TIMEOUT_MS: u32 = 10000;

const OUT: usize = heap.alloc(16);
/** Stream by token, and answers that a stream waits for. */
const streamOf: Map<u32, u32> = new Map<u32, u32>();
const waiting: Map<u32, u32> = new Map<u32, u32>();
/** Streams that wait for their body's end. */
const late: Set<u32> = new Set<u32>();

export function proxy_abi_version_0_2_1(): void {}

export function onAbort(_message: usize, _file: usize, _line: u32, _column: u32): void {
  unreachable();
}

export function malloc(size: usize): usize {
  return heap.alloc(size);
}

function get(map: u32, name: string): string {
  const key = String.UTF8.encode(name);
  const status = proxy_get_header_map_value(map, changetype<usize>(key), key.byteLength, OUT, OUT + 4);
  return status == 0 ? String.UTF8.decodeUnsafe(load<u32>(OUT), load<u32>(OUT + 4)) : "";
}

function pairs(entries: string[]): ArrayBuffer {
  let size = 4 + entries.length * 4;
  for (let i = 0; i < entries.length; i++) size += String.UTF8.byteLength(entries[i]) + 1;
  const out = new ArrayBuffer(size);
  const base = changetype<usize>(out);
  store<u32>(base, entries.length / 2);
  let at = base + 4 + entries.length * 4;
  for (let i = 0; i < entries.length; i++) {
    const part = String.UTF8.encode(entries[i]);
    store<u32>(base + 4 + i * 4, part.byteLength);
    memory.copy(at, changetype<usize>(part), part.byteLength);
    at += part.byteLength + 1;
  }
  return out;
}

function reply(code: u32, body: ArrayBuffer): void {
  const details = String.UTF8.encode("auth_said_no");
  proxy_send_local_response(
    code,
    changetype<usize>(details),
    details.byteLength,
    changetype<usize>(body),
    body.byteLength,
    0,
    0,
    -1,
  );
}

/** False when the call failed at once: the stream was answered. */
function ask(stream: u32): bool {
  const wished = get(REQUEST_HEADERS, "x-cluster");
  const cluster = String.UTF8.encode(wished == "" ? "auth" : wished);
  const fields = [":method", "GET", ":path", "/check", ":authority", "auth"];
  const headers = pairs(fields.concat(["x-user", get(REQUEST_HEADERS, "x-user")]));
  const status = proxy_http_call(
    changetype<usize>(cluster),
    cluster.byteLength,
    changetype<usize>(headers),
    headers.byteLength,
    0,
    0,
    0,
    0,
    get(REQUEST_HEADERS, "x-patient") == "yes" ? PATIENT_TIMEOUT_MS : TIMEOUT_MS,
    OUT,
  );
  if (status != 0) {
    reply(503, String.UTF8.encode("no call: " + status.toString()));
    return false;
  }
  streamOf.set(load<u32>(OUT), stream);
  waiting.set(stream, (waiting.has(stream) ? waiting.get(stream) : 0) + 1);
  return true;
}

export function proxy_on_request_headers(id: u32, _count: u32, end: u32): i32 {
  const path = get(REQUEST_HEADERS, ":path");
  if (path == "/body" && end == 0) {
    late.add(id);
    return CONTINUE;
  }
  if (ask(id) && path == "/twice") ask(id);
  return PAUSE;
}

export function proxy_on_request_body(id: u32, _size: u32, end: u32): i32 {
  if (end == 0 || !late.has(id)) return late.has(id) ? PAUSE : CONTINUE;
  ask(id);
  return PAUSE;
}

export function proxy_on_http_call_response(
  _root: u32,
  token: u32,
  headers: u32,
  size: u32,
  _trailers: u32,
): void {
  const stream = streamOf.get(token);
  streamOf.delete(token);
  // The stream may be over: then there is nobody to answer.
  if (proxy_set_effective_context(stream) != 0 || !waiting.has(stream)) return;
  const status = headers == 0 ? "reset" : get(CALL_RESPONSE_HEADERS, ":status");
  if (status != "200") {
    waiting.delete(stream);
    proxy_get_buffer_bytes(CALL_RESPONSE_BODY, 0, size, OUT, OUT + 4);
    const text = size == 0 ? "" : String.UTF8.decodeUnsafe(load<u32>(OUT), load<u32>(OUT + 4));
    reply(403, String.UTF8.encode(status + ": " + text));
    return;
  }
  const left = waiting.get(stream) - 1;
  waiting.set(stream, left);
  const id = String.UTF8.encode(get(CALL_RESPONSE_HEADERS, "x-auth-id"));
  const name = String.UTF8.encode("x-auth-id");
  proxy_add_header_map_value(
    REQUEST_HEADERS,
    changetype<usize>(name),
    name.byteLength,
    changetype<usize>(id),
    id.byteLength,
  );
  if (left == 0) proxy_continue_stream(0);
}

export function proxy_on_delete(id: u32): void {
  waiting.delete(id);
  late.delete(id);
}

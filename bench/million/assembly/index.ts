// The guests of the million-request run, on the bare ABI: one module, five roles by configuration.
//
// auth asks a cluster about each request while it waits; count keeps counters in shared data; queue
// passes an item for each request to whoever consumes; body rewrites responses; late calls when a stream
// is over and keeps values with streams.

// @ts-ignore: decorator
@external("env", "proxy_get_buffer_bytes")
declare function getBuffer(type: u32, start: u32, size: u32, at: usize, length: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_buffer_bytes")
declare function setBuffer(type: u32, start: u32, size: u32, at: usize, length: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_add_header_map_value")
declare function addHeader(map: u32, key: usize, keySize: u32, value: usize, size: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_remove_header_map_value")
declare function removeHeader(map: u32, key: usize, keySize: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_http_call")
declare function httpCall(
  cluster: usize,
  clusterSize: u32,
  headers: usize,
  headersSize: u32,
  body: usize,
  bodySize: u32,
  trailers: usize,
  trailersSize: u32,
  timeoutMs: u32,
  token: usize,
): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_effective_context")
declare function setEffectiveContext(id: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_continue_stream")
declare function continueStream(type: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_shared_data")
declare function getShared(key: usize, size: u32, at: usize, length: usize, cas: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_shared_data")
declare function setShared(key: usize, size: u32, at: usize, length: u32, cas: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_register_shared_queue")
declare function registerQueue(name: usize, size: u32, token: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_enqueue_shared_queue")
declare function enqueue(token: u32, at: usize, length: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_dequeue_shared_queue")
declare function dequeue(token: u32, at: usize, length: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_define_metric")
declare function defineMetric(type: u32, name: usize, size: u32, id: usize): u32;
// @ts-ignore: decorator
@external("env", "proxy_increment_metric")
declare function incrementMetric(id: u32, by: i64): u32;
// @ts-ignore: decorator
@external("env", "proxy_record_metric")
declare function recordMetric(id: u32, value: i64): u32;
// @ts-ignore: decorator
@external("env", "proxy_set_property")
declare function setProperty(path: usize, size: u32, at: usize, length: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_get_property")
declare function getProperty(path: usize, size: u32, at: usize, length: usize): u32;

const REQUEST_HEADERS: u32 = 0;
const RESPONSE_HEADERS: u32 = 2;
const RESPONSE_BODY: u32 = 1;
const PLUGIN_CONFIGURATION: u32 = 7;
const CONTINUE: i32 = 0;
const PAUSE: i32 = 1;
const CAS_MISMATCH: u32 = 8;
const TRIES_MAX: i32 = 100;
/** Keys of shared data: so many values are kept. */
const KEYS: u64 = 1000;
const TIMEOUT_MS: u32 = 10000;

const OUT: usize = heap.alloc(32);
const PAIRS: ArrayBuffer = pairs([":method", "GET", ":path", "/s", ":authority", "side"]);

let role: string = "";
let seen: u64 = 0;
let queue: u32 = 0;
let counter: u32 = 0;
let histogram: u32 = 0;
/** Stream by token. */
const streamOf: Map<u32, u32> = new Map<u32, u32>();

export function proxy_abi_version_0_2_1(): void {}

export function malloc(size: usize): usize {
  return heap.alloc(size);
}

function at(text: ArrayBuffer): usize {
  return changetype<usize>(text);
}

function pairs(entries: string[]): ArrayBuffer {
  let size = 4 + entries.length * 4;
  for (let i = 0; i < entries.length; i++) size += String.UTF8.byteLength(entries[i]) + 1;
  const out = new ArrayBuffer(size);
  const base = changetype<usize>(out);
  store<u32>(base, entries.length / 2);
  let next = base + 4 + entries.length * 4;
  for (let i = 0; i < entries.length; i++) {
    const part = String.UTF8.encode(entries[i]);
    store<u32>(base + 4 + i * 4, part.byteLength);
    memory.copy(next, changetype<usize>(part), part.byteLength);
    next += part.byteLength + 1;
  }
  return out;
}

function add(map: u32, name: string, value: string): void {
  const key = String.UTF8.encode(name);
  const text = String.UTF8.encode(value);
  addHeader(map, at(key), key.byteLength, at(text), text.byteLength);
}

function metric(type: u32, name: string): u32 {
  const text = String.UTF8.encode(name);
  defineMetric(type, at(text), text.byteLength, OUT);
  return load<u32>(OUT);
}

/** The token; 0 = the call failed at once. */
function call(): u32 {
  const cluster = String.UTF8.encode("side");
  const status = httpCall(at(cluster), 4, at(PAIRS), PAIRS.byteLength, 0, 0, 0, 0, TIMEOUT_MS, OUT);
  return status == 0 ? load<u32>(OUT) : 0;
}

export function proxy_on_context_create(_id: u32, _parent: u32): void {}

export function proxy_on_configure(_id: u32, size: u32): i32 {
  if (getBuffer(PLUGIN_CONFIGURATION, 0, size, OUT, OUT + 4) != 0) return 0;
  role = String.UTF8.decodeUnsafe(load<u32>(OUT), load<u32>(OUT + 4));
  heap.free(load<u32>(OUT));
  counter = metric(0, "million_" + role);
  histogram = metric(2, "million_size_" + role);
  if (role == "queue") {
    const name = String.UTF8.encode("items");
    if (registerQueue(at(name), name.byteLength, OUT) != 0) return 0;
    queue = load<u32>(OUT);
  }
  return 1;
}

/** One more under one of the keys; whoever was faster is waited for by trying again. */
function count(): void {
  const key = String.UTF8.encode("key-" + (seen % KEYS).toString());
  for (let i = 0; i < TRIES_MAX; i++) {
    let value: u64 = 0;
    let cas: u32 = 0;
    if (getShared(at(key), key.byteLength, OUT, OUT + 4, OUT + 8) == 0) {
      value = load<u64>(load<u32>(OUT));
      cas = load<u32>(OUT + 8);
      heap.free(load<u32>(OUT));
    }
    store<u64>(OUT + 16, value + 1);
    if (setShared(at(key), key.byteLength, OUT + 16, 8, cas) != CAS_MISMATCH) {
      add(REQUEST_HEADERS, "x-count", (value + 1).toString());
      return;
    }
  }
}

export function proxy_on_request_headers(id: u32, _count: u32, _end: u32): i32 {
  seen += 1;
  incrementMetric(counter, 1);
  if (role == "auth") {
    const token = call();
    if (token == 0) return CONTINUE;
    streamOf.set(token, id);
    return PAUSE;
  }
  if (role == "count") count();
  else if (role == "queue") {
    store<u64>(OUT + 16, seen);
    enqueue(queue, OUT + 16, 8);
  } else if (role == "late") {
    const path = String.UTF8.encode("kept");
    setProperty(at(path), path.byteLength, at(path), path.byteLength);
  }
  return CONTINUE;
}

export function proxy_on_response_headers(_id: u32, _count: u32, _end: u32): i32 {
  add(RESPONSE_HEADERS, "x-" + role, "yes");
  if (role == "body") {
    const name = String.UTF8.encode("content-length");
    removeHeader(RESPONSE_HEADERS, at(name), name.byteLength);
  }
  return CONTINUE;
}

export function proxy_on_response_body(_id: u32, size: u32, end: u32): i32 {
  if (role != "body") return CONTINUE;
  if (end == 0) return PAUSE;
  if (getBuffer(RESPONSE_BODY, 0, size, OUT, OUT + 4) != 0) return CONTINUE;
  const bytes = load<u32>(OUT);
  const length = load<u32>(OUT + 4);
  for (let i: u32 = 0; i < length; i++) store<u8>(bytes + i, load<u8>(bytes + i) & 0xdf);
  setBuffer(RESPONSE_BODY, 0, size, bytes, length);
  recordMetric(histogram, length);
  if (length > 0) heap.free(bytes);
  return CONTINUE;
}

export function proxy_on_http_call_response(
  _id: u32,
  token: u32,
  headers: u32,
  _size: u32,
  _trailers: u32,
): void {
  if (role != "auth" || !streamOf.has(token)) return;
  const stream = streamOf.get(token);
  streamOf.delete(token);
  if (setEffectiveContext(stream) != 0) return;
  if (headers > 0) add(REQUEST_HEADERS, "x-user", "known");
  continueStream(0);
}

export function proxy_on_queue_ready(_id: u32, token: u32): void {
  while (dequeue(token, OUT, OUT + 4) == 0) {
    recordMetric(histogram, load<u64>(load<u32>(OUT)));
    heap.free(load<u32>(OUT));
  }
}

export function proxy_on_log(_id: u32): void {
  if (role != "late") return;
  const path = String.UTF8.encode("kept");
  if (getProperty(at(path), path.byteLength, OUT, OUT + 4) == 0) heap.free(load<u32>(OUT));
  // Nobody waits for its answer.
  if (seen % 10 == 0) call();
}

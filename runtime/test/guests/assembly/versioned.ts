// A guest that names its module in each request, in its response and in the log when a context ends;
// for tests that put another module in its place. The name stands as bytes in the module, so that a
// test makes another version by changing them. Some versions are no good: "X" refuses its
// configuration, "c" traps in it, "l" loops in its start, "m" wants 200 MB there, "t" traps on each
// twentieth response, "s" takes many times as much fuel for one.

// @ts-ignore: decorator
@external("env", "proxy_log")
declare function proxy_log(level: u32, p: usize, n: u32): u32;
// @ts-ignore: decorator
@external("env", "proxy_add_header_map_value")
declare function proxy_add_header_map_value(t: u32, k: usize, kn: u32, v: usize, vn: u32): u32;

/** "module-A" */
const version: usize = memory.data<u8>([0x6d, 0x6f, 0x64, 0x75, 0x6c, 0x65, 0x2d, 0x41]);
const versionSize: usize = 8;
/** "x-module" */
const name: usize = memory.data<u8>([0x78, 0x2d, 0x6d, 0x6f, 0x64, 0x75, 0x6c, 0x65]);
/** "deleted module-?" */
const deleted: usize = memory.data<u8>([
  0x64, 0x65, 0x6c, 0x65, 0x74, 0x65, 0x64, 0x20, 0x6d, 0x6f, 0x64, 0x75, 0x6c, 0x65, 0x2d, 0x3f,
]);
const requestHeaders: u32 = 0;
const responseHeaders: u32 = 2;
const logInfo: u32 = 2;

function letter(): u32 {
  return load<u8>(version + 7);
}

let burnt: u32 = 0;

/** Some thousand units of fuel. */
function burn(): void {
  for (let i: u32 = 0; i < 5000; i++) burnt = burnt * 31 + i;
}

/** The root context, which on_delete names last. */
let root: u32 = 0;

export function proxy_abi_version_0_2_1(): void {}

export function onAbort(_message: usize, _file: usize, _line: u32, _column: u32): void {
  unreachable();
}

export function malloc(size: usize): usize {
  return heap.alloc(size);
}

export function proxy_on_context_create(id: u32, parent: u32): void {
  if (parent == 0) root = id;
}

export function proxy_on_vm_start(_id: u32, _size: u32): i32 {
  if (letter() == 0x6c) while (true) burn();
  if (letter() == 0x6d && memory.grow(3200) < 0) unreachable();
  return 1;
}

export function proxy_on_configure(_id: u32, _size: u32): i32 {
  if (letter() == 0x63) unreachable();
  return letter() == 0x58 ? 0 : 1;
}

export function proxy_on_request_headers(_id: u32, _count: u32, _end: u32): i32 {
  proxy_add_header_map_value(requestHeaders, name, 8, version, versionSize);
  return 0;
}

let responses: u32 = 0;

export function proxy_on_response_headers(_id: u32, _count: u32, _end: u32): i32 {
  responses += 1;
  if (letter() == 0x74 && responses % 20 == 0) unreachable();
  if (letter() == 0x73) burn();
  proxy_add_header_map_value(responseHeaders, name, 8, version, versionSize);
  return 0;
}

export function proxy_on_done(_id: u32): i32 {
  return 1;
}

export function proxy_on_delete(id: u32): void {
  if (id != root) return;
  store<u8>(deleted + 15, load<u8>(version + 7));
  proxy_log(logInfo, deleted, 16);
}

// The filter of the benches on the bare ABI: reads user-agent and sets x-filter to it.
// `--filter bare` runs it: what it costs less than index.ts is what the SDK costs.

@external("env", "proxy_get_header_map_value")
declare function getHeader(map: i32, key: usize, keySize: usize, value: usize, size: usize): i32;

@external("env", "proxy_replace_header_map_value")
declare function setHeader(map: i32, key: usize, keySize: usize, value: usize, size: usize): i32;

const REQUEST_HEADERS = 0;
const CONTINUE = 0;
const OK = 0;

// "user-agent" and "x-filter".
const READ = memory.data<u8>([117, 115, 101, 114, 45, 97, 103, 101, 110, 116]);
const READ_SIZE: usize = 10;
const SET = memory.data<u8>([120, 45, 102, 105, 108, 116, 101, 114]);
const SET_SIZE: usize = 8;

// Where the host writes address and size of the value.
const found = memory.data(8);

export function proxy_abi_version_0_2_1(): void {}

export function proxy_on_memory_allocate(size: usize): usize {
  return heap.alloc(size);
}

export function proxy_on_context_create(context: i32, parent: i32): void {}

export function proxy_on_vm_start(context: i32, size: i32): i32 {
  return 1;
}

export function proxy_on_configure(context: i32, size: i32): i32 {
  return 1;
}

export function proxy_on_request_headers(context: i32, count: i32, endOfStream: i32): i32 {
  if (getHeader(REQUEST_HEADERS, READ, READ_SIZE, found, found + 4) == OK) {
    const value = load<usize>(found);
    const size = load<usize>(found + 4);
    if (value != 0) {
      setHeader(REQUEST_HEADERS, SET, SET_SIZE, value, size);
      heap.free(value);
    }
  }
  return CONTINUE;
}

export function proxy_on_response_headers(context: i32, count: i32, endOfStream: i32): i32 {
  return CONTINUE;
}

export function proxy_on_done(context: i32): i32 {
  return 1;
}

export function proxy_on_log(context: i32): void {}

export function proxy_on_delete(context: i32): void {}

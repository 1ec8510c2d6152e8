// The tables of hostcalls, callbacks and toolchain imports are complete and agree with themselves.
import { expect, test } from "vitest";
import {
  abiVersions,
  callbacks,
  existsIn,
  extraEnvImports,
  findCallback,
  findHostcall,
  findToolchainImport,
  findVersionByMarker,
  formatSignature,
  hostcalls,
  Status,
  wasiFunctions,
} from "./index.ts";
import type { AbiVersion, HostcallName, Param } from "./index.ts";
import * as types from "./types.ts";

// Typed as a record, so that the compiler refuses a name too many and one too few; the numbers
// are the parameters each function has in the specification.
const parameterCounts: Readonly<Record<HostcallName, number>> = {
  proxy_log: 3,
  proxy_get_log_level: 1,
  proxy_get_current_time_nanoseconds: 1,
  proxy_set_tick_period_milliseconds: 1,
  proxy_set_effective_context: 1,
  proxy_done: 0,
  proxy_get_configuration: 2,
  proxy_get_buffer_bytes: 5,
  proxy_get_buffer_status: 3,
  proxy_set_buffer_bytes: 5,
  proxy_get_header_map_size: 2,
  proxy_get_header_map_pairs: 3,
  proxy_set_header_map_pairs: 3,
  proxy_get_header_map_value: 5,
  proxy_add_header_map_value: 5,
  proxy_replace_header_map_value: 5,
  proxy_remove_header_map_value: 3,
  proxy_continue_stream: 1,
  proxy_close_stream: 1,
  proxy_continue_request: 0,
  proxy_continue_response: 0,
  proxy_clear_route_cache: 0,
  proxy_send_local_response: 8,
  proxy_http_call: 10,
  proxy_grpc_call: 12,
  proxy_grpc_stream: 9,
  proxy_grpc_send: 4,
  proxy_grpc_cancel: 1,
  proxy_grpc_close: 1,
  proxy_get_status: 3,
  proxy_get_property: 4,
  proxy_set_property: 4,
  proxy_get_shared_data: 5,
  proxy_set_shared_data: 5,
  proxy_register_shared_queue: 3,
  proxy_resolve_shared_queue: 5,
  proxy_enqueue_shared_queue: 3,
  proxy_dequeue_shared_queue: 3,
  proxy_define_metric: 4,
  proxy_record_metric: 2,
  proxy_increment_metric: 2,
  proxy_get_metric: 2,
  proxy_call_foreign_function: 6,
};

/** WASI preview 1: number of parameters, and which of them are 64 bits wide. */
const wasiShapes: Readonly<Record<string, readonly [number, ...number[]]>> = {
  args_get: [2],
  args_sizes_get: [2],
  environ_get: [2],
  environ_sizes_get: [2],
  clock_res_get: [2],
  clock_time_get: [3, 1],
  fd_advise: [4, 1, 2],
  fd_allocate: [3, 1, 2],
  fd_close: [1],
  fd_datasync: [1],
  fd_fdstat_get: [2],
  fd_fdstat_set_flags: [2],
  fd_fdstat_set_rights: [3, 1, 2],
  fd_filestat_get: [2],
  fd_filestat_set_size: [2, 1],
  fd_filestat_set_times: [4, 1, 2],
  fd_pread: [5, 3],
  fd_prestat_get: [2],
  fd_prestat_dir_name: [3],
  fd_pwrite: [5, 3],
  fd_read: [4],
  fd_readdir: [5, 3],
  fd_renumber: [2],
  fd_seek: [4, 1],
  fd_sync: [1],
  fd_tell: [2],
  fd_write: [4],
  path_create_directory: [3],
  path_filestat_get: [5],
  path_filestat_set_times: [7, 4, 5],
  path_link: [7],
  path_open: [9, 5, 6],
  path_readlink: [6],
  path_remove_directory: [3],
  path_rename: [6],
  path_symlink: [5],
  path_unlink_file: [3],
  poll_oneoff: [4],
  proc_exit: [1],
  random_get: [2],
  sched_yield: [0],
  sock_accept: [3],
  sock_recv: [6],
  sock_send: [5],
  sock_shutdown: [2],
};

const versions = abiVersions.map((facts) => facts.version);

test("every hostcall is there once, with the specification's number of parameters", () => {
  const counted = hostcalls.map((row): [string, number] => [row.name, row.params.length]);
  expect(counted.length).toBe(Object.keys(parameterCounts).length);
  expect(Object.fromEntries(counted)).toEqual(parameterCounts);
});

test("every row has versions that exist and are in order, a chapter and a sentence", () => {
  const broken = [...hostcalls, ...callbacks].filter((row) => {
    const until = row.until ?? row.since;
    const hasVersions = versions.includes(row.since) && versions.includes(until);
    const hasWords = row.chapter.length > 0 && /^[A-Z].*\.$/.test(row.doc);
    return !hasVersions || row.since > until || !hasWords;
  });
  expect(broken).toEqual([]);
});

test("a callback's name is there once in each version", () => {
  for (const version of versions) {
    const names = callbacks.filter((row) => existsIn(row, version)).map((row) => row.name);
    expect(names).toEqual([...new Set(names)]);
  }
});

test("each version has the hostcalls that C++ hosts register for it", () => {
  const count = (version: AbiVersion): number =>
    hostcalls.filter((row) => existsIn(row, version)).length;
  expect([count("0.1.0"), count("0.2.0"), count("0.2.1")]).toEqual([40, 38, 39]);
});

test("bytes are always a pointer and its size, in that order and under one name", () => {
  const successor: Record<string, string> = { pointer: "size", "out-pointer": "out-size" };
  const pairs = hostcalls.flatMap((row) =>
    row.params.map((param, i): [Param, Param | undefined] => [param, row.params[i + 1]]),
  );
  const pointers = pairs.filter(([param]) => param.meaning in successor);
  expect(pointers.length).toBeGreaterThan(40);
  for (const [pointer, next] of pointers) {
    const name = pointer.name.replace(/_data$/, "_size");
    expect(next).toMatchObject({ name, meaning: successor[pointer.meaning] });
  }
});

test("a function that takes a pointer may answer InvalidMemoryAccess, any other may not", () => {
  for (const row of hostcalls) {
    const takes = row.params.some((param) => /pointer|^out-/.test(param.meaning));
    const answers = row.statuses.includes(Status.InvalidMemoryAccess);
    expect([row.name, answers]).toEqual([row.name, takes]);
    expect(row.statuses[0]).toBe(Status.Ok);
    expect(row.statuses).toEqual([...new Set(row.statuses)]);
  }
});

test("parameter names are unique in a hostcall, and every enumeration exists", () => {
  for (const row of hostcalls) {
    const names = row.params.map((param) => param.name);
    expect(names).toEqual([...new Set(names)]);
  }
  const params = [...hostcalls, ...callbacks].flatMap((row) => row.params);
  const enumerated = params.filter((param) => param.meaning === "enum");
  expect(params.filter((param) => param.enumName !== null)).toEqual(enumerated);
  for (const param of enumerated) expect(Object.keys(types)).toContain(param.enumName);
});

test("the 64-bit parameters are those of the two metric calls", () => {
  const wide = hostcalls.filter((row) => row.params.some((param) => param.type === "i64"));
  expect(wide.map((row) => row.name)).toEqual(["proxy_record_metric", "proxy_increment_metric"]);
});

test("the header callbacks got a third parameter in 0.2.0", () => {
  for (const name of ["proxy_on_request_headers", "proxy_on_response_headers"]) {
    const arity = versions.map((version) => findCallback(name, version)?.params.length);
    expect(arity).toEqual([2, 3, 3]);
  }
  for (const facts of abiVersions) {
    const row = findCallback("proxy_on_request_headers", facts.version);
    expect(row?.params.length === 3).toBe(facts.headersHaveEndOfStream);
  }
});

test("a callback's default fits its result", () => {
  const answering = callbacks.filter((row) => ["continue", "true"].includes(row.whenAbsent));
  expect(answering.length).toBeGreaterThan(10);
  for (const row of answering) expect(row.results).toEqual(["i32"]);
  const required = callbacks.filter((row) => row.whenAbsent === "refuse").map((row) => row.name);
  expect(required).toEqual(["malloc", "proxy_on_memory_allocate"]);
});

test("the 45 functions of WASI have the shapes of preview 1", () => {
  expect(wasiFunctions.length).toBe(45);
  const shapes = wasiFunctions.map((row): [string, number[]] => {
    const wide = row.params.flatMap((param, i) => (param.type === "i64" ? [i] : []));
    return [row.name, [row.params.length, ...wide]];
  });
  expect(Object.fromEntries(shapes)).toEqual(wasiShapes);
  const silent = wasiFunctions.filter((row) => row.results.length === 0).map((row) => row.name);
  expect(silent).toEqual(["proc_exit"]);
});

test("look-ups find what is there, under both names of WASI, and nothing else", () => {
  expect(findHostcall("proxy_log")?.chapter).toBe("logging");
  expect(findHostcall("proxy_nothing")).toBeUndefined();
  expect(findCallback("proxy_on_foreign_function", "0.1.0")).toBeUndefined();
  expect(findCallback("proxy_on_foreign_function", "0.2.0")?.params.length).toBe(3);
  const write = findToolchainImport("wasi_snapshot_preview1", "fd_write");
  expect(write).toBeDefined();
  expect(findToolchainImport("wasi_unstable", "fd_write")).toBe(write);
  expect(findToolchainImport("env", "fd_write")).toBeUndefined();
  expect(findToolchainImport("env", "pthread_equal")).toBe(extraEnvImports[0]);
  expect(findToolchainImport("elsewhere", "fd_write")).toBeUndefined();
  expect(findVersionByMarker("proxy_abi_version_0_2_0")?.version).toBe("0.2.0");
  expect(findVersionByMarker("proxy_abi_version_0_2_100")).toBeUndefined();
});

test("a signature reads like one", () => {
  expect(formatSignature([], [])).toBe("() -> nil");
  expect(formatSignature(["i32", "i64"], ["i32"])).toBe("(i32, i64) -> i32");
});

test("every enumeration has each value once", () => {
  for (const members of Object.values(types)) {
    const values: readonly number[] = Object.values(members);
    expect(values).toEqual([...new Set(values)]);
  }
});

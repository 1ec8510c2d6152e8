// Imports that come from compilers rather than from the ABI: two of emscripten's, and WASI.
import { id, integer, integer64, outStruct, outU32, outU64, size, struct } from "./signature.ts";
import type { Param, Support, WasmType } from "./signature.ts";

export interface ToolchainImport {
  readonly name: string;
  readonly params: readonly Param[];
  readonly results: readonly WasmType[];
  /** What hosts answer, as Envoy does. */
  readonly doc: string;
  readonly headgate: Support;
}

/** Module names under which WASI is imported: the second by toolchains of before 2020. */
export const wasiModuleNames: readonly string[] = ["wasi_snapshot_preview1", "wasi_unstable"];

/** The other functions of "env" that real modules import. */
export const extraEnvImports: readonly ToolchainImport[] = [
  {
    name: "pthread_equal",
    params: [integer("left"), integer("right")],
    results: ["i32"],
    doc: "1 when both are the same, else 0",
    headgate: "yes",
  },
  {
    name: "emscripten_notify_memory_growth",
    params: [integer("memory_index")],
    results: [],
    doc: "nothing",
    headgate: "yes",
  },
];

/** A WASI function answers an errno; proc_exit alone has no result. */
function wasi(
  name: string,
  params: readonly Param[],
  doc: string,
  results: readonly WasmType[] = ["i32"],
): ToolchainImport {
  return { name, params, results, doc, headgate: "yes" };
}

const fd: Param = id("fd");
const flags: Param = integer("flags");
const path: readonly Param[] = [struct("path"), size("path_size")];
const vectors: readonly Param[] = [struct("vectors"), integer("vectors_count")];
const badUnlessStandard = "0 for descriptors 1 and 2, else errno 8";
const unsupported = "errno 58";

/** The 45 functions of WASI preview 1 that hosts provide. */
export const wasiFunctions: readonly ToolchainImport[] = [
  wasi("args_get", [outStruct("argv"), outStruct("argv_buffer")], "0: there are none"),
  wasi("args_sizes_get", [outU32("count"), outU32("size")], "0, both 0"),
  wasi(
    "environ_get",
    [outStruct("environ"), outStruct("environ_buffer")],
    "the configured variables, never the host's own",
  ),
  wasi("environ_sizes_get", [outU32("count"), outU32("size")], "sizes of the same"),
  wasi(
    "clock_res_get",
    [integer("clock_id"), outU64("resolution")],
    "1 nanosecond for clocks 0 and 1, else errno 58",
  ),
  wasi(
    "clock_time_get",
    [integer("clock_id"), integer64("precision"), outU64("time")],
    "clock 0 is real time, 1 monotonic, else errno 58",
  ),
  wasi("fd_advise", [fd, integer64("offset"), integer64("length"), integer("advice")], "0"),
  wasi("fd_allocate", [fd, integer64("offset"), integer64("length")], badUnlessStandard),
  wasi("fd_close", [fd], "0, and a log line"),
  wasi("fd_datasync", [fd], badUnlessStandard),
  wasi("fd_fdstat_get", [fd, outStruct("fdstat")], "1 and 2 may be written, else errno 8"),
  wasi("fd_fdstat_set_flags", [fd, flags], "errno 52"),
  wasi(
    "fd_fdstat_set_rights",
    [fd, integer64("rights_base"), integer64("rights_inheriting")],
    badUnlessStandard,
  ),
  wasi("fd_filestat_get", [fd, outStruct("filestat")], "errno 8"),
  wasi("fd_filestat_set_size", [fd, integer64("size")], badUnlessStandard),
  wasi(
    "fd_filestat_set_times",
    [fd, integer64("access_time"), integer64("modification_time"), flags],
    badUnlessStandard,
  ),
  wasi("fd_pread", [fd, ...vectors, integer64("offset"), outU32("read")], "errno 52"),
  wasi("fd_prestat_get", [fd, outStruct("prestat")], "errno 8"),
  wasi("fd_prestat_dir_name", [fd, outStruct("path"), size("path_size")], "errno 52"),
  wasi("fd_pwrite", [fd, ...vectors, integer64("offset"), outU32("written")], "as fd_write"),
  wasi("fd_read", [fd, ...vectors, outU32("read")], "errno 52"),
  wasi(
    "fd_readdir",
    [fd, outStruct("buffer"), size("buffer_size"), integer64("cookie"), outU32("used")],
    "errno 20, none used",
  ),
  wasi("fd_renumber", [fd, id("to")], "errno 58 between 1 and 2, else errno 8"),
  wasi(
    "fd_seek",
    [fd, integer64("offset"), integer("whence"), outU64("new_offset")],
    "0, and a log line",
  ),
  wasi("fd_sync", [fd], badUnlessStandard),
  wasi("fd_tell", [fd, outU64("offset")], "position 0 of 1 and 2, else errno 8"),
  wasi(
    "fd_write",
    [fd, ...vectors, outU32("written")],
    "1 is logged at info, 2 at error, else errno 8",
  ),
  wasi("path_create_directory", [fd, ...path], unsupported),
  wasi("path_filestat_get", [fd, flags, ...path, outStruct("filestat")], unsupported),
  wasi(
    "path_filestat_set_times",
    [
      fd,
      flags,
      ...path,
      integer64("access_time"),
      integer64("modification_time"),
      integer("time_flags"),
    ],
    unsupported,
  ),
  wasi("path_link", [fd, flags, ...path, id("new_fd"), ...path], unsupported),
  wasi(
    "path_open",
    [
      fd,
      integer("directory_flags"),
      ...path,
      integer("open_flags"),
      integer64("rights_base"),
      integer64("rights_inheriting"),
      flags,
      outU32("opened_fd"),
    ],
    "errno 44",
  ),
  wasi(
    "path_readlink",
    [fd, ...path, outStruct("buffer"), size("buffer_size"), outU32("used")],
    "errno 58, none used",
  ),
  wasi("path_remove_directory", [fd, ...path], unsupported),
  wasi("path_rename", [fd, ...path, id("new_fd"), ...path], unsupported),
  wasi("path_symlink", [...path, fd, ...path], unsupported),
  wasi("path_unlink_file", [fd, ...path], unsupported),
  wasi(
    "poll_oneoff",
    [struct("subscriptions"), outStruct("events"), integer("count"), outU32("events_count")],
    "0 at once, no events",
  ),
  wasi("proc_exit", [integer("code")], "stops the guest", []),
  wasi("random_get", [outStruct("buffer"), size("buffer_size")], "above 65536 bytes errno 28"),
  wasi("sched_yield", [], "0"),
  wasi("sock_accept", [fd, flags, outU32("accepted_fd")], "errno 58, descriptor 0"),
  wasi(
    "sock_recv",
    [fd, ...vectors, integer("in_flags"), outU32("received"), outU32("out_flags")],
    "errno 58, none received, no flags",
  ),
  wasi("sock_send", [fd, ...vectors, flags, outU32("sent")], "errno 58, none sent"),
  wasi("sock_shutdown", [fd, integer("how")], unsupported),
];

/** The row of a WASI function or of one of the extra functions of "env"; undefined when unknown. */
export function findToolchainImport(moduleName: string, name: string): ToolchainImport | undefined {
  if (moduleName === "env") return extraEnvImports.find((row) => row.name === name);
  if (!wasiModuleNames.includes(moduleName)) return undefined;
  return wasiFunctions.find((row) => row.name === name);
}

// What compilers import beside the ABI: WASI preview 1, under both of its names, and two of emscripten's.
import { extraEnvImports, wasiFunctions } from "proxy-wasm-types";
import type { Case, Scene, Script } from "../case.ts";
import { matching, same } from "../expect.ts";
import { call } from "../guest.ts";
import { makeCase, type Row } from "../make-case.ts";
import { NOT_MADE } from "../reports.ts";

const NEW = "wasi_snapshot_preview1";
const OLD = "wasi_unstable";
const PATH = "file";

function wasi(name: string, ...args: readonly (string | number | bigint)[]): Script[number][0] {
  return call(`${NEW}.${name}`, ...args);
}

/** 0 for standard output and error, 8 for what is not open. */
function standard(name: string, ...rest: readonly (number | bigint)[]): Script {
  return [
    [wasi(name, 1, ...rest), "errno 0"],
    [wasi(name, 2, ...rest), "errno 0"],
    [wasi(name, 7, ...rest), "errno 8"],
  ];
}

const calls: Readonly<Record<string, Script>> = {
  args_get: [[wasi("args_get"), "errno 0 [] []"]],
  args_sizes_get: [[wasi("args_sizes_get"), "errno 0 0 0"]],
  environ_get: [[wasi("environ_get"), "errno 0 [] []"]],
  environ_sizes_get: [[wasi("environ_sizes_get"), "errno 0 0 0"]],
  clock_res_get: [
    [wasi("clock_res_get", 0), "errno 0 1"],
    [wasi("clock_res_get", 1), "errno 0 1"],
    [wasi("clock_res_get", 9), "errno 58"],
  ],
  clock_time_get: [
    [wasi("clock_time_get", 0, 0n), "errno 0 #"],
    [wasi("clock_time_get", 1, 0n), "errno 0 #"],
    [wasi("clock_time_get", 9, 0n), "errno 58"],
  ],
  fd_advise: [[wasi("fd_advise", 1, 0n, 0n, 0), "errno 0"]],
  fd_allocate: standard("fd_allocate", 0n, 0n),
  fd_close: [[wasi("fd_close", 7), "errno 0"]],
  fd_datasync: standard("fd_datasync"),
  fd_fdstat_get: [
    [wasi("fd_fdstat_get", 1), `errno 0 [${"%00".repeat(8)}@${"%00".repeat(15)}]`],
    [wasi("fd_fdstat_get", 7), "errno 8"],
  ],
  fd_fdstat_set_flags: [[wasi("fd_fdstat_set_flags", 1, 0), "errno 52"]],
  fd_fdstat_set_rights: standard("fd_fdstat_set_rights", 0n, 0n),
  fd_filestat_get: [[wasi("fd_filestat_get", 1), "errno 8"]],
  fd_filestat_set_size: standard("fd_filestat_set_size", 0n),
  fd_filestat_set_times: standard("fd_filestat_set_times", 0n, 0n, 0),
  fd_pread: [[wasi("fd_pread", 1, "x", 1, 0n), "errno 52"]],
  fd_prestat_get: [[wasi("fd_prestat_get", 3), "errno 8"]],
  fd_prestat_dir_name: [[wasi("fd_prestat_dir_name", 3, 4), "errno 52"]],
  fd_read: [[wasi("fd_read", 1, "x", 1), "errno 52"]],
  fd_readdir: [[wasi("fd_readdir", 1, 4, 0n), "errno 20"]],
  fd_renumber: [
    [wasi("fd_renumber", 1, 2), "errno 58"],
    [wasi("fd_renumber", 7, 2), "errno 8"],
  ],
  fd_seek: [[wasi("fd_seek", 1, 0n, 0), "errno 0 #"]],
  fd_sync: standard("fd_sync"),
  fd_tell: [
    [wasi("fd_tell", 1), "errno 0 0"],
    [wasi("fd_tell", 7), "errno 8"],
  ],
  fd_pwrite: [
    [wasi("fd_pwrite", 1, "text", 1, 0n), "errno 0 4"],
    [wasi("fd_pwrite", 7, "text", 1, 0n), "errno 8"],
  ],
  fd_write: [
    [wasi("fd_write", 1, "text", 1), "errno 0 4"],
    [wasi("fd_write", 2, "text\n", 1), "errno 0 5"],
    [wasi("fd_write", 7, "text", 1), "errno 8"],
  ],
  path_create_directory: [[wasi("path_create_directory", 3, PATH, 4), "errno 58"]],
  path_filestat_get: [[wasi("path_filestat_get", 3, 0, PATH, 4), "errno 58"]],
  path_filestat_set_times: [
    [wasi("path_filestat_set_times", 3, 0, PATH, 4, 0n, 0n, 0), "errno 58"],
  ],
  path_link: [[wasi("path_link", 3, 0, PATH, 4, 3, PATH, 4), "errno 58"]],
  path_open: [[wasi("path_open", 3, 0, PATH, 4, 0, 0n, 0n, 0), "errno 44"]],
  path_readlink: [[wasi("path_readlink", 3, PATH, 4, 4), "errno 58"]],
  path_remove_directory: [[wasi("path_remove_directory", 3, PATH, 4), "errno 58"]],
  path_rename: [[wasi("path_rename", 3, PATH, 4, 3, PATH, 4), "errno 58"]],
  path_symlink: [[wasi("path_symlink", PATH, 4, 3, PATH, 4), "errno 58"]],
  path_unlink_file: [[wasi("path_unlink_file", 3, PATH, 4), "errno 58"]],
  poll_oneoff: [[wasi("poll_oneoff", "x".repeat(48), 1), "errno 0 [] 0"]],
  random_get: [
    [wasi("random_get", 16), "errno 0"],
    [wasi("random_get", 65_537), "errno 28"],
  ],
  sched_yield: [[wasi("sched_yield"), "errno 0"]],
  sock_accept: [[wasi("sock_accept", 3, 0), "errno 58"]],
  sock_recv: [[wasi("sock_recv", 3, "x", 1, 0), "errno 58"]],
  sock_send: [[wasi("sock_send", 3, "x", 1, 0), "errno 58"]],
  sock_shutdown: [[wasi("sock_shutdown", 3, 0), "errno 58"]],
};

/** Functions with one signature in Envoy and another in WASI: a module that imports them is refused. */
const OTHER_SIGNATURES = new Set(["path_link", "path_symlink"]);

function rowOfWasi(name: string, doc: string): Row {
  return { name: `wasi/${name}`, chapter: "wasi", doc, since: "0.1.0", until: null };
}

function sceneOf(name: string, script: Script): Scene {
  const other = "Has another number of parameters, and refuses a module with that of WASI.";
  if (name === "random_get") {
    return {
      what: "random bytes, not too many at once",
      verdict: "envoy",
      callbacks: { proxy_on_request_headers: { calls: script.map(([one]) => one) } },
      holds: ({ answers }) => {
        matching("random bytes", answers[0], /^errno 0 \[.+\]$/);
        same("too many", answers[1], "errno 28");
      },
    };
  }
  return {
    what: "what it answers",
    verdict: "envoy",
    calls: script,
    ...(OTHER_SIGNATURES.has(name)
      ? { verdict: "required" as const, envoy: other, isAlone: true as const }
      : {}),
  };
}

/** Under its old name, and in the environment that the configuration gives. */
const more: Readonly<Record<string, Scene>> = {
  fd_write: {
    what: "under its old module's name, too",
    verdict: "envoy",
    calls: [[call(`${OLD}.fd_write`, 1, "text", 1), "errno 0 4"]],
  },
  environ_get: {
    what: "the variables of the configuration and no others",
    verdict: "envoy",
    plugin: { environment: { A: "1" } },
    callbacks: {
      proxy_on_request_headers: { calls: [wasi("environ_sizes_get"), wasi("environ_get")] },
    },
    holds: ({ answers }) => {
      same("sizes", answers[0], "errno 0 1 4");
      matching("variables", answers[1], /^errno 0 \[.+\] \[A=1%00\]$/);
    },
  },
  proc_exit: {
    what: "does not come back",
    verdict: "extension",
    spec: "It never returns.",
    envoy: "Goes back to the guest, after a line in its log.",
    calls: [[wasi("proc_exit", 1), NOT_MADE]],
    exchange: { status: 503 },
  },
};

/** One version is enough: WASI is the same for all. */
export function wasiCases(): Case[] {
  const functions = wasiFunctions.flatMap(({ name, doc }) => {
    const row = rowOfWasi(name, doc);
    const script = calls[name];
    const scenes = script === undefined ? [] : [sceneOf(name, script)];
    const other = more[name];
    return [...scenes, ...(other === undefined ? [] : [other])].map((scene) =>
      makeCase(row, "0.2.1", scene),
    );
  });
  const extra = extraEnvImports.map(({ name, doc }) =>
    makeCase({ ...rowOfWasi(name, doc), name, chapter: "toolchain" }, "0.2.1", {
      what: "what it answers",
      verdict: "envoy",
      calls:
        name === "pthread_equal"
          ? [
              [call(name, 5, 5), "result 1"],
              [call(name, 5, 6), "result 0"],
            ]
          : [[call(name, 0), "result 0"]],
    }),
  );
  return [...functions, ...extra];
}

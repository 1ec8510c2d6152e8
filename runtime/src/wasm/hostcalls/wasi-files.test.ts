// Files in memory for guests whose policy has them: written and read again, bounded, gone with the VM.
// The library behind them is @wasmer/wasi.
import { afterEach, expect, test } from "vitest";
import {
  createFilterHost,
  type FilterHost,
  type FilterHostOptions,
} from "../../../test/harness.ts";
import { defaultWasmPolicy, type WasmLimits } from "../../config/wasm-policy.ts";
import { PluginError } from "../plugin.ts";
import { wasmHostRig } from "../wasm-host-for-test.ts";
import {
  OUT,
  type WasiAnswer,
  wasiAnswers,
  type WasiCall,
  wasiGuest,
} from "./wasi-guest-for-test.ts";

/** 3 is another one, in which nothing may be removed; toolchains take the last. */
const ROOT = 4;
/** The first descriptor that path_open gives. */
const FILE = 5;
const NAME = 20_000;
const OTHER = 20_100;
const TEXT = 20_200;
const WRITE_VECTOR = 20_300;
const READ_VECTOR = 20_308;
const LARGE_VECTOR = 20_316;
const CREATE = 1;
const ALL_RIGHTS = 0x1fff_ffff;
const SUCCESS = 0;
const BADF = 8;
const INVAL = 28;
const MFILE = 33;
const NOENT = 44;
const NOSPC = 51;

function vector(at: number, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(at, 0);
  bytes.writeUInt32LE(size, 4);
  return bytes;
}

const data: readonly (readonly [number, Uint8Array])[] = [
  [NAME, Buffer.from("notes.txt")],
  [OTHER, Buffer.from("other")],
  [TEXT, Buffer.from("kept by the guest")],
  [WRITE_VECTOR, vector(TEXT, 17)],
  [READ_VECTOR, vector(OUT + 8, 32)],
  [LARGE_VECTOR, vector(65_536, 1000)],
];

function open(name: number, size: number, flags: number): WasiCall {
  const args = [ROOT, 0, name, size, flags, ALL_RIGHTS, ALL_RIGHTS, 0, OUT];
  return { name: "path_open", args };
}

const create = open(NAME, 9, CREATE);
const write: WasiCall = { name: "fd_write", args: [FILE, WRITE_VECTOR, 1, OUT] };
const read: WasiCall = { name: "fd_read", args: [FILE, READ_VECTOR, 1, OUT] };
const rewind: WasiCall = { name: "fd_seek", args: [FILE, 0, 0, OUT] };
const close: WasiCall = { name: "fd_close", args: [FILE] };

const hosts: FilterHost[] = [];

afterEach(() => {
  for (const host of hosts.splice(0)) host.close();
});

async function hostOf(
  calls: readonly WasiCall[],
  limits: Partial<WasmLimits> = {},
  more: Partial<FilterHostOptions> = {},
): Promise<FilterHost> {
  const policy = {
    ...defaultWasmPolicy,
    hasFiles: true,
    limits: { ...defaultWasmPolicy.limits, ...limits },
  };
  const host = await createFilterHost({ module: wasiGuest({ calls, data }), policy, ...more });
  hosts.push(host);
  return host;
}

function answersOf(host: FilterHost): WasiAnswer[] {
  return wasiAnswers(host.logs.filter((line) => line.isGuests).map((line) => line.message));
}

async function errnosOf(
  calls: readonly WasiCall[],
  limits: Partial<WasmLimits> = {},
): Promise<number[]> {
  return answersOf(await hostOf(calls, limits)).map(({ errno }) => errno);
}

test("a guest writes a file and reads it again", async () => {
  const host = await hostOf([create, write, rewind, read, close, read]);
  const answers = answersOf(host);
  expect(answers.map(({ errno }) => errno)).toEqual([0, 0, 0, 0, 0, INVAL]);
  expect(answers[0]?.out.readUInt32LE(0)).toBe(FILE);
  expect(answers[1]?.out.readUInt32LE(0)).toBe(17);
  expect(answers[3]?.out.toString("latin1", 8, 25)).toBe("kept by the guest");
  const vm = host.plugin.root?.vm;
  expect(vm?.files).not.toBeNull();
  host.plugin.close();
  expect(vm?.files).toBeNull();
});

test("one folder is there, its own, and what is not in it is not found", async () => {
  const prestat = (descriptor: number): WasiCall => ({
    name: "fd_prestat_get",
    args: [descriptor, OUT],
  });
  const calls = [prestat(ROOT), prestat(ROOT + 1), open(OTHER, 5, 0), create, open(NAME, 9, 0)];
  expect(await errnosOf(calls)).toEqual([0, BADF, NOENT, 0, 0]);
  // Another VM has another file system.
  expect(await errnosOf([open(NAME, 9, 0)])).toEqual([NOENT]);
});

test("folders, renaming and removal work, in the only folder there is", async () => {
  const calls: WasiCall[] = [
    create,
    write,
    close,
    { name: "path_rename", args: [ROOT, NAME, 9, ROOT, OTHER, 5] },
    open(NAME, 9, 0),
    open(OTHER, 5, 0),
    { name: "path_unlink_file", args: [ROOT, OTHER, 5] },
    open(OTHER, 5, 0),
  ];
  expect(await errnosOf(calls)).toEqual([0, 0, 0, 0, NOENT, 0, 0, NOENT]);
});

test("standard output stays the log, clocks and variables stay the host's", async () => {
  const calls: WasiCall[] = [
    { name: "fd_write", args: [1, WRITE_VECTOR, 1, OUT] },
    { name: "clock_time_get", args: [0, 0, OUT] },
    { name: "environ_sizes_get", args: [OUT, OUT + 4] },
    { name: "fd_renumber", args: [FILE, 1] },
  ];
  const host = await hostOf(calls, {}, { environment: { A: "b" } });
  const answers = answersOf(host);
  expect(host.logs.some((line) => line.message === "kept by the guest")).toBe(true);
  expect(answers.map(({ errno }) => errno)).toEqual([0, 0, 0, BADF]);
  expect(Number(answers[1]?.out.readBigUInt64LE(0)) / 1e6).toBe(Date.UTC(2026, 0, 1, 0, 0, 1));
  expect(answers[2]?.out.readUInt32LE(0)).toBe(1);
});

test("file_bytes bounds what files hold, whichever way they grow", async () => {
  const large: WasiCall = { name: "fd_write", args: [FILE, LARGE_VECTOR, 1, OUT] };
  const limits = { fileBytes: 2600 };
  // 521 for the name, then twice 1000; what is removed makes room again.
  expect(await errnosOf([create, large, large, large], limits)).toEqual([0, 0, 0, NOSPC]);
  const others: readonly WasiCall[] = [
    { name: "fd_filestat_set_size", args: [FILE, 3000] },
    { name: "fd_filestat_set_size", args: [FILE, -1] },
    { name: "fd_allocate", args: [FILE, 2000, 1000] },
    { name: "fd_pwrite", args: [FILE, WRITE_VECTOR, 1, 3000, OUT] },
    { name: "fd_pwrite", args: [FILE, WRITE_VECTOR, 1, -1, OUT] },
  ];
  for (const call of others) expect(await errnosOf([create, call], limits)).toEqual([0, NOSPC]);
  const beyond: WasiCall = { name: "fd_seek", args: [FILE, 3000, 0, OUT] };
  expect(await errnosOf([create, beyond, write], limits)).toEqual([0, 0, NOSPC]);
  const names = Array.from({ length: 6 }, (_, i) => open(NAME, i + 1, CREATE));
  expect(await errnosOf(names, limits)).toEqual([0, 0, 0, 0, 0, NOSPC]);
});

test("what was emptied counts no more, and the limit has its stat", async () => {
  const empty: WasiCall = { name: "fd_filestat_set_size", args: [FILE, 0] };
  const again = Array.from({ length: 200 }, () => [empty, rewind, write]).flat();
  const host = await hostOf([create, ...again], { fileBytes: 1200 });
  expect(answersOf(host).every(({ errno }) => errno === SUCCESS)).toBe(true);
  const full = await hostOf([create, { name: "fd_allocate", args: [FILE, 0, 5000] }], {
    fileBytes: 1200,
  });
  expect(full.stats.counter("wasm.filter.limit.file_bytes").value).toBe(1);
});

test("open_files bounds descriptors, and closing gives them back", async () => {
  const again = open(NAME, 9, 0);
  const limits = { openFiles: 2 };
  expect(await errnosOf([create, again, again, close, again], limits)).toEqual([0, 0, MFILE, 0, 0]);
});

test("what the library would give up at is an errno, or the guest's own end", async () => {
  const calls: WasiCall[] = [
    { name: "fd_seek", args: [FILE, 0, 9, OUT] },
    { name: "fd_write", args: [FILE, WRITE_VECTOR, 1_000_000, OUT] },
    { name: "path_open", args: [ROOT, 0, -4, 9, CREATE, 1, 1, 0, OUT] },
    { name: "path_open", args: [ROOT, 0, NAME, -1, CREATE, 1, 1, 0, OUT] },
    { name: "fd_read", args: [ROOT, -4, 1, OUT] },
  ];
  for (const call of calls) {
    const [errno] = await errnosOf([call]);
    expect([call.name, call.args, errno !== SUCCESS]).toEqual([call.name, call.args, true]);
  }
  expect(await errnosOf([calls[0] as WasiCall])).toEqual([INVAL]);
});

test("without the library the plugin is refused in words", async () => {
  const { prepare } = await wasmHostRig("");
  const refused = prepare({ policy: { ...defaultWasmPolicy, hasFiles: true } });
  expect(refused instanceof PluginError && refused.reasons).toEqual([
    "its policy asks for files in memory, but nothing here provides them [host] in its initialisation",
  ]);
});

test("without the switch there are no files, as in Envoy", async () => {
  const host = await createFilterHost({ module: wasiGuest({ calls: [create, write], data }) });
  hosts.push(host);
  expect(answersOf(host).map(({ errno }) => errno)).toEqual([NOENT, BADF]);
});

// What every function of WASI answers, as recorded from Envoy 1.40 with the same guest. Rows that
// say `unlikeEnvoy` are otherwise on purpose. Played by wasi.test.ts.
import { END, OUT } from "./wasi-guest-for-test.ts";

export interface WasiCase {
  readonly args: readonly number[];
  /** Undefined for proc_exit, which has none. */
  readonly errno?: number;
  /** Bytes from OUT on, as hexadecimal digits; what follows is untouched. */
  readonly out?: string;
  /** What Envoy answers instead, and why we do not. */
  readonly unlikeEnvoy?: string;
}

/** The guest's environment: 11 bytes. */
export const environment: Readonly<Record<string, string>> = { A: "1", BC: "x y" };

/** What the guest's memory holds from the start. */
export const memoryData: [number, Buffer][] = [];

/** Where TEXT begins; its parts by their offset. */
const TEXT = 2560;
memoryData.push([TEXT, Buffer.from("hello world\n\n\u00e9\0")]);

let vectorsEnd = 2048;

/** Puts address and size of each piece into the guest's memory; where they lie. */
export function vectors(...pieces: readonly (readonly [number, number])[]): number {
  const at = vectorsEnd;
  const bytes = Buffer.alloc(pieces.length * 8);
  for (const [i, [address, size]] of pieces.entries()) {
    bytes.writeInt32LE(address | 0, i * 8);
    bytes.writeInt32LE(size | 0, i * 8 + 4);
  }
  memoryData.push([at, bytes]);
  vectorsEnd += bytes.length;
  return at;
}

export const hello: number = vectors([TEXT, 5]);
export const twoPieces: number = vectors([TEXT, 5], [TEXT + 5, 7]);
export const lineFeed: number = vectors([TEXT + 11, 1]);
export const twoLineFeeds: number = vectors([TEXT + 10, 3]);
export const splitCharacter: number = vectors([TEXT + 13, 1], [TEXT + 14, 1]);
export const nothing: number = vectors([TEXT, 0]);
export const emptyBeyond: number = vectors([-1, 0]);
const emptyThenHello = vectors([END, 0], [TEXT, 5]);
const last = vectors([END - 1, 1]);
const over = vectors([END - 1, 2]);
const beyond = vectors([END, 1]);
const negative = vectors([-16, 16]);
const helloThenBeyond = vectors([TEXT, 5], [END, 1]);

const FAULT = 21;

/** Rows for an out parameter of so many bytes: inside up to the last byte, outside from there. */
function outParameter(
  bytes: number,
  errno: number,
  args: (pointer: number) => readonly number[],
  out = "",
): WasiCase[] {
  const inside = [END - bytes, 0].map((pointer) => ({ args: args(pointer), errno, out }));
  const outside = [END - bytes + 1, END, -1, -bytes];
  return [...inside, ...outside.map((pointer) => ({ args: args(pointer), errno: FAULT }))];
}

/** One answer for descriptors 1 and 2, another for all others. */
function byDescriptor(
  standard: number,
  other: number,
  args: (fd: number) => readonly number[],
): WasiCase[] {
  return [0, 1, 2, 3, -1].map((fd) => ({
    args: args(fd),
    errno: fd === 1 || fd === 2 ? standard : other,
  }));
}

function always(errno: number, ...list: readonly (readonly number[])[]): WasiCase[] {
  return list.map((args) => ({ args, errno }));
}

const writes: WasiCase[] = [
  { args: [1, hello, 1, OUT], errno: 0, out: "05000000" },
  { args: [2, hello, 1, OUT], errno: 0, out: "05000000" },
  { args: [1, twoPieces, 2, OUT], errno: 0, out: "0c000000" },
  { args: [1, nothing, 1, OUT], errno: 0, out: "00000000" },
  { args: [1, emptyBeyond, 1, OUT], errno: 0, out: "00000000" },
  { args: [1, emptyThenHello, 2, OUT], errno: 0, out: "05000000" },
  { args: [1, last, 1, OUT], errno: 0, out: "01000000" },
  ...always(FAULT, [1, over, 1, OUT], [1, beyond, 1, OUT], [1, negative, 1, OUT]),
  ...always(FAULT, [1, helloThenBeyond, 2, OUT]),
  ...always(8, [0, hello, 1, OUT], [3, hello, 1, OUT], [-1, hello, 1, OUT], [3, END, 1, -1]),
  // Where no vectors are, nobody looks.
  ...[hello, END, -1, 0].map((at) => ({ args: [1, at, 0, OUT], errno: 0, out: "00000000" })),
  ...always(FAULT, [1, END - 7, 1, OUT], [1, END, 1, OUT], [1, -1, 1, OUT], [1, -8, 1, OUT]),
  // Times 8 these are 2^32 and more.
  ...always(FAULT, [1, hello, 0x2000_0000, OUT], [1, hello, -1, OUT]),
  {
    args: [1, 131_072, 1025, OUT],
    errno: 28,
    unlikeEnvoy: "0: it has no limit of vectors; ours is IOV_MAX of Linux",
  },
  { args: [1, 131_072, 1024, OUT], errno: 0, out: "00000000" },
  ...outParameter(4, 0, (pointer) => [1, hello, 1, pointer]),
];

const anyOrder = "the same in any order: it keeps them in a hash table";

const environments: WasiCase[] = [
  {
    args: [OUT, OUT + 16],
    errno: 0,
    out: `1010000014100000${"ee".repeat(8)}413d310042433d78207900`,
    unlikeEnvoy: anyOrder,
  },
  { args: [OUT, END - 11], errno: 0, out: "f5ff0200f9ff0200", unlikeEnvoy: anyOrder },
  { args: [END - 8, OUT], errno: 0, out: "413d310042433d78207900", unlikeEnvoy: anyOrder },
  ...[END - 10, END, -1, -11].map((buffer) => ({
    args: [OUT, buffer],
    errno: FAULT,
    unlikeEnvoy: "the same, after it has written some; we write all or nothing",
  })),
  ...always(FAULT, [END - 7, END - 64], [END, END - 64], [-1, END - 64], [-8, END - 64]),
];

const eightBytes =
  "the same with eight bytes of zeros, as its own words are: a descriptor has four";

/** By function; each has at least one row, and a test says so. */
export const wasiCases: Readonly<Record<string, readonly WasiCase[]>> = {
  args_get: always(0, [OUT, OUT + 8], [-1, -1]),
  args_sizes_get: [
    { args: [OUT, OUT + 4], errno: 0, out: "0000000000000000" },
    ...outParameter(4, 0, (pointer) => [pointer, END - 64]),
    ...outParameter(4, 0, (pointer) => [END - 64, pointer]),
  ],
  environ_get: environments,
  environ_sizes_get: [
    { args: [OUT, OUT + 4], errno: 0, out: "020000000b000000" },
    ...outParameter(4, 0, (pointer) => [pointer, END - 64]),
    ...outParameter(4, 0, (pointer) => [END - 64, pointer]),
  ],
  clock_res_get: [
    { args: [0, OUT], errno: 0, out: "0100000000000000" },
    { args: [1, OUT + 1], errno: 0, out: "ee0100000000000000" },
    ...always(58, [2, OUT], [3, OUT], [-1, OUT], [9, -1]),
    ...outParameter(8, 0, (pointer) => [0, pointer]),
  ],
  clock_time_get: [
    // The harness's times: 2026-01-01T00:00:01Z and one second.
    { args: [0, 0, OUT], errno: 0, out: "00ca942952728618" },
    { args: [1, 0, OUT], errno: 0, out: "00ca9a3b00000000" },
    { args: [1, -1, OUT], errno: 0, out: "00ca9a3b00000000" },
    ...always(58, [2, 0, OUT], [3, 0, OUT], [-1, 0, OUT], [9, 0, -1]),
    ...outParameter(8, 0, (pointer) => [0, 1, pointer]),
    ...outParameter(8, 0, (pointer) => [1, 0, pointer]),
  ],
  fd_advise: [...byDescriptor(0, 0, (fd) => [fd, 0, 1, 2]), ...always(0, [-1, -1, -1, -1])],
  fd_allocate: byDescriptor(0, 8, (fd) => [fd, 0, 1]),
  fd_close: byDescriptor(0, 0, (fd) => [fd]),
  fd_datasync: byDescriptor(0, 8, (fd) => [fd]),
  fd_fdstat_get: [
    ...[1, 2].map((fd) => ({
      args: [fd, OUT],
      errno: 0,
      out: "000000000000000040000000000000000000000000000000",
    })),
    ...always(8, [0, OUT], [3, OUT], [-1, OUT], [3, -1]),
    ...always(0, [1, END - 24], [1, 0]),
    ...[END - 23, END, -1, -24].map((pointer) => ({
      args: [1, pointer],
      errno: FAULT,
      unlikeEnvoy: "0 without having written: the guest would go on with what lay there",
    })),
  ],
  fd_fdstat_set_flags: byDescriptor(52, 52, (fd) => [fd, 4]),
  fd_fdstat_set_rights: byDescriptor(0, 8, (fd) => [fd, 64, 0]),
  fd_filestat_get: [...byDescriptor(8, 8, (fd) => [fd, OUT]), ...always(8, [1, -1])],
  fd_filestat_set_size: byDescriptor(0, 8, (fd) => [fd, 0]),
  fd_filestat_set_times: byDescriptor(0, 8, (fd) => [fd, 0, 0, 0]),
  fd_pread: [
    ...byDescriptor(52, 52, (fd) => [fd, hello, 1, 0, OUT]),
    ...always(52, [0, -1, 1, 0, -1]),
  ],
  fd_prestat_get: [...byDescriptor(8, 8, (fd) => [fd, OUT]), ...always(8, [3, -1])],
  fd_prestat_dir_name: [...byDescriptor(52, 52, (fd) => [fd, OUT, 4]), ...always(52, [3, -1, 4])],
  fd_pwrite: [
    { args: [1, twoPieces, 2, 0, OUT], errno: 0, out: "0c000000" },
    { args: [2, twoPieces, 2, 99, OUT], errno: 0, out: "0c000000" },
    ...always(8, [0, hello, 1, 0, OUT], [3, hello, 1, 0, OUT]),
    ...always(FAULT, [1, over, 1, 0, OUT]),
    ...outParameter(4, 0, (pointer) => [1, hello, 1, 0, pointer]),
  ],
  fd_read: [...byDescriptor(52, 52, (fd) => [fd, hello, 1, OUT]), ...always(52, [0, -1, 1, -1])],
  fd_readdir: [
    { args: [1, TEXT, 4, 0, OUT], errno: 20, out: "00000000" },
    { args: [3, -1, 4, 0, OUT], errno: 20, out: "00000000" },
    ...outParameter(4, 20, (pointer) => [3, TEXT, 4, 0, pointer]),
  ],
  fd_renumber: [
    ...always(58, [1, 1], [1, 2], [2, 1], [2, 2]),
    ...always(8, [0, 1], [1, 0], [1, 3], [2, -1], [3, 1], [3, 3], [-1, 2]),
  ],
  fd_seek: [...byDescriptor(0, 0, (fd) => [fd, 5, 1, OUT]), ...always(0, [1, 5, 1, -1])],
  fd_sync: byDescriptor(0, 8, (fd) => [fd]),
  fd_tell: [
    { args: [1, OUT], errno: 0, out: "0000000000000000" },
    { args: [2, OUT], errno: 0, out: "0000000000000000" },
    ...always(8, [0, OUT], [3, OUT], [-1, OUT], [3, -1]),
    ...outParameter(8, 0, (pointer) => [1, pointer]),
  ],
  fd_write: writes,
  path_create_directory: always(58, [3, TEXT, 5], [-1, -1, -1]),
  path_filestat_get: always(58, [3, 0, TEXT, 5, OUT], [3, 0, -1, 5, -1]),
  path_filestat_set_times: always(58, [3, 0, TEXT, 5, 0, 0, 0], [3, 0, -1, -1, 0, 0, 0]),
  // Envoy wants six parameters here, and four of path_symlink: modules with WASI's do not load.
  path_link: always(58, [3, 0, TEXT, 5, 3, TEXT, 5], [3, 0, -1, 5, 3, -1, 5]),
  path_open: always(44, [3, 0, TEXT, 5, 0, 0, 0, 0, OUT], [3, 0, -1, 5, 0, 0, 0, 0, -1]),
  path_readlink: [
    { args: [3, TEXT, 5, TEXT, 4, OUT], errno: 58, out: "00000000" },
    ...outParameter(4, 58, (pointer) => [3, TEXT, 5, TEXT, 4, pointer]),
  ],
  path_remove_directory: always(58, [3, TEXT, 5], [3, -1, 5]),
  path_rename: always(58, [3, TEXT, 5, 3, TEXT, 5], [3, -1, 5, 3, -1, 5]),
  path_symlink: always(58, [TEXT, 5, 3, TEXT, 5], [-1, 5, 3, -1, 5]),
  path_unlink_file: always(58, [3, TEXT, 5], [3, -1, 5]),
  poll_oneoff: [
    { args: [TEXT, TEXT, 0, OUT], errno: 0, out: "00000000" },
    { args: [TEXT, TEXT, 1, OUT], errno: 0, out: "00000000" },
    { args: [-1, -1, -1, OUT], errno: 0, out: "00000000" },
    ...outParameter(4, 0, (pointer) => [TEXT, TEXT, 1, pointer]),
  ],
  // The guest does not come back from it: there are tests of their own.
  proc_exit: [{ args: [0] }, { args: [3] }, { args: [-1] }],
  random_get: [
    ...always(0, [OUT, 0], [END, 0], [-1, 0], [0, 0], [END - 8, 8], [END - 65_536, 65_536]),
    ...always(FAULT, [END - 8, 9], [END, 1], [-8, 8], [END - 65_535, 65_536]),
    ...always(28, [0, 65_537], [OUT, -1], [-1, 65_537]),
  ],
  sched_yield: always(0, []),
  sock_accept: [
    { args: [3, 0, OUT], errno: 58, out: "00000000", unlikeEnvoy: eightBytes },
    { args: [3, 0, END - 4], errno: 58, unlikeEnvoy: eightBytes },
    { args: [3, 0, 0], errno: 58 },
    ...always(FAULT, [3, 0, END - 3], [3, 0, END], [3, 0, -1], [3, 0, -4]),
  ],
  sock_recv: [
    { args: [3, hello, 1, 0, OUT, OUT + 8], errno: 58, out: "00000000eeeeeeee0000" },
    ...outParameter(4, 58, (pointer) => [3, hello, 1, 0, pointer, END - 64]),
    ...outParameter(2, 58, (pointer) => [3, hello, 1, 0, END - 64, pointer]),
  ],
  sock_send: [
    { args: [3, hello, 1, 0, OUT], errno: 58, out: "00000000" },
    ...outParameter(4, 58, (pointer) => [3, hello, 1, 0, pointer]),
  ],
  sock_shutdown: always(58, [3, 2], [-1, -1]),
};

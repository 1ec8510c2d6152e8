// WASI's files, in memory, for plugins whose policy says so: the library does the work, and this
// bounds what it holds. Descriptors 0 to 2 stay with wasi.ts.
import { limits, WasiErrno, wasiFunctions } from "proxy-wasm-types";
import type { WasmLimits } from "../../config/wasm-policy.ts";
import type { Vm } from "../vm.ts";
import type { WasiFiles } from "../wasi-provider.ts";
import type { HostcallTable } from "./index.ts";

const { Success, BadF, Fault, Inval, MFile, NoSpc } = WasiErrno;

const STANDARD_DESCRIPTORS = 3;
/** What the library does for a call, in nanoseconds. */
const CALL_FUEL = 5000;
const ENTRY_FUEL = 5000;
/** What a name costs beside its bytes. */
const ENTRY_BYTES = 512;
const CREATE = 1;
const WHENCE_MAX = 2;
const VECTOR_BYTES = 8;

type Arguments = readonly (number | bigint)[];

/** Functions whose first parameter is a descriptor that must not be a standard one. */
const ofDescriptors: readonly string[] = [
  "fd_advise",
  "fd_datasync",
  "fd_fdstat_get",
  "fd_fdstat_set_flags",
  "fd_fdstat_set_rights",
  "fd_filestat_get",
  "fd_filestat_set_times",
  "fd_pread",
  "fd_prestat_dir_name",
  "fd_prestat_get",
  "fd_read",
  "fd_readdir",
  "fd_sync",
  "fd_tell",
  "path_filestat_get",
  "path_filestat_set_times",
  "path_readlink",
  "path_remove_directory",
  "path_unlink_file",
];

/** Which of their parameters are sizes of names that a new entry gets. */
const ofNewEntries: Readonly<Record<string, readonly number[]>> = {
  path_create_directory: [2],
  path_link: [3, 6],
  path_rename: [2, 5],
  path_symlink: [1, 4],
};

/** Over those of wasi.ts, which answer for standard descriptors. */
export function wasiFileHostcalls(vm: Vm, files: WasiFiles, plain: HostcallTable): HostcallTable {
  const quota = new FileQuota(vm, files);
  const table: Record<string, (...args: never[]) => number> = {};
  const add = (name: string, run: (args: Arguments) => number): void => {
    const length = wasiFunctions.find((row) => row.name === name)?.params.length ?? 0;
    const hostcall = (...args: (number | bigint)[]): number => {
      vm.charge(CALL_FUEL);
      const isPlain = name.startsWith("fd_") && isStandard(args[0]);
      if (isPlain) return (plain[name] as (...all: Arguments) => number)(...args);
      return quota.isClosed ? BadF : run(args);
    };
    // The guard looks at it to see how many arguments there are.
    table[name] = Object.defineProperty(hostcall, "length", { value: length });
  };
  const call = (name: string, args: Arguments): number => {
    const known = files.functions[name];
    return known === undefined ? WasiErrno.NoSys : known(...args);
  };
  for (const name of ofDescriptors) add(name, (args) => call(name, args));
  for (const [name, sizes] of Object.entries(ofNewEntries)) {
    add(name, (args) => {
      const names = sizes.reduce((sum, at) => sum + unsigned(args[at]), 0);
      return quota.takes(ENTRY_BYTES + names) ? call(name, args) : NoSpc;
    });
  }
  add("path_open", (args) => quota.open(args, call));
  add("fd_close", (args) => quota.close(args, call));
  add("fd_seek", (args) => quota.seek(args, call));
  add("fd_renumber", (args) => (isStandard(args[1]) ? BadF : quota.renumber(args, call)));
  add("fd_write", (args) => quota.write("fd_write", args, call));
  add("fd_pwrite", (args) => quota.write("fd_pwrite", args, call));
  add("fd_allocate", (args) => quota.grow("fd_allocate", args, call));
  add("fd_filestat_set_size", (args) => quota.grow("fd_filestat_set_size", args, call));
  return table;
}

type Call = (name: string, args: Arguments) => number;

function unsigned(value: number | bigint | undefined): number {
  return Number(value ?? 0) >>> 0;
}

function isStandard(descriptor: number | bigint | undefined): boolean {
  return unsigned(descriptor) < STANDARD_DESCRIPTORS;
}

/**
 * Counts what files may have grown to; what is taken away is not seen. When that is above the
 * limit, the files are measured, and only what they really are counts.
 */
class FileQuota {
  readonly #vm: Vm;
  readonly #files: WasiFiles;
  #bytes: number = 0;
  #openFiles: number = 0;
  /** Where descriptors were moved to: the next write may leave a hole before it. */
  readonly #positions: Map<number, number>;

  constructor(vm: Vm, files: WasiFiles) {
    this.#vm = vm;
    this.#files = files;
    this.#positions = new Map();
  }

  get isClosed(): boolean {
    return this.#vm.files === null;
  }

  /** Whether files may grow by so many bytes. */
  takes(bytes: number): boolean {
    const vm = this.#vm;
    const max = vm.limits.max.fileBytes;
    if (this.#bytes + bytes > max) {
      const found = this.#files.measure();
      if (found !== null) {
        vm.charge(found.entries * ENTRY_FUEL);
        this.#bytes = found.bytes + found.entries * ENTRY_BYTES;
      }
    }
    if (!this.#allows("fileBytes", this.#bytes + bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  #allows(name: keyof WasmLimits, value: number): boolean {
    return this.#vm.limits.allows(name, value, this.#vm.effective?.plugin ?? null);
  }

  open(args: Arguments, call: Call): number {
    if (!this.#allows("openFiles", this.#openFiles + 1)) return MFile;
    const isNew = (unsigned(args[4]) & CREATE) !== 0;
    if (isNew && !this.takes(ENTRY_BYTES + unsigned(args[3]))) return NoSpc;
    const errno = call("path_open", args);
    if (errno === Success) this.#openFiles += 1;
    return errno;
  }

  close(args: Arguments, call: Call): number {
    const errno = call("fd_close", args);
    if (errno !== Success) return errno;
    this.#openFiles = Math.max(0, this.#openFiles - 1);
    this.#positions.delete(unsigned(args[0]));
    return errno;
  }

  renumber(args: Arguments, call: Call): number {
    const errno = call("fd_renumber", args);
    const position = this.#positions.get(unsigned(args[0]));
    if (errno === Success && position !== undefined) {
      this.#positions.set(unsigned(args[1]), position);
    }
    return errno;
  }

  /** The library gives up at a whence that it does not know. */
  seek(args: Arguments, call: Call): number {
    if (unsigned(args[2]) > WHENCE_MAX) return Inval;
    const errno = call("fd_seek", args);
    if (errno !== Success) return errno;
    const out = unsigned(args[3]);
    const { memory } = this.#vm;
    const position = memory.readU32(out) + memory.readU32(out + 4) * 2 ** 32;
    this.#positions.set(unsigned(args[0]), position);
    return errno;
  }

  /** Vectors, after the offset of fd_pwrite or the place where the descriptor was moved to. */
  write(name: "fd_write" | "fd_pwrite", args: Arguments, call: Call): number {
    const { memory } = this.#vm;
    const vectors = unsigned(args[1]);
    const count = unsigned(args[2]);
    if (count > limits.ioVectorsMax) return Inval;
    if (!memory.contains(vectors, count * VECTOR_BYTES)) return Fault;
    let bytes = 0;
    for (let i = 0; i < count; i += 1) bytes += memory.readU32(vectors + i * VECTOR_BYTES + 4);
    const descriptor = unsigned(args[0]);
    const before =
      name === "fd_pwrite" ? offsetOf(args[3]) : (this.#positions.get(descriptor) ?? 0);
    if (!this.takes(before + bytes)) return NoSpc;
    this.#positions.delete(descriptor);
    return call(name, args);
  }

  /** The parameters behind the descriptor are an offset and a size, or a size. */
  grow(name: "fd_allocate" | "fd_filestat_set_size", args: Arguments, call: Call): number {
    const bytes = args.slice(1).reduce((sum: number, value) => sum + offsetOf(value), 0);
    return this.takes(bytes) ? call(name, args) : NoSpc;
  }
}

/** As unsigned 64 bits: what is negative is beyond every limit. */
function offsetOf(value: number | bigint | undefined): number {
  return Number(BigInt.asUintN(64, BigInt(value ?? 0)));
}

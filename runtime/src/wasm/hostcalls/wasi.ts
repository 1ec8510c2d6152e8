// WASI preview 1 with the answers of Envoy's host: a log, clocks, randomness, configured variables,
// and no files. One table serves both module names.
import { limits, LogLevel, WasiErrno } from "proxy-wasm-types";
import { LogLevel as HostLogLevel } from "../../core/logger.ts";
import type { GuestMemory } from "../memory.ts";
import type { Vm } from "../vm.ts";
import { monotonicNs, wallClockNs } from "./clocks-and-timers.ts";
import type { HostcallTable } from "./index.ts";

const { Success, BadF, NotDir, Fault, Inval, NoEnt, NoSys, NotSup } = WasiErrno;

const FDSTAT_BYTES = 24;
const RIGHTS_AT = 8;
const RIGHT_FD_WRITE = 64;
/** Nanoseconds that one takes. */
const RANDOM_BYTE_FUEL = 4;

export function wasiHostcalls(vm: Vm): HostcallTable {
  return {
    ...outputCalls(vm),
    ...fileCalls(vm.memory, vm),
    ...pathCalls(vm.memory),
    ...socketCalls(vm.memory),
    ...environmentCalls(vm),
    ...clockCalls(vm),
    ...processCalls(vm),
  };
}

function isStandard(fd: number): boolean {
  return fd === 1 || fd === 2;
}

function okIfStandard(fd: number): number {
  return isStandard(fd) ? Success : BadF;
}

function wrote(done: boolean): number {
  return done ? Success : Fault;
}

/** As Envoy: nobody asks where a range of no bytes begins. */
function reads(memory: GuestMemory, pointer: number, size: number): boolean {
  return size === 0 || memory.contains(pointer, size);
}

/** WASI has 16 bits for the flags of what was received, and something may lie right behind them. */
function writeU16Zero(memory: GuestMemory, pointer: number): boolean {
  if (!memory.contains(pointer, 2)) return false;
  memory.fill(pointer, 2, 0);
  return true;
}

function outputCalls(vm: Vm): HostcallTable {
  const memory = vm.memory;

  /**
   * Descriptor 1 is logged at info, 2 at error; one line feed at the end is cut. What is longer
   * than one log line may be is cut, too, but counts as written: nobody could write it again.
   */
  function write(fd: number, vectors: number, count: number, outWritten: number): number {
    if (!isStandard(fd)) return BadF;
    if (!reads(memory, vectors, count * 8)) return Fault;
    if (count > limits.ioVectorsMax) return Inval;
    const parts: Buffer[] = [];
    let written = 0;
    for (let i = 0; i < count; i += 1) {
      const at = memory.readU32(vectors + i * 8);
      const size = memory.readU32(vectors + i * 8 + 4);
      if (!reads(memory, at, size)) return Fault;
      // Vectors may overlap, so their sum has no bound of its own.
      const taken = Math.min(size, limits.logMessageBytesMax - written);
      if (taken > 0) parts.push(memory.readBytes(at, taken));
      written += size;
    }
    let text = Buffer.concat(parts).toString("utf8");
    if (text.endsWith("\n")) text = text.slice(0, -1);
    const level = fd === 1 ? LogLevel.Info : LogLevel.Error;
    if (written > 0 && vm.wantsLine(level)) vm.logLine(level, text);
    return wrote(memory.writeU32(outWritten, written));
  }

  return {
    fd_write: (fd: number, vectors: number, count: number, outWritten: number): number =>
      write(fd, vectors >>> 0, count >>> 0, outWritten >>> 0),
    fd_pwrite: (
      fd: number,
      vectors: number,
      count: number,
      _offset: bigint,
      outWritten: number,
    ): number => write(fd, vectors >>> 0, count >>> 0, outWritten >>> 0),
  };
}

function fileCalls(memory: GuestMemory, vm: Vm): HostcallTable {
  return {
    fd_read: (): number => NoSys,
    fd_pread: (): number => NoSys,
    fd_readdir: (_fd: number, _to: number, _size: number, _cookie: bigint, used: number): number =>
      memory.writeU32(used >>> 0, 0) ? NotDir : Fault,
    fd_seek(): number {
      vm.log.host(HostLogLevel.Error, "wasm guest called wasi fd_seek, which does nothing");
      return Success;
    },
    fd_close(): number {
      vm.log.host(HostLogLevel.Error, "wasm guest called wasi fd_close, which does nothing");
      return Success;
    },
    fd_fdstat_get(fd: number, outStat: number): number {
      if (!isStandard(fd)) return BadF;
      const at = outStat >>> 0;
      if (!memory.contains(at, FDSTAT_BYTES)) return Fault;
      memory.fill(at, FDSTAT_BYTES, 0);
      return wrote(memory.writeU32(at + RIGHTS_AT, RIGHT_FD_WRITE));
    },
    fd_fdstat_set_flags: (): number => NoSys,
    fd_prestat_get: (): number => BadF,
    fd_prestat_dir_name: (): number => NoSys,
    fd_filestat_get: (): number => BadF,
    fd_advise: (): number => Success,
    fd_allocate: okIfStandard,
    fd_datasync: okIfStandard,
    fd_sync: okIfStandard,
    fd_fdstat_set_rights: okIfStandard,
    fd_filestat_set_size: okIfStandard,
    fd_filestat_set_times: okIfStandard,
    fd_tell: (fd: number, outOffset: number): number =>
      isStandard(fd) ? wrote(memory.writeU64(outOffset >>> 0, 0)) : BadF,
    fd_renumber: (fd: number, to: number): number =>
      isStandard(fd) && isStandard(to) ? NotSup : BadF,
  };
}

function pathCalls(memory: GuestMemory): HostcallTable {
  const unsupported = (): number => NotSup;
  return {
    path_create_directory: unsupported,
    path_filestat_get: unsupported,
    path_filestat_set_times: unsupported,
    path_link: unsupported,
    path_open: (): number => NoEnt,
    path_readlink: (
      _fd: number,
      _path: number,
      _pathSize: number,
      _to: number,
      _size: number,
      used: number,
    ): number => (memory.writeU32(used >>> 0, 0) ? NotSup : Fault),
    path_remove_directory: unsupported,
    path_rename: unsupported,
    path_symlink: unsupported,
    path_unlink_file: unsupported,
  };
}

function socketCalls(memory: GuestMemory): HostcallTable {
  return {
    sock_accept: (_fd: number, _flags: number, outFd: number): number =>
      memory.writeU32(outFd >>> 0, 0) ? NotSup : Fault,
    sock_recv: (
      _fd: number,
      _vectors: number,
      _count: number,
      _flags: number,
      outSize: number,
      outFlags: number,
    ): number =>
      memory.writeU32(outSize >>> 0, 0) && writeU16Zero(memory, outFlags >>> 0) ? NotSup : Fault,
    sock_send: (
      _fd: number,
      _vectors: number,
      _count: number,
      _flags: number,
      outSize: number,
    ): number => (memory.writeU32(outSize >>> 0, 0) ? NotSup : Fault),
    sock_shutdown: (): number => NotSup,
  };
}

/** The configured variables only: never those of this process. */
function environmentCalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  const entries = vm.settings.environment.map(([key, value]) => Buffer.from(`${key}=${value}\0`));
  const bytes = entries.reduce((sum, entry) => sum + entry.length, 0);
  return {
    environ_sizes_get: (outCount: number, outSize: number): number =>
      wrote(
        memory.writeU32(outCount >>> 0, entries.length) && memory.writeU32(outSize >>> 0, bytes),
      ),
    environ_get(pointers: number, buffer: number): number {
      const pointersAt = pointers >>> 0;
      let at = buffer >>> 0;
      if (!memory.contains(pointersAt, entries.length * 4)) return Fault;
      if (!memory.contains(at, bytes)) return Fault;
      for (const [i, entry] of entries.entries()) {
        memory.writeU32(pointersAt + i * 4, at);
        memory.writeBytes(at, entry);
        at += entry.length;
      }
      return Success;
    },
    args_sizes_get: (outCount: number, outSize: number): number =>
      wrote(memory.writeU32(outCount >>> 0, 0) && memory.writeU32(outSize >>> 0, 0)),
    args_get: (): number => Success,
  };
}

/** 0 is real time, 1 monotonic; those of processes and threads are not there. */
function isClock(id: number): boolean {
  return id === 0 || id === 1;
}

function clockCalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    clock_time_get(id: number, _precision: bigint, outTime: number): number {
      if (!isClock(id)) return NotSup;
      const time = id === 0 ? wallClockNs(vm) : monotonicNs(vm);
      return wrote(memory.writeU64(outTime >>> 0, time));
    },
    clock_res_get: (id: number, outResolution: number): number =>
      isClock(id) ? wrote(memory.writeU64(outResolution >>> 0, 1)) : NotSup,
    /** No events, at once: Go's runtime sleeps in short steps of this. */
    poll_oneoff: (_in: number, _out: number, _count: number, outEvents: number): number =>
      wrote(memory.writeU32(outEvents >>> 0, 0)),
    sched_yield: (): number => Success,
  };
}

function processCalls(vm: Vm): HostcallTable {
  const memory = vm.memory;
  return {
    /** A guest that ends is a guest that failed, in every phase and for every code. */
    proc_exit(code: number): void {
      vm.log.host(HostLogLevel.Error, `wasm guest called wasi proc_exit with code ${code >>> 0}`);
      vm.stopGuest(`proc_exit with code ${code >>> 0}`, "exit");
    },
    random_get(pointer: number, size: number): number {
      const at = pointer >>> 0;
      const length = size >>> 0;
      if (length > limits.randomBytesMax) return Inval;
      if (!reads(memory, at, length)) return Fault;
      vm.charge(length * RANDOM_BYTE_FUEL);
      const { random } = vm.services;
      const bytes = memory.bytes;
      for (let i = 0, word = 0; i < length; i += 1, word >>>= 8) {
        if ((i & 3) === 0) word = random.u32();
        bytes[at + i] = word;
      }
      return Success;
    },
  };
}

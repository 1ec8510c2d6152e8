// Becomes the launcher under a seccomp filter that refuses io_uring_setup with EPERM, as those of
// containers do. Without arguments: only tries whether such a filter can be set.
import { launcher } from "./launcher.ts";

interface Ffi {
  dlopen(
    path: null,
    definitions: Record<string, { arguments: readonly string[]; return: string }>,
  ): { readonly functions: Record<string, (...args: readonly unknown[]) => number> };
  getRawPointer(bytes: Uint8Array): bigint;
}

/** No node:ffi, or no right to filter. */
const CANNOT = 3;

const IO_URING_SETUP = 425;
const EPERM = 1;
const PR_SET_NO_NEW_PRIVS = 38;
const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;
const RET_ERRNO = 0x5_0000;
const RET_ALLOW = 0x7fff_0000;
/** BPF: load a word, jump if equal, return. */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const RETURN = 0x06;

/** code, jump if true, jump if false, value. The number of the call stands at 0. */
const program: readonly (readonly [number, number, number, number])[] = [
  [LOAD, 0, 0, 0],
  [JUMP_EQUAL, 0, 1, IO_URING_SETUP],
  [RETURN, 0, 0, RET_ERRNO | EPERM],
  [RETURN, 0, 0, RET_ALLOW],
];

function refuseIoUring(ffi: Ffi): boolean {
  const filter = Buffer.alloc(4096);
  for (const [index, [code, yes, no, value]] of program.entries()) {
    filter.writeUInt16LE(code, index * 8);
    filter.writeUInt8(yes, index * 8 + 2);
    filter.writeUInt8(no, index * 8 + 3);
    filter.writeUInt32LE(value, index * 8 + 4);
  }
  // struct sock_fprog.
  const at = 1024;
  filter.writeUInt16LE(program.length, at);
  filter.writeBigUInt64LE(ffi.getRawPointer(filter), at + 8);
  const types = ["int32", "uint64", "uint64", "uint64", "uint64"];
  const { prctl } = ffi.dlopen(null, { prctl: { arguments: types, return: "int32" } }).functions;
  const address = ffi.getRawPointer(filter) + BigInt(at);
  return (
    prctl?.(PR_SET_NO_NEW_PRIVS, 1n, 0n, 0n, 0n) === 0 &&
    prctl(PR_SET_SECCOMP, BigInt(SECCOMP_MODE_FILTER), address, 0n, 0n) === 0
  );
}

const ffi = process.getBuiltinModule("node:ffi" as string) as unknown as Ffi | undefined;
if (ffi === undefined || !refuseIoUring(ffi)) process.exit(CANNOT);
const args = process.argv.slice(2);
if (args.length > 0) process.execve?.(launcher, [launcher, ...args], process.env);

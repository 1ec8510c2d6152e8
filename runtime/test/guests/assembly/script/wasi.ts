// Operations of the scripted guest: WASI.
import { OUT, n, encode, say, tell, tellU32, textAt, p } from "./state";

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: i32): void;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, p: usize, n: u32, out: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "clock_time_get")
declare function clock_time_get(id: u32, precision: i64, out: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "random_get")
declare function random_get(p: usize, n: u32): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_sizes_get")
declare function environ_sizes_get(oc: usize, on: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "environ_get")
declare function environ_get(p: usize, b: usize): u32;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "path_open")
declare function path_open(
  fd: u32,
  df: u32,
  p: usize,
  n: u32,
  oflags: u32,
  rb: i64,
  ri: i64,
  f: u32,
  out: usize,
): u32;

export function runWasi(op: string): void {
  if (op == "proc_exit") proc_exit(n(2));
  else if (op == "fd_write") {
    const b = textAt(3);
    store<u32>(OUT + 8, p(b));
    store<u32>(OUT + 12, b.byteLength);
    tellU32(fd_write(n(2), OUT + 8, 1, OUT));
  } else if (op == "clock_time_get") {
    const status = clock_time_get(n(2), 1, OUT);
    tell(status, status == 0 ? load<u64>(OUT).toString() : "");
  } else if (op == "random_get") {
    const b = new ArrayBuffer(8);
    tell(random_get(changetype<usize>(b), n(2)), encode(changetype<usize>(b), 8));
  } else if (op == "environ_get") {
    const sizes = environ_sizes_get(OUT, OUT + 4);
    const size = load<u32>(OUT + 4);
    const at = new ArrayBuffer(<i32>size + 256);
    const base = changetype<usize>(at);
    const status = environ_get(base, base + 256);
    tell(sizes + status, load<u32>(OUT).toString() + " [" + encode(base + 256, size) + "]");
  } else if (op == "path_open") tell(path_open(3, 0, 0, 0, 0, 0, 0, 0, OUT), "");
  else say("  unknown operation " + op);
}

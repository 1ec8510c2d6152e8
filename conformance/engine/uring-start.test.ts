// Machines where io_uring is not to be had: each lack is found at start, said in words, and leaves
// nothing open.
import { expect, test } from "vitest";
import { Clock } from "../../runtime/src/core/clock.ts";
import { Estate, newEstateMemory } from "../../runtime/src/engine-uring/estate.ts";
import { Native } from "../../runtime/src/engine-uring/native.ts";
import { Op } from "../../runtime/src/engine-uring/uring-abi.ts";
import { createUringEngine } from "../../runtime/src/engine-uring/uring-engine.ts";
import { loadBareHandles } from "../../runtime/src/engine-node/node-internals.ts";
import { FakeFfi, type Refusal } from "./fake-ffi.ts";

const EPERM = 1;
const ENOMEM = 12;
const EINVAL = 22;
const EMFILE = 24;
const ENOSYS = 38;

const cases: readonly (readonly [string, Refusal, string | RegExp])[] = [
  ["a seccomp profile", { setup: EPERM }, /^io_uring_setup is refused \(EPERM[,)]/],
  ["no such system call", { setup: ENOSYS }, /^io_uring_setup is refused \(ENOSYS[,)]/],
  [
    "a limit on locked memory",
    { setup: ENOMEM },
    /^io_uring_setup is refused \(ENOMEM.*; ulimit -l may be too small\)$/,
  ],
  ["too few files", { setup: EMFILE }, /^io_uring_setup is refused \(EMFILE[,)]/],
  ["a kernel before 5.11", { features: 1 }, "this kernel's io_uring is too old"],
  ["no probe", { hasProbe: false }, "this kernel's io_uring does not say what it can do"],
  [
    "an operation that lacks",
    { operation: Op.SendMsg },
    `this kernel's io_uring has no operation ${Op.SendMsg}`,
  ],
  [
    "a kernel before 6.12",
    { buffers: EINVAL },
    "this kernel's io_uring has no incremental buffers (Linux 6.12)",
  ],
  ["no memory at all", { maps: 0 }, "no memory (ENOMEM)"],
  ["no memory for the queues", { maps: 2 }, "no memory for the queues (ENOMEM)"],
  ["no memory to read into", { maps: 5 }, "no memory for read buffers (ENOMEM)"],
  ["no memory to send from", { maps: 6 }, "no memory for what is sent (ENOMEM)"],
  ["too few files for an eventfd", { eventfd: EMFILE }, "no eventfd (EMFILE)"],
  ["another libuv", { isOtherLoop: true }, "this Node's event loop is not laid out as we know it"],
];

/** Elsewhere all have the same answer. */
const canAsk = process.platform === "linux" && typeof loadBareHandles() !== "string";

test.runIf(canAsk).each(cases)("%s", (_what, refusal, words) => {
  const ffi = new FakeFfi(refusal);
  const estateMemory = newEstateMemory();
  const why = createUringEngine(new Clock(), estateMemory, new Native(ffi));
  expect(why).toMatch(words);
  expect([...ffi.open]).toEqual([]);
  expect(new Estate(estateMemory).descriptors).toEqual([]);
});

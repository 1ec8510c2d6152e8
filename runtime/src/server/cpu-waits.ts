// How long a thread of this process has waited for a processor, as the kernel's scheduler counts it
// (Linux). The watchdog takes it off the time for which a thread was silent.
import { readFileSync, readlinkSync } from "node:fs";
import type { PulseMemory } from "./pulse.ts";

const NS_PER_MS = 1_000_000;

/** The calling thread writes down which one it is for the kernel, where that is told. */
export function noteKernelThread(pulse: PulseMemory, thread: number): void {
  try {
    // "PID/task/TID"
    const id = Number(readlinkSync("/proc/thread-self").split("/").at(-1));
    if (Number.isInteger(id)) pulse.setKernelThread(thread, id);
  } catch {
    // No Linux, or no /proc.
  }
}

/**
 * Milliseconds since the thread's start in which it could have run and had no processor. `id`:
 * PulseSigns.kernelThread. Null = it is not known.
 */
export function waitedForCpuMs(id: number): number | null {
  if (id === 0) return null;
  try {
    // Nanoseconds on a processor, nanoseconds waiting for one, times it got one.
    const waited = readFileSync(`/proc/self/task/${id}/schedstat`, "latin1").split(" ")[1];
    return waited === undefined ? null : Number(waited) / NS_PER_MS;
  } catch {
    // The thread has ended, or the kernel keeps no such counts.
    return null;
  }
}

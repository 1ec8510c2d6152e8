// What a guest is running for: which hostcalls it may make. Set by vm.ts, checked by guard.ts.

export const Phase = {
  /** A callback. */
  Run: 0,
  /** Its start function, _initialize or _start. */
  Initialize: 1,
  /** Its allocator, called by the host. */
  Allocate: 2,
  /** A root context is created, started and configured. */
  Start: 3,
} as const;
export type Phase = (typeof Phase)[keyof typeof Phase];

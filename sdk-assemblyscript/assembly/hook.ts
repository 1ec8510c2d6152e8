// The hook that runs: which context's, of which direction, and what it leaves behind. Called by the
// callbacks around each hook, and by all that resumes a stream.
import { Action, proxy_continue_stream, Status, StreamType } from "./abi";
import { Context } from "./context";
import { leaveCallback } from "./memory";
import { isOk } from "./results";

/** Bits of `Context.state`: below these is one bit for each StreamType whose hook answered Pause. */
export const ANSWERED: u32 = 1 << 8;
export const OVER: u32 = 1 << 9;
const HELD: u32 = 15;
/** A plugin's whose filters keep nothing: one may serve stream after stream. */
export const REUSING: u32 = 1 << 10;

/** No direction: the call does not come from a hook of a stream. */
export const NO_STREAM: i32 = -1;

let running: u32 = 0;
let direction: i32 = NO_STREAM;
/** Runs what must wait until no hook is on the stack; null = nothing waits. */
let afterwards: (() => void) | null = null;

let cleanup: ((context: Context) => void) | null = null;

/** `work` is called for each context that ends with `grpcCalls`. */
export function setCleanup(work: (context: Context) => void): void {
  cleanup = work;
}

/** Called when a context ends. */
export function cleanUp(context: Context): void {
  const work = cleanup;
  if (work !== null && context.grpcCalls != 0) work(context);
}

/** Called by a callback before the hook of a stream. */
export function beginHook(context: Context, stream: StreamType): void {
  running = context.id;
  direction = stream;
}

/** Called by a callback with the hook's answer; gives the one for the host. */
export function endHook(context: Context, action: Action): Action {
  const at = changetype<usize>(context) + offsetof<Context>("state");
  const bit: u32 = 1 << direction;
  const state = load<u32>(at) & ~bit;
  store<u32>(at, action == Action.Continue ? state : state | bit);
  runAfterwards();
  running = 0;
  direction = NO_STREAM;
  return (load<u32>(at) & bit) == 0 ? Action.Continue : action;
}

/** Called last by every callback. */
export function leave(): void {
  runAfterwards();
  leaveCallback();
}

/** `work` is called when no hook runs any more; it must call setAfterwards again, with what then. */
export function setAfterwards(work: (() => void) | null): void {
  afterwards = work;
}

function runAfterwards(): void {
  const work = afterwards;
  if (work !== null) work();
}

/** The direction whose hook of this context runs; NO_STREAM when none does. */
export function directionOf(contextId: u32): i32 {
  return running == contextId ? direction : NO_STREAM;
}

/**
 * Lets a direction go on that a hook has stopped, NO_STREAM: any that is stopped. False when none is,
 * or when the stream was answered: Envoy 1.40 crashes when a response is resumed that nobody holds.
 */
export function resumeStream(context: Context, stream: i32): bool {
  const held = (context.state & (ANSWERED | OVER)) == 0 ? context.state & HELD : 0;
  const wanted: i32 = stream == NO_STREAM ? ctz(held) : stream;
  const bit: u32 = wanted < 4 ? 1 << wanted : 0;
  if ((held & bit) == 0) return isOk(Status.BadArgument);
  context.state &= ~bit;
  // Within the hook it is the hook's answer that resumes.
  if (directionOf(context.id) == wanted) return isOk(Status.Ok);
  return isOk(proxy_continue_stream(wanted));
}

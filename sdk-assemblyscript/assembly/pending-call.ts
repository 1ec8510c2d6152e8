// A call to a cluster that waits for its answer: who gets it, and what follows from what they say.
// Called by http-call.ts and grpc-call.ts. Every call ends in its callback, also one that the host
// refused: that one when the hook which sent it has returned.
import { Action, proxy_close_stream, proxy_set_effective_context, StreamType } from "./abi";
import { contexts } from "./contexts";
import { Context, ContextKind } from "./context";
import { directionOf, resumeStream, setAfterwards } from "./hook";
import { Entry } from "./id-table";
import { sendLocalReply } from "./local-reply";
import { log } from "./log";
import { callbackDepth } from "./memory";
import { isOk } from "./results";

/** A callback that sends anew what was refused could go on for ever: so often within one event. */
const REFUSED_ROUNDS_MAX: i32 = 64;
const CALLS_MAX: u32 = 4096;

let callsMax: u32 = CALLS_MAX;

/** Calls, and streams of gRPC, that may wait at a time, in the whole VM; any more are refused. */
export function pendingCallsMax(): u32 {
  return callsMax;
}

/** Sets how many calls may wait at a time in the whole VM: 4096 when nothing is said. */
export function limitPendingCalls(most: u32): void {
  callsMax = most;
}

/** The call whose callback runs: what that one sends resumes the same direction. */
let answered: PendingCall | null = null;

export abstract class PendingCall extends Entry {
  /** The direction that an answer of Continue resumes. */
  private readonly direction: i32;

  constructor(readonly contextId: u32) {
    super();
    const before = answered;
    const isNext = before !== null && before.contextId == contextId;
    this.direction = isNext ? before!.direction : directionOf(contextId);
  }

  /** Calls the author's callback. */
  protected abstract run(): Action;

  /** The answer is there: calls back as the context that has sent the call; false when it is gone. */
  complete(): bool {
    const context = actAs(this.contextId);
    if (context === null) {
      log.debug("answer ignored: its stream is gone");
      return false;
    }
    answered = this;
    const action = this.run();
    answered = null;
    if (action == Action.Continue) resumeStream(context, this.direction);
    return true;
  }
}

/** Makes the hostcalls that follow act on a context; null when it is gone. */
export function actAs(contextId: u32): Context | null {
  const context = contexts.get(contextId);
  if (context == 0 || !isOk(proxy_set_effective_context(contextId))) return null;
  return changetype<Context>(context);
}

// ---- Calls that the host refused, in a list.

let first: usize = 0;
let last: usize = 0;

/** The call was refused: its callback comes when the hook that runs has returned. */
export function failLater(call: PendingCall): void {
  const added = __pin(changetype<usize>(call));
  if (first == 0) first = added;
  else store<usize>(last, added, offsetof<Entry>("next"));
  last = added;
  setAfterwards(runRefused);
}

function runRefused(): void {
  // A host's foreign function may have entered again while a hook runs.
  if (callbackDepth() != 1) return;
  let rounds = 0;
  while (first != 0) {
    const call = changetype<PendingCall>(first);
    first = call.next;
    __unpin(changetype<usize>(call));
    rounds++;
    if (rounds <= REFUSED_ROUNDS_MAX) call.complete();
    else giveUp(call.contextId);
  }
  setAfterwards(null);
}

function giveUp(contextId: u32): void {
  log.error("call given up: its callback sends again and again what the host refuses");
  const context = actAs(contextId);
  if (context === null) return;
  if (context.kind == ContextKind.Network) proxy_close_stream(StreamType.Downstream);
  if (context.kind == ContextKind.Http) sendLocalReply(context, 503, 0, 0, null, -1, "call refused");
}

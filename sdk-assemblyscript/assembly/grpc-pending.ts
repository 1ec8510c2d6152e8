// Calls and streams of gRPC that are under way. The callbacks in exports/plugin bring what comes; each
// is cancelled when the stream of the filter that began it ends.
import {
  Action,
  BufferType,
  GrpcStatus,
  MapType,
  proxy_get_status,
  proxy_grpc_cancel,
} from "./abi";
import { Body } from "./body";
import { Context } from "./context";
import { HeaderMap } from "./headers";
import { setCleanup } from "./hook";
import { contexts } from "./contexts";
import { IdTable } from "./id-table";
import { log } from "./log";
import { PendingCall, pendingCallsMax } from "./pending-call";
import { isOk, OUT, resultText } from "./results";

/** What has come. */
export enum GrpcEvent {
  InitialMetadata,
  Message,
  TrailingMetadata,
  Close,
}

// @ts-ignore: decorator
@lazy const table: IdTable = changetype<IdTable>(memory.data(12, 4));
// @ts-ignore: decorator
@lazy export const initialMetadata: HeaderMap = new HeaderMap(MapType.GrpcCallInitialMetadata);
// @ts-ignore: decorator
@lazy export const trailingMetadata: HeaderMap = new HeaderMap(MapType.GrpcCallTrailingMetadata);
// @ts-ignore: decorator
@lazy export const grpcMessage: Body = new Body(BufferType.GrpcCallMessage);

export abstract class GrpcPending extends PendingCall {
  /** What is told to `run`. */
  protected event: GrpcEvent = GrpcEvent.Close;
  protected status: GrpcStatus = GrpcStatus.Unavailable;
  protected reason: string = "refused by the host";
  /** The host knows it. */
  isOpen: bool = false;
  /** Others of the same context; 0 at the ends. Each is in the table as well, which keeps it alive. */
  private before: usize = 0;
  private after: usize = 0;

  /** Whether no more follows after this event. */
  protected abstract isLast(event: GrpcEvent): bool;

  /** The host has taken it. Its context is there: its hook has just made the call. */
  begin(id: u32): void {
    this.id = id;
    this.isOpen = true;
    table.add(changetype<usize>(this));
    setCleanup(cancelAll);
    const owner = contexts.get(this.contextId);
    if (owner == 0) return;
    const head = load<usize>(owner, offsetof<Context>("grpcCalls"));
    this.before = 0;
    this.after = head;
    if (head != 0) store<usize>(head, changetype<usize>(this), offsetof<GrpcPending>("before"));
    store<usize>(owner, changetype<usize>(this), offsetof<Context>("grpcCalls"));
  }

  tell(event: GrpcEvent, status: GrpcStatus): void {
    this.event = event;
    if (event == GrpcEvent.Close) {
      this.status = status;
      this.reason = isOk(proxy_get_status(OUT + 8, OUT, OUT + 4)) ? resultText() : "";
    } else {
      this.status = GrpcStatus.Ok;
    }
    if (this.isLast(event)) this.forget();
    if (!this.complete() && this.isOpen) this.drop();
  }

  /** Ends it; nothing comes any more. False when it is over already. */
  drop(): bool {
    if (!this.isOpen) return false;
    const id = this.id;
    this.forget();
    return isOk(proxy_grpc_cancel(id));
  }

  private forget(): void {
    this.isOpen = false;
    table.take(this.id);
    const before = this.before;
    const after = this.after;
    if (after != 0) store<usize>(after, before, offsetof<GrpcPending>("before"));
    if (before != 0) {
      store<usize>(before, after, offsetof<GrpcPending>("after"));
      return;
    }
    const owner = contexts.get(this.contextId);
    if (owner == 0) return;
    if (load<usize>(owner, offsetof<Context>("grpcCalls")) != changetype<usize>(this)) return;
    store<usize>(owner, after, offsetof<Context>("grpcCalls"));
  }
}

/** Whether one more may wait; else why not, in the log. */
export function hasGrpcRoom(cluster: string): bool {
  if (table.length < pendingCallsMax()) return true;
  log.error("gRPC to " + cluster + " refused: too many wait for their answers");
  return false;
}

/** Called by a callback; false when nobody waits. `size`: bytes of a message. */
export function tellGrpc(callId: u32, event: GrpcEvent, status: GrpcStatus, size: u32): bool {
  const pending = changetype<GrpcPending | null>(table.get(callId));
  if (pending === null) return false;
  if (event == GrpcEvent.Message) grpcMessage.show(size);
  pending.tell(event, status);
  return true;
}

/** The context is being deleted. */
function cancelAll(context: Context): void {
  let at = context.grpcCalls;
  while (at != 0) {
    changetype<GrpcPending>(at).drop();
    at = context.grpcCalls;
  }
}

// The gRPC calls and streams of one root context: from the guest's wish to its last callback. Owned
// by RootContext, asked by hostcalls, told by Callouts.
import { Status } from "proxy-wasm-types";
import { HeaderMap } from "../core/header-map.ts";
import type { Callouts, GrpcReceiver, GrpcRequest, GrpcStream } from "./callout.ts";
import type { GuestFunction } from "./guest-exports.ts";
import type { RootContext } from "./root-context.ts";

/** What the host does for a call, in nanoseconds. */
const CALL_FUEL = 20_000;
/** And for a message of a stream, whose bytes are paid for where they are read. */
const SEND_FUEL = 2000;

/** A status of gRPC. */
const INTERNAL = 13;

/** One call (one message each way) or stream. */
class PendingGrpc implements GrpcReceiver {
  readonly token: number;
  readonly isCall: boolean;
  /** Bytes of its first message, while it waits. */
  readonly bytes: number;
  stream: GrpcStream | null = null;
  readonly #calls: GrpcCalls;
  /** Of a call: the last message counts, once the status is good. */
  #message: Buffer | null = null;

  constructor(calls: GrpcCalls, token: number, isCall: boolean, bytes: number) {
    this.#calls = calls;
    this.token = token;
    this.isCall = isCall;
    this.bytes = bytes;
  }

  onInitialMetadata(metadata: HeaderMap | null): void {
    if (!this.isCall) this.#calls.tellInitialMetadata(this, metadata);
  }

  onMessage(message: Buffer): void {
    if (this.isCall) this.#message = message;
    else this.#calls.tellMessage(this, message);
  }

  onTrailingMetadata(metadata: HeaderMap | null): void {
    if (!this.isCall) this.#calls.tellTrailingMetadata(this, metadata);
  }

  onClose(status: number, message: string): void {
    if (!this.isCall || status !== 0) this.#calls.tellClose(this, status, message);
    else if (this.#message !== null) this.#calls.tellAnswer(this, this.#message);
    // As Envoy: a call that is answered by nothing has failed.
    else this.#calls.tellClose(this, INTERNAL, "");
  }
}

export class GrpcCalls {
  /** What can be read in the callback that runs; null = none. */
  initialMetadata: HeaderMap | null = null;
  trailingMetadata: HeaderMap | null = null;
  message: Buffer | null = null;
  readonly #root: RootContext;
  readonly #pending: Map<number, PendingGrpc>;

  constructor(root: RootContext) {
    this.#root = root;
    this.#pending = new Map();
  }

  /**
   * A call when `message` is given, else a stream. Its token, or minus the status that says why
   * there is none.
   */
  start(callouts: Callouts, request: GrpcRequest, message: Buffer | null): number {
    const { vm, plugin } = this.#root;
    const { limits } = vm;
    const bytes = message?.length ?? 0;
    // Also for one that is refused.
    vm.charge(CALL_FUEL);
    if (!limits.allows("calloutsPending", limits.calloutsPending + 1, plugin)) {
      return -Status.InternalFailure;
    }
    if (!limits.allows("calloutBytes", limits.calloutBytes + bytes, plugin)) {
      return -Status.InternalFailure;
    }
    const token = message === null ? vm.nextGrpcStreamToken() : vm.nextGrpcCallToken();
    const pending = new PendingGrpc(this, token, message !== null, bytes);
    const stream = callouts.grpcStream(request, pending);
    if (typeof stream === "number") return -stream;
    pending.stream = stream;
    this.#pending.set(token, pending);
    vm.callouts += 1;
    limits.calloutsPending += 1;
    limits.calloutBytes += bytes;
    if (message !== null) stream.send(message, true);
    return token;
  }

  /** Of a stream. */
  send(token: number, message: Buffer, end: boolean): Status {
    const pending = this.#pending.get(token);
    if (pending === undefined || pending.stream === null) return Status.NotFound;
    const { vm, plugin } = this.#root;
    vm.charge(SEND_FUEL);
    const held = pending.stream.bufferedBytes + message.length;
    if (!vm.limits.allows("calloutBytes", held, plugin)) return Status.BadArgument;
    pending.stream.send(message, end);
    return Status.Ok;
  }

  /** No callback follows. */
  cancel(token: number): Status {
    const pending = this.#pending.get(token);
    if (pending === undefined) return Status.NotFound;
    this.#forget(pending);
    pending.stream?.cancel();
    return Status.Ok;
  }

  /** A stream sends no more; a call is given up. */
  close(token: number): Status {
    const pending = this.#pending.get(token);
    if (pending === undefined) return Status.NotFound;
    if (pending.isCall) return this.cancel(token);
    pending.stream?.closeLocal();
    return Status.Ok;
  }

  cancelAll(): void {
    for (const token of this.#pending.keys()) this.cancel(token);
  }

  #forget(pending: PendingGrpc): void {
    if (!this.#pending.delete(pending.token)) return;
    const { limits } = this.#root.vm;
    limits.calloutsPending -= 1;
    limits.calloutBytes -= pending.bytes;
  }

  // ---- What comes.

  tellInitialMetadata(pending: PendingGrpc, metadata: HeaderMap | null): void {
    const callback = this.#root.vm.exports.onGrpcInitialMetadata;
    this.initialMetadata = metadata ?? new HeaderMap();
    this.#call(callback, pending, metadata?.size ?? 0);
    this.initialMetadata = null;
  }

  tellMessage(pending: PendingGrpc, message: Buffer): void {
    this.message = message;
    this.#call(this.#root.vm.exports.onGrpcReceive, pending, message.length);
    this.message = null;
  }

  tellTrailingMetadata(pending: PendingGrpc, metadata: HeaderMap | null): void {
    const callback = this.#root.vm.exports.onGrpcTrailingMetadata;
    this.trailingMetadata = metadata ?? new HeaderMap();
    this.#call(callback, pending, metadata?.size ?? 0);
    this.trailingMetadata = null;
  }

  /** Of a call that ended well. */
  tellAnswer(pending: PendingGrpc, message: Buffer): void {
    this.tellMessage(pending, message);
    this.#forget(pending);
  }

  tellClose(pending: PendingGrpc, status: number, message: string): void {
    const root = this.#root;
    root.calloutStatus = status;
    root.calloutMessage = message;
    this.#call(root.vm.exports.onGrpcClose, pending, status);
    root.calloutStatus = 0;
    root.calloutMessage = "";
    // Only now: in its last callback the guest may still name it.
    this.#forget(pending);
  }

  #call(callback: GuestFunction | null, pending: PendingGrpc, value: number): void {
    const root = this.#root;
    if (callback === null || root.vm.failure !== null || !this.#pending.has(pending.token)) return;
    root.vm.call(root, callback, root.id, pending.token, value, 0, 0);
  }
}

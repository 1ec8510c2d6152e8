// gRPC to a cluster: one message each way, `this.grpc("users", "pkg.Users", "Get").send(...)`, or a
// stream of messages, `.open(new Watch(this))`. Messages are bytes: see kit/protobuf for their form.
import { Action, GrpcStatus, proxy_grpc_call, proxy_grpc_close, proxy_grpc_send } from "./abi";
import { proxy_grpc_stream } from "./abi";
import { GrpcEvent, GrpcPending, grpcMessage, hasGrpcRoom } from "./grpc-pending";
import { initialMetadata, trailingMetadata } from "./grpc-pending";
import { HeaderMap } from "./headers";
import { log } from "./log";
import { encodedPairsLength, encodePairs, isPairLeftOut } from "./pairs";
import { failLater } from "./pending-call";
import { scratch } from "./memory";
import { isOk, lastStatus, OUT } from "./results";
import { decimal } from "./text";
import { encodedLength, encodeUtf8 } from "./utf8";

const TIMEOUT_MS: u32 = 5000;
const TIMEOUT_MS_MAX: u32 = 0x7fffffff;

/** The answer to a unary call. It can be read until the callback that gets it returns. */
export class GrpcResponse {
  /** `GrpcStatus.Ok`, the server's status, or `Unavailable` for a call that never got there. */
  status: GrpcStatus = GrpcStatus.Ok;
  /** Why it failed, for the log. Envoy appends details in braces: `no such user{via_upstream}`. */
  message: string = "";

  /** Whether a message came. */
  get ok(): bool {
    return this.status == GrpcStatus.Ok;
  }

  /** A copy of the message; empty when there is none. */
  bytes(): Uint8Array {
    const bytes = this.ok ? grpcMessage.bytes() : null;
    return bytes === null ? new Uint8Array(0) : bytes;
  }
}

// @ts-ignore: decorator
@lazy const response: GrpcResponse = new GrpcResponse();

class GrpcCallBack<T> extends GrpcPending {
  constructor(
    contextId: u32,
    private readonly self: T,
    private readonly callback: (self: T, response: GrpcResponse) => Action,
  ) {
    super(contextId);
  }

  protected isLast(event: GrpcEvent): bool {
    return event == GrpcEvent.Message || event == GrpcEvent.Close;
  }

  protected run(): Action {
    // Hosts tell metadata of streams only.
    if (!this.isLast(this.event)) return Action.Pause;
    const isMessage = this.event == GrpcEvent.Message;
    // A status Ok without a message is none: there is nothing to read.
    const isFailure = !isMessage && this.status == GrpcStatus.Ok;
    response.status = isFailure ? GrpcStatus.Unknown : this.status;
    response.message = isMessage ? "" : this.reason;
    return this.callback(this.self, response);
  }
}

/**
 * A stream of messages both ways. Derive from it, override what is to be heard, and give an object to
 * `GrpcCall.open`. Nothing here resumes the filter's stream: call its `continueRequest`. It is
 * cancelled when the filter's stream ends; one of a plugin lives until it is closed.
 */
export abstract class GrpcStream extends GrpcPending {
  /** `contextId`: of the filter or plugin that it belongs to. */
  constructor(contextId: u32) {
    super(contextId);
  }

  /** The server has answered; the metadata can be read until this returns. */
  onInitialMetadata(metadata: HeaderMap): void {}

  /** A message came, copied. */
  onMessage(message: Uint8Array): void {}

  /** The server ends; the metadata can be read until this returns. */
  onTrailingMetadata(metadata: HeaderMap): void {}

  /**
   * It is over, and nothing comes any more; also for what the host refused to open, then with status
   * Unavailable. Not called after `cancel`.
   */
  onClose(status: GrpcStatus, message: string): void {}

  /** Sends a message; `isLast` says that none follows. False when it is not open. */
  send(message: Uint8Array, isLast: bool = false): bool {
    if (!this.isOpen) return false;
    return isOk(proxy_grpc_send(this.id, message.dataStart, message.length, isLast));
  }

  /** Says that no message follows; what the server still sends comes. False when it is not open. */
  finish(): bool {
    return this.isOpen && isOk(proxy_grpc_close(this.id));
  }

  /** Ends it at once: nothing comes any more, onClose neither. False when it is not open. */
  cancel(): bool {
    return this.drop();
  }

  protected isLast(event: GrpcEvent): bool {
    return event == GrpcEvent.Close;
  }

  protected run(): Action {
    const event = this.event;
    if (event == GrpcEvent.InitialMetadata) this.onInitialMetadata(initialMetadata);
    else if (event == GrpcEvent.TrailingMetadata) this.onTrailingMetadata(trailingMetadata);
    else if (event == GrpcEvent.Close) this.onClose(this.status, this.reason);
    else {
      const bytes = grpcMessage.bytes();
      this.onMessage(bytes === null ? new Uint8Array(0) : bytes);
    }
    return Action.Pause;
  }
}

/** A call that is being put together; `send` or `open` makes it. */
export class GrpcCall {
  private readonly entries: string[] = [];
  private timeoutMs: u32 = TIMEOUT_MS;
  private target: Uint8Array | null = null;

  constructor(
    private readonly contextId: u32,
    private readonly cluster: string,
    private readonly service: string,
    private readonly method: string,
  ) {}

  /** Takes a serialised `envoy.config.core.v3.GrpcService` instead of the cluster's name. */
  through(grpcService: Uint8Array): this {
    this.target = grpcService;
    return this;
  }

  /** Adds initial metadata; with what cannot be sent the call is refused. */
  metadata(name: string, value: string): this {
    this.entries.push(name);
    this.entries.push(value);
    return this;
  }

  /** Milliseconds until a unary call fails, from 1 on; 5000 when nothing is said. */
  timeout(ms: u32): this {
    this.timeoutMs = max(1, min(ms, TIMEOUT_MS_MAX));
    return this;
  }

  /**
   * Sends one message, for one message. The callback, what is returned and what the callback returns
   * are as with HttpCall.send.
   */
  send<T>(
    message: Uint8Array,
    self: T,
    callback: (self: T, response: GrpcResponse) => Action,
  ): Action {
    const call = new GrpcCallBack<T>(this.contextId, self, callback);
    if (this.start(message)) call.begin(load<u32>(OUT));
    else failLater(call);
    return Action.Pause;
  }

  /** Opens a stream; when the host refuses, its onClose comes after the hook that runs. */
  open(stream: GrpcStream): void {
    if (stream.isOpen) return;
    if (this.start(null)) stream.begin(load<u32>(OUT));
    else failLater(stream);
  }

  /** `message` null: a stream. */
  private start(message: Uint8Array | null): bool {
    if (!hasGrpcRoom(this.cluster)) return false;
    const list = this.entries;
    const pairs: usize = list.length == 0 ? 0 : encodePairs(list);
    const pairsLength = list.length == 0 ? 0 : encodedPairsLength();
    if (list.length != 0 && isPairLeftOut()) return false;
    const target = this.target;
    const name: usize = target === null ? encodeTarget(this.cluster) : target.dataStart;
    const nameLength: u32 = target === null ? targetBytes : target.length;
    const service = encodeUtf8(this.service);
    const serviceLength = encodedLength();
    const method = encodeUtf8(this.method);
    const methodLength = encodedLength();
    const answer =
      message === null
        ? proxy_grpc_stream(
            name,
            nameLength,
            service,
            serviceLength,
            method,
            methodLength,
            pairs,
            pairsLength,
            OUT,
          )
        : proxy_grpc_call(
            name,
            nameLength,
            service,
            serviceLength,
            method,
            methodLength,
            pairs,
            pairsLength,
            message.dataStart,
            message.length,
            this.timeoutMs,
            OUT,
          );
    if (isOk(answer)) return true;
    log.warn("gRPC to " + this.cluster + " refused: status " + decimal(lastStatus()));
    return false;
  }
}

let targetBytes: u32 = 0;

/**
 * A GrpcService with `envoy_grpc: {cluster_name}`. The bare name would do for most hosts, but many a
 * name is a valid message of unknown fields as well: with "users" Envoy 1.40 aborts.
 */
function encodeTarget(cluster: string): usize {
  const name = encodeUtf8(cluster);
  const length = encodedLength();
  const start = scratch(length + 16);
  if (start == 0) {
    targetBytes = 0;
    return 0;
  }
  const inner = 1 + varintBytes(length) + length;
  store<u8>(start, 0x0a);
  let at = storeVarint(start + 1, inner);
  store<u8>(at, 0x0a);
  at = storeVarint(at + 1, length);
  memory.copy(at, name, length);
  targetBytes = <u32>(at - start) + length;
  return start;
}

function varintBytes(value: u32): u32 {
  let bytes: u32 = 1;
  for (let rest = value >> 7; rest != 0; rest >>= 7) bytes++;
  return bytes;
}

function storeVarint(start: usize, value: u32): usize {
  let at = start;
  let rest = value;
  while (rest > 0x7f) {
    store<u8>(at, <u8>(rest & 0x7f) | 0x80);
    rest >>= 7;
    at++;
  }
  store<u8>(at, <u8>rest);
  return at + 1;
}

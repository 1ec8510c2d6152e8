// A gRPC stream of a guest, from its wish to its end. What the guest does to it waits while its
// cluster is not in force; and for the next turn when the cluster has filters, for they may be
// guests of the very VM that calls. Made by ClusterCallouts.
import type { HeaderMap } from "../core/header-map.ts";
import type { Cluster } from "../upstream/cluster.ts";
import { type GrpcCallbacks, GrpcStream as UpstreamGrpcStream } from "../upstream/grpc-stream.ts";
import type { UpstreamContext } from "../upstream/upstream-context.ts";
import type { GrpcReceiver, GrpcRequest, GrpcStream } from "../wasm/callout.ts";

/** Bytes of a message; null = the end alone. */
interface Sending {
  readonly message: Buffer | null;
  readonly end: boolean;
}

export class GrpcCallout implements GrpcStream, GrpcCallbacks {
  readonly #receiver: GrpcReceiver;
  readonly #stream: UpstreamGrpcStream;
  readonly #nextTurn: (callback: () => void) => void;
  readonly #flush: () => void;
  readonly #waiting: Sending[];
  #waitingBytes: number = 0;
  #isFlushAsked: boolean = false;
  #isCancelled: boolean = false;
  /** Set when it starts: what is done to it is done at once. */
  #isDirect: boolean = false;
  #isStarted: boolean = false;
  /** Of a guest that does not know it yet: what fails then is no callback. */
  isTold: boolean = false;

  constructor(
    context: UpstreamContext,
    request: GrpcRequest,
    receiver: GrpcReceiver,
    nextTurn: (callback: () => void) => void,
  ) {
    this.#receiver = receiver;
    this.#stream = new UpstreamGrpcStream(context, request, this);
    this.#nextTurn = nextTurn;
    this.#flush = (): void => {
      this.#isFlushAsked = false;
      this.#sendWaiting();
    };
    this.#waiting = [];
  }

  get isOver(): boolean {
    return this.#stream.isOver;
  }

  /** `cluster` undefined: it is not known any more. */
  start(cluster: Cluster | undefined): void {
    if (this.#isCancelled) return;
    this.#isStarted = true;
    this.#stream.start(cluster);
    this.#isDirect = cluster === undefined || cluster.filters === null;
    this.#sendWaiting();
  }

  // ---- GrpcStream: from the guest.

  get bufferedBytes(): number {
    return this.#waitingBytes + this.#stream.bufferedBytes;
  }

  send(message: Buffer, end: boolean): void {
    if (this.#isDirect) this.#stream.send(message, end);
    else this.#wait({ message, end });
  }

  closeLocal(): void {
    if (this.#isDirect) this.#stream.closeLocal();
    else this.#wait({ message: null, end: true });
  }

  cancel(): void {
    this.#isCancelled = true;
    this.isTold = false;
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    if (this.#isDirect) {
      this.#stream.cancel();
      return;
    }
    this.#stream.abandon();
    this.#askForFlush();
  }

  // ---- GrpcCallbacks: from the upstream.

  onInitialMetadata(metadata: HeaderMap | null): void {
    if (this.isTold) this.#receiver.onInitialMetadata(metadata);
  }

  onMessage(message: Buffer): void {
    if (this.isTold) this.#receiver.onMessage(message);
  }

  onTrailingMetadata(metadata: HeaderMap | null): void {
    if (this.isTold) this.#receiver.onTrailingMetadata(metadata);
  }

  onClose(status: number, message: string): void {
    if (this.isTold) this.#receiver.onClose(status, message);
  }

  // ---- Private parts.

  #wait(sending: Sending): void {
    if (this.#stream.isOver) return;
    this.#waiting.push(sending);
    this.#waitingBytes += sending.message?.length ?? 0;
    this.#askForFlush();
  }

  #askForFlush(): void {
    if (this.#isFlushAsked || !this.#isStarted) return;
    this.#isFlushAsked = true;
    this.#nextTurn(this.#flush);
  }

  #sendWaiting(): void {
    if (this.#isCancelled) {
      this.#stream.cancel();
      return;
    }
    // What a callback of the guest does to it meanwhile waits for the turn after.
    for (const { message, end } of this.#waiting.splice(0)) {
      this.#waitingBytes -= message?.length ?? 0;
      if (message === null) this.#stream.closeLocal();
      else this.#stream.send(message, end);
    }
  }
}

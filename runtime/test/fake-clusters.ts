// Clusters for proxy_http_call in tests: each answers by a function, after the guest has returned.
import { Status } from "proxy-wasm-types";
import { HeaderMap } from "../src/core/header-map.ts";
import type { ClusterInfo } from "../src/core/upstream-info.ts";
import type {
  Callouts,
  GrpcReceiver,
  GrpcRequest,
  GrpcStream,
  HttpCall,
  HttpCallReceiver,
  HttpCallRequest,
} from "../src/wasm/callout.ts";
import { bufferOf, type BodyInput, fillMap, type HeaderInput, recordOf } from "./message.ts";

/** What a guest sent to a cluster. */
export interface ClusterRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly trailers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

export interface CalloutResponse {
  readonly status: number;
  readonly headers?: HeaderInput;
  readonly body?: BodyInput;
  readonly trailers?: HeaderInput;
}

/** "reset": the call fails. "refuse": proxy_http_call itself fails. "never": no answer comes. */
export type ClusterAnswer =
  | CalloutResponse
  | "reset"
  | "refuse"
  | "never"
  | ((request: ClusterRequest) => CalloutResponse | "reset" | "never");

interface Waiting {
  readonly answer: Exclude<ClusterAnswer, "refuse">;
  readonly request: HttpCallRequest;
  readonly receiver: HttpCallReceiver;
}

export class FakeClusters implements Callouts {
  readonly #answers: Readonly<Record<string, ClusterAnswer>>;
  readonly #waiting: Waiting[];
  readonly #grpc: (() => void)[] = [];

  constructor(answers: Readonly<Record<string, ClusterAnswer>>) {
    this.#answers = answers;
    this.#waiting = [];
  }

  hasCluster(name: string): boolean {
    return Object.hasOwn(this.#answers, name);
  }

  clusterInfo(name: string): ClusterInfo | null {
    return this.hasCluster(name) ? { metadata: new Uint8Array(0), hostCount: 1 } : null;
  }

  httpCall(request: HttpCallRequest, receiver: HttpCallReceiver): HttpCall | Status {
    const answer = this.#answers[request.cluster];
    if (answer === undefined || answer === "refuse") return Status.InternalFailure;
    const waiting: Waiting = { answer, request, receiver };
    this.#waiting.push(waiting);
    return {
      cancel: (): void => {
        const at = this.#waiting.indexOf(waiting);
        if (at >= 0) this.#waiting.splice(at, 1);
      },
    };
  }

  /**
   * A gRPC stream is answered when the guest has sent all: its messages come back, then the
   * answer's status as that of gRPC, with its body as message. "never" takes it, and is silent.
   */
  grpcStream(request: GrpcRequest, receiver: GrpcReceiver): GrpcStream | Status {
    const answer = this.#answers[request.cluster];
    if (typeof answer !== "object" && answer !== "never") return Status.InternalFailure;
    const messages: Buffer[] = [];
    let isOpen = true;
    const finish = (): void => {
      if (answer === "never") return;
      if (isOpen) this.#grpc.push(() => isOpen && answerGrpc(answer, messages, receiver));
    };
    return {
      bufferedBytes: 0,
      send: (message, end) => {
        messages.push(message);
        if (end) finish();
      },
      closeLocal: finish,
      cancel: () => {
        isOpen = false;
      },
    };
  }

  /** Whether a call was answered. */
  answerNext(): boolean {
    const grpc = this.#grpc.shift();
    if (grpc !== undefined) {
      grpc();
      return true;
    }
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return false;
    const { receiver, request } = waiting;
    const answer =
      typeof waiting.answer === "function" ? waiting.answer(factsOf(request)) : waiting.answer;
    if (answer === "never") return true;
    if (answer === "reset") {
      receiver.onReset();
      return true;
    }
    const headers = new HeaderMap();
    headers.status = answer.status;
    fillMap(headers, answer.headers);
    let trailers: HeaderMap | null = null;
    if (answer.trailers !== undefined) {
      trailers = new HeaderMap();
      fillMap(trailers, answer.trailers);
    }
    receiver.onResponse(headers, Buffer.concat(bufferOf(answer.body)), trailers);
    return true;
  }
}

function answerGrpc(
  answer: CalloutResponse,
  messages: readonly Buffer[],
  receiver: GrpcReceiver,
): void {
  const initial = new HeaderMap();
  fillMap(initial, answer.headers);
  receiver.onInitialMetadata(initial);
  for (const message of messages) receiver.onMessage(message);
  const trailing = new HeaderMap();
  fillMap(trailing, answer.trailers);
  receiver.onTrailingMetadata(trailing);
  receiver.onClose(answer.status, Buffer.concat(bufferOf(answer.body)).toString());
}

function factsOf(request: HttpCallRequest): ClusterRequest {
  return {
    headers: recordOf(request.headers),
    body: request.body,
    trailers: request.trailers === null ? {} : recordOf(request.trailers),
    timeoutMs: request.timeoutMs,
  };
}

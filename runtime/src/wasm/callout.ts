// The contract of calls that guests make to clusters; server/ serves it, tests bring a fake one.
import type { Status } from "proxy-wasm-types";
import type { HeaderMap } from "../core/header-map.ts";
import type { ClusterInfo } from "../core/upstream-info.ts";

/** Who is told how a call ended: once, never from within httpCall, never after cancel. */
export interface HttpCallReceiver {
  /** An answer; a timeout or a host that refused is one too (504, 503), as in Envoy. */
  onResponse(headers: HeaderMap, body: Buffer, trailers: HeaderMap | null): void;
  /** The call was reset. */
  onReset(): void;
}

export interface HttpCall {
  /** No answer will be given. */
  cancel(): void;
}

export interface HttpCallRequest {
  readonly cluster: string;
  /** With :method, :path and :authority. */
  readonly headers: HeaderMap;
  readonly body: Buffer;
  /** Null = none. */
  readonly trailers: HeaderMap | null;
  /** 0 = none. */
  readonly timeoutMs: number;
}

/** Sees the HTTP calls of a root context, and what comes of them. */
export interface CalloutTap {
  /** Before the call is made: nobody has changed the request yet. */
  onHttpCall(token: number, request: HttpCallRequest): void;
  onHttpCallRefused(token: number, status: Status): void;
  /** Around what the guest is told; `headers` null = the call was reset. */
  beforeAnswer(token: number): void;
  afterAnswer(
    token: number,
    headers: HeaderMap | null,
    body: Buffer | null,
    trailers: HeaderMap | null,
  ): void;
}

/** Who is told what comes on a gRPC stream: never from within grpcStream, never after cancel. */
export interface GrpcReceiver {
  /** Null = there is none. */
  onInitialMetadata(metadata: HeaderMap | null): void;
  onMessage(message: Buffer): void;
  onTrailingMetadata(metadata: HeaderMap | null): void;
  /** The last. */
  onClose(status: number, message: string): void;
}

export interface GrpcRequest {
  readonly cluster: string;
  /** "/package.Service/Method". */
  readonly path: string;
  /** Names and values. */
  readonly metadata: readonly string[];
  /** 0 = none. */
  readonly timeoutMs: number;
}

export interface GrpcStream {
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  send(message: Buffer, end: boolean): void;
  /** Sends no more. */
  closeLocal(): void;
  cancel(): void;
}

export interface Callouts {
  hasCluster(name: string): boolean;
  /** Of one that is in force; null = there is none. */
  clusterInfo(name: string): ClusterInfo | null;
  /** The call, or the status that the guest gets: InternalFailure when it failed at once. */
  httpCall(request: HttpCallRequest, receiver: HttpCallReceiver): HttpCall | Status;
  /** The same for a gRPC stream. */
  grpcStream(request: GrpcRequest, receiver: GrpcReceiver): GrpcStream | Status;
}

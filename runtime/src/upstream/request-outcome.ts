// Whether an answered request counts as a success of its host: gRPC tells it in headers or only in
// trailers. Owned by a Router, or an UpstreamCall.
import { HeaderId } from "../core/header-names.ts";
import type { HeaderMap } from "../core/header-map.ts";
import type { Host } from "./host.ts";
import { isGrpcError, isGrpcRequest } from "../core/grpc-status.ts";

export class RequestOutcome {
  #isGrpc: boolean = false;
  /** Trailers are to tell it. */
  #isAwaited: boolean = false;

  reset(): void {
    this.#isGrpc = false;
    this.#isAwaited = false;
  }

  /** The request's headers, as they go up. */
  start(headers: HeaderMap): void {
    this.#isGrpc = isGrpcRequest(headers);
  }

  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** A response with a status below 500 has begun. */
  onHeaders(headers: HeaderMap, host: Host, end: boolean): void {
    if (!this.#isGrpc) {
      host.stats.rqSuccess.inc();
      return;
    }
    const grpcStatus = headers.getById(HeaderId.GrpcStatus);
    this.#isAwaited = grpcStatus === undefined && !end;
    if (!this.#isAwaited) note(host, isGrpcError(grpcStatus));
  }

  /** Without trailers a gRPC response failed. */
  onDataEnd(host: Host | null): void {
    if (this.#isAwaited) host?.stats.rqError.inc();
  }

  onTrailers(trailers: HeaderMap, host: Host | null): void {
    if (this.#isAwaited && host !== null) {
      note(host, isGrpcError(trailers.getById(HeaderId.GrpcStatus)));
    }
  }
}

function note(host: Host, isError: boolean): void {
  (isError ? host.stats.rqError : host.stats.rqSuccess).inc();
}

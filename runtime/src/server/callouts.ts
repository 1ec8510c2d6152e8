// Serves guests' calls to clusters over the same hosts, pools and limits as proxied requests. One
// per worker; made with it, told by worker-version.ts which clusters come into force next.
import { Status } from "proxy-wasm-types";
import type { HeaderMap } from "../core/header-map.ts";
import type { ClusterInfo } from "../core/upstream-info.ts";
import { AsyncClient, AsyncFailure, replyHeaders } from "../upstream/async-client.ts";
import type { AsyncCall, AsyncCallbacks } from "../upstream/async-client.ts";
import type { ClusterManager, PreparedClusters } from "../upstream/cluster-manager.ts";
import type { UpstreamContext } from "../upstream/upstream-context.ts";
import type {
  Callouts,
  GrpcReceiver,
  GrpcRequest,
  GrpcStream,
  HttpCall,
  HttpCallReceiver,
  HttpCallRequest,
} from "../wasm/callout.ts";
import { GrpcCallout } from "./grpc-callout.ts";

export class ClusterCallouts implements Callouts {
  readonly #manager: ClusterManager;
  readonly #nextTurn: (callback: () => void) => void;
  readonly #client: AsyncClient;
  readonly #context: UpstreamContext;
  /** A version is being prepared: what its plugins call while they start waits for its clusters. */
  #prepared: PreparedClusters | null = null;
  #held: (() => void)[];

  /** `nextTurn` calls back in the next turn of the event loop. */
  constructor(
    manager: ClusterManager,
    context: UpstreamContext,
    nextTurn: (callback: () => void) => void,
  ) {
    this.#manager = manager;
    this.#nextTurn = (callback): void =>
      nextTurn(() => {
        context.engine.runTurn(callback);
      });
    this.#client = new AsyncClient(manager, context);
    this.#context = context;
    this.#held = [];
  }

  /** These clusters come into force with the next `commit`, or never. */
  prepare(clusters: PreparedClusters): void {
    this.#prepared = clusters;
  }

  /** They are in force: calls that waited for them leave. */
  commit(): void {
    this.#prepared = null;
    for (const release of this.#held.splice(0)) release();
  }

  /** They never will be, nor will the plugins that called. */
  abort(): void {
    this.#prepared = null;
    this.#held = [];
  }

  hasCluster(name: string): boolean {
    return this.#manager.getCluster(name) !== undefined || this.#isPrepared(name);
  }

  clusterInfo(name: string): ClusterInfo | null {
    return this.#manager.getCluster(name) ?? null;
  }

  httpCall(request: HttpCallRequest, receiver: HttpCallReceiver): HttpCall | Status {
    const call = new ClusterCall(request, receiver);
    // A cluster of the next version that has another configuration has no hosts yet.
    if (this.#isPrepared(request.cluster)) {
      this.#held.push(() => call.release(this.#client));
      return call;
    }
    if (this.#hasFilters(request.cluster)) {
      this.#nextTurn(() => call.release(this.#client));
      return call;
    }
    return call.start(this.#client) ? call : Status.InternalFailure;
  }

  grpcStream(request: GrpcRequest, receiver: GrpcReceiver): GrpcStream | Status {
    const stream = new GrpcCallout(this.#context, request, receiver, this.#nextTurn);
    const start = (): void => {
      const cluster = this.#manager.getCluster(request.cluster);
      if (cluster !== undefined) this.#client.countStream();
      stream.start(cluster);
    };
    if (this.#isPrepared(request.cluster)) this.#held.push(start);
    else if (this.#hasFilters(request.cluster)) this.#nextTurn(start);
    else {
      start();
      if (stream.isOver) return Status.InternalFailure;
    }
    stream.isTold = true;
    return stream;
  }

  /** They may be guests of the very VM that calls: not in the middle of a hostcall. */
  #hasFilters(name: string): boolean {
    const filters = this.#manager.getCluster(name)?.filters ?? null;
    return filters !== null;
  }

  #isPrepared(name: string): boolean {
    const next = this.#prepared?.clusters.get(name);
    return next !== undefined && next !== this.#manager.getCluster(name);
  }
}

/** One call, from the guest's wish to its answer. */
class ClusterCall implements HttpCall, AsyncCallbacks {
  readonly #request: HttpCallRequest;
  readonly #receiver: HttpCallReceiver;
  #call: AsyncCall | null = null;
  #isStarting: boolean = false;
  #isOver: boolean = false;

  constructor(request: HttpCallRequest, receiver: HttpCallReceiver) {
    this.#request = request;
    this.#receiver = receiver;
  }

  /** False when it failed at once: the guest is told by proxy_http_call. */
  start(client: AsyncClient): boolean {
    this.#isStarting = true;
    this.#send(client);
    this.#isStarting = false;
    return !this.#isOver;
  }

  /** For a call that was held: the guest has its token, and gets failures as answers. */
  release(client: AsyncClient): void {
    if (!this.#isOver) this.#send(client);
  }

  #send(client: AsyncClient): void {
    const { cluster, headers, body, trailers, timeoutMs } = this.#request;
    this.#call = client.send(cluster, headers, body, trailers, timeoutMs, this);
  }

  cancel(): void {
    this.#isOver = true;
    this.#call?.cancel();
  }

  onSuccess(headers: HeaderMap, body: Buffer, trailers: HeaderMap | null): void {
    this.#isOver = true;
    this.#receiver.onResponse(headers, body, trailers);
  }

  /** As Envoy: what would be the answer to a proxied request is the guest's answer. */
  onFailure(failure: AsyncFailure, message: string): void {
    this.#isOver = true;
    if (this.#isStarting) return;
    const status = statusOf(failure);
    if (status === 0) {
      this.#receiver.onReset();
      return;
    }
    const body = Buffer.from(message, "latin1");
    this.#receiver.onResponse(replyHeaders(status, body.length, null), body, null);
  }
}

/** 0 = there is no answer. */
function statusOf(failure: AsyncFailure): number {
  switch (failure) {
    case AsyncFailure.NoHealthyUpstream:
    case AsyncFailure.Overflow:
    case AsyncFailure.ConnectionFailure:
    case AsyncFailure.Reset:
      return 503;
    case AsyncFailure.ProtocolError:
      return 502;
    case AsyncFailure.Timeout:
      return 504;
    case AsyncFailure.NoCluster:
    case AsyncFailure.BodyTooLarge:
    case AsyncFailure.Interrupted:
      return 0;
  }
}

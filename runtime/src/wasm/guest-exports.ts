// The functions of one instance that the host calls, looked up once; null = no need to call.
import { findCallback } from "proxy-wasm-types";
import type { CallObserver } from "./call-observer.ts";
import type { CompiledModule } from "./compiled-module.ts";
import { markFunction } from "./guest-mark.ts";

/** An exported function. Results and parameters beyond its own are dropped by the engine. */
export interface GuestFunction {
  (a: number, b: number, c: number, d: number, e: number): unknown;
  /** Which callback it is, as guest-mark.ts has it; 0 = several. Set on all that are entered. */
  mark?: number;
}

/**
 * Beside the action in the answer of a brief callback: the guest keeps the context, and wants all
 * other callbacks of the stream. Without it the stream is over for the guest.
 */
export const BRIEF_KEPT = 256;

/** What a callback answers when nobody calls it. */
const CONTINUE = 0;
const TRUE = 1;

/** Names whose absence is the same as an answer of 1. */
const truths: ReadonlySet<string> = new Set([
  "proxy_on_vm_start",
  "proxy_on_configure",
  "proxy_on_done",
]);

export class GuestExports {
  readonly malloc: GuestFunction | null;
  readonly start: GuestFunction | null;
  readonly initialize: GuestFunction | null;
  readonly main: GuestFunction | null;
  readonly mainVoid: GuestFunction | null;
  readonly command: GuestFunction | null;
  readonly onContextCreate: GuestFunction | null;
  readonly onVmStart: GuestFunction | null;
  readonly onConfigure: GuestFunction | null;
  readonly onTick: GuestFunction | null;
  readonly onRequestHeaders: GuestFunction | null;
  readonly onRequestBody: GuestFunction | null;
  readonly onRequestTrailers: GuestFunction | null;
  readonly onResponseHeaders: GuestFunction | null;
  readonly onResponseBody: GuestFunction | null;
  readonly onResponseTrailers: GuestFunction | null;
  readonly onNewConnection: GuestFunction | null;
  readonly onDownstreamData: GuestFunction | null;
  readonly onDownstreamConnectionClose: GuestFunction | null;
  readonly onUpstreamData: GuestFunction | null;
  readonly onUpstreamConnectionClose: GuestFunction | null;
  readonly onHttpCallResponse: GuestFunction | null;
  readonly onGrpcInitialMetadata: GuestFunction | null;
  readonly onGrpcReceive: GuestFunction | null;
  readonly onGrpcTrailingMetadata: GuestFunction | null;
  readonly onGrpcClose: GuestFunction | null;
  readonly onQueueReady: GuestFunction | null;
  readonly onDone: GuestFunction | null;
  readonly onLog: GuestFunction | null;
  readonly onDelete: GuestFunction | null;
  /**
   * In the place of onRequestHeaders and onResponseHeaders, with the root context's id behind the
   * context's; the first of a stream is its onContextCreate, too. See BRIEF_KEPT.
   */
  readonly briefRequestHeaders: GuestFunction | null;
  readonly briefResponseHeaders: GuestFunction | null;

  /**
   * `allowed` null = every callback; otherwise the names that may be called. The last observer is
   * the outermost.
   */
  constructor(
    instance: WebAssembly.Instance,
    module: CompiledModule,
    allowed: ReadonlySet<string> | null,
    observers: readonly CallObserver[],
  ) {
    const untraced = (name: string): GuestFunction | null => {
      const found = instance.exports[name];
      if (typeof found !== "function") return null;
      markFunction(found as GuestFunction, name);
      return found as GuestFunction;
    };
    const plain = (name: string): GuestFunction | null => {
      const found = untraced(name);
      if (found === null) return null;
      return observers.reduce((inner, observer) => observer.callback(name, inner), found);
    };
    const callback = (name: string): GuestFunction | null => {
      if (allowed !== null && !allowed.has(name)) return null;
      if (findCallback(name, module.abiVersion) === undefined) return null;
      const constant = module.trivialCallbacks.get(name);
      // A constant that is the default answer, or an answer that nobody uses, needs no call.
      const hasAnswer = (findCallback(name, module.abiVersion)?.results.length ?? 0) > 0;
      const byDefault = truths.has(name) ? TRUE : CONTINUE;
      const isSkipped = observers.length === 0 && constant !== undefined;
      if (isSkipped && (!hasAnswer || constant === byDefault)) return null;
      return plain(name);
    };
    // Runs inside of hostcalls, for most of them.
    this.malloc = untraced("malloc") ?? untraced("proxy_on_memory_allocate");
    this.start = module.startExport === null ? null : plain(module.startExport);
    this.initialize = plain("_initialize");
    this.main = plain("main");
    this.mainVoid = plain("__main_void");
    this.command = plain("_start");
    this.onContextCreate = callback("proxy_on_context_create");
    this.onVmStart = callback("proxy_on_vm_start");
    this.onConfigure = callback("proxy_on_configure");
    this.onTick = callback("proxy_on_tick");
    this.onRequestHeaders = callback("proxy_on_request_headers");
    this.onRequestBody = callback("proxy_on_request_body");
    this.onRequestTrailers = callback("proxy_on_request_trailers");
    this.onResponseHeaders = callback("proxy_on_response_headers");
    this.onResponseBody = callback("proxy_on_response_body");
    this.onResponseTrailers = callback("proxy_on_response_trailers");
    this.onNewConnection = callback("proxy_on_new_connection");
    this.onDownstreamData = callback("proxy_on_downstream_data");
    this.onDownstreamConnectionClose = callback("proxy_on_downstream_connection_close");
    this.onUpstreamData = callback("proxy_on_upstream_data");
    this.onUpstreamConnectionClose = callback("proxy_on_upstream_connection_close");
    this.onHttpCallResponse = callback("proxy_on_http_call_response");
    this.onGrpcInitialMetadata = callback("proxy_on_grpc_receive_initial_metadata");
    this.onGrpcReceive = callback("proxy_on_grpc_receive");
    this.onGrpcTrailingMetadata = callback("proxy_on_grpc_receive_trailing_metadata");
    this.onGrpcClose = callback("proxy_on_grpc_close");
    this.onQueueReady = callback("proxy_on_queue_ready");
    this.onDone = callback("proxy_on_done");
    this.onLog = callback("proxy_on_log");
    this.onDelete = callback("proxy_on_delete");
    // Who looks on, or allows some callbacks only, is to see the usual ones.
    const seen = observers.length === 0 && allowed === null ? instance : null;
    this.briefRequestHeaders = briefOf(seen, "request");
    const onRequest = this.onRequestHeaders ?? this.onRequestBody ?? this.onRequestTrailers;
    // A stream that began in the usual way goes on in it.
    const beginsBriefly = this.briefRequestHeaders !== null || onRequest === null;
    this.briefResponseHeaders = beginsBriefly ? briefOf(seen, "response") : null;
  }
}

function briefOf(instance: WebAssembly.Instance | null, direction: string): GuestFunction | null {
  const found = instance?.exports[`headgate_${direction}_headers`];
  if (typeof found !== "function") return null;
  markFunction(found as GuestFunction, `proxy_on_${direction}_headers`);
  return found as GuestFunction;
}

// What an author derives from: a plugin, and the filters of its streams. The callbacks in exports/
// find these objects by their context id and call the hooks.
import {
  Action,
  GrpcStatus,
  PeerType,
  proxy_close_stream,
  proxy_done,
  proxy_set_tick_period_milliseconds,
  StreamType,
} from "./abi";
import { Body } from "./body";
import { Configuration, NoConfig } from "./configuration";
import { GrpcCall } from "./grpc-call";
import { HeaderMap, RequestHeaders, ResponseHeaders } from "./headers";
import { OVER, resumeStream } from "./hook";
import { HttpRequest, HttpResponse, request, response } from "./http";
import { HttpCall } from "./http-call";
import { Entry } from "./id-table";
import { sendLocalReply } from "./local-reply";
import { log } from "./log";
import { isOk } from "./results";
import { decimal } from "./text";
import { encodedLength, encodeUtf8 } from "./utf8";

export enum ContextKind {
  Plugin,
  Http,
  Network,
}

/** What all contexts share. */
export abstract class Context extends Entry {
  /** Set by who makes the context, so that no subclass needs a constructor. */
  kind: ContextKind = ContextKind.Plugin;
  /** Owned by hook.ts: what is held, whether it was answered, whether it is over. */
  state: u32 = 0;
  /** Owned by grpc-pending.ts: address of the first of its calls. */
  grpcCalls: usize = 0;

  /** The host's number for this context; 0 until the host has announced it. */
  get contextId(): u32 {
    return this.id;
  }

  /**
   * Begins an HTTP request to a cluster of the proxy's configuration:
   * `return this.call("auth").get("/check").send(this, (self, res) => ...)`. Needs the export
   * proxy_on_http_call_response.
   */
  call(cluster: string): HttpCall {
    return new HttpCall(this.id, cluster);
  }

  /**
   * Begins gRPC to a cluster, a service by its full name:
   * `this.grpc("users", "pkg.Users", "Get").send(bytes, this, (self, response) => ...)`. Needs the
   * callbacks proxy_on_grpc_receive and proxy_on_grpc_close, for streams the two of metadata as well.
   */
  grpc(cluster: string, service: string, method: string): GrpcCall {
    return new GrpcCall(this.id, cluster, service, method);
  }

  /** The context is about to end. A stream ends whatever the answer; see Plugin for plugins. */
  onDone(): bool {
    return true;
  }

  /** The stream is over and its line of the access log is written; its maps are read-only. */
  onLog(): void {}

  /** The last hook: the object is forgotten after it. */
  onDelete(): void {}
}

/** A plugin without the type of its configuration: what the callbacks know of it. */
export abstract class PluginContext extends Context {
  /** True between a configuration that was accepted and the end. */
  isConfigured: bool = false;
  /** Owned by exports/brief.ts: a filter to take again when its id is 0. */
  spare: HttpContext | null = null;

  /** The VM starts, for each plugin on it; false refuses. Needs the export proxy_on_vm_start. */
  onVmStart(configuration: Configuration): bool {
    return true;
  }

  /** The period given to setTick has passed. */
  onTick(): void {}

  /** An item arrived in a queue that this plugin has opened: pop until it is empty. */
  onQueueReady(queueId: u32): void {}

  /**
   * An answer came for a call that was not made with `call`: late, or made on the bare ABI;
   * `headerCount` 0 means that it failed. Without this hook it is ignored, with a warning.
   */
  onHttpCallResponse(callId: u32, headerCount: u32, bodySize: u32, trailerCount: u32): void {
    log.warn("answer ignored: nobody waits for call " + decimal(callId));
  }

  /** As onHttpCallResponse, for what was not begun with `grpc`. */
  onGrpcReceiveInitialMetadata(callId: u32, entryCount: u32): void {}

  /** As onHttpCallResponse, for what was not begun with `grpc`. */
  onGrpcReceive(callId: u32, messageSize: u32): void {
    log.warn("message ignored: nobody waits for gRPC call " + decimal(callId));
  }

  /** As onHttpCallResponse, for what was not begun with `grpc`. */
  onGrpcReceiveTrailingMetadata(callId: u32, entryCount: u32): void {}

  /** As onHttpCallResponse, for what was not begun with `grpc`. */
  onGrpcClose(callId: u32, status: GrpcStatus): void {
    log.warn("end ignored: nobody waits for gRPC call " + decimal(callId));
  }

  /** Another part of the host calls this plugin; `foreignArguments()` has what it gave along. */
  onForeignFunction(functionId: u32, argumentsSize: u32): void {}

  /** Asks for onTick each `periodMs` milliseconds; 0 stops it. */
  setTick(periodMs: u32): bool {
    return isOk(proxy_set_tick_period_milliseconds(periodMs));
  }

  /** Ends this plugin after its onDone has answered false. */
  finish(): bool {
    return isOk(proxy_done());
  }

  /** Called by the callback: reads the configuration and tells whether it is accepted. */
  abstract acceptConfiguration(configuration: Configuration): bool;

  /** Called by the callback for a new stream; null when this plugin does not filter. */
  abstract openStream(): Context | null;
}

/**
 * One plugin: a root context of the host. `C` is the author's configuration class, made anew by
 * `configure` and then shared, read-only, by all filters of the plugin.
 */
export abstract class Plugin<C = NoConfig> extends PluginContext {
  private current: C | null = null;

  /**
   * Makes the configuration; null, or any error in `source`, refuses it and logs the errors. A
   * @plugin class needs none: its @config class is read for it.
   */
  configure(source: Configuration): C | null {
    return null;
  }

  /** A filter for a new HTTP stream; null (the default) lets the stream pass unseen. */
  createHttpFilter(): HttpFilter<C> | null {
    return null;
  }

  /** A filter for a new TCP connection; asked when there is no HTTP filter. */
  createNetworkFilter(): NetworkFilter<C> | null {
    return null;
  }

  /** A new configuration has just been accepted: the place to set a tick or to make a log line. */
  onConfigured(config: C): void {}

  /** Called by the SDK: `configure` first, then `onConfigured`. Override those. */
  acceptConfiguration(source: Configuration): bool {
    const config = this.configure(source);
    if (!source.accept() || config === null) return false;
    this.current = config;
    this.spare = null;
    this.isConfigured = true;
    this.onConfigured(config);
    return true;
  }

  /** Called by the SDK for each stream. Override `createHttpFilter` or `createNetworkFilter`. */
  openStream(): Context | null {
    const config = this.current;
    if (config === null) return null;
    const filter = this.createHttpFilter();
    if (filter !== null) {
      filter.attach(this, config);
      return filter;
    }
    const connection = this.createNetworkFilter();
    if (connection !== null) connection.attach(this, config);
    return connection;
  }
}

/** The hooks of one HTTP stream, without the type of the configuration. */
export abstract class HttpContext extends Context {
  /** The request; what of it has gone on already, its headers for instance, reads as absent. */
  get request(): HttpRequest {
    return request;
  }

  /** The response; what of it has gone on already reads as absent. */
  get response(): HttpResponse {
    return response;
  }

  /**
   * The request begins. `Action.Continue` lets it go on, with its headers as they are now;
   * `Action.Pause` stops it, and its body, until `continueRequest`, the answer of a call, or `respond`.
   * `endOfStream`: there is no body and there are no trailers.
   */
  onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    return Action.Continue;
  }

  /**
   * A piece of the body came. `Action.Continue` sends it on; `Action.Pause` keeps it in the proxy, and
   * the next call shows all that came so far. The last piece may be empty, and when trailers follow,
   * no piece is the last: their hook is the end then.
   */
  onRequestBody(body: Body, endOfStream: bool): Action {
    return Action.Continue;
  }

  /**
   * Bytes of a request's body that onFullRequestBody takes; 0, the default: it is not collected.
   * Asked after onRequestHeaders, and then for each piece.
   */
  requestBodyMax(): u32 {
    return 0;
  }

  /**
   * The whole body, when requestBodyMax is not 0 and there is one. The headers have gone on before it,
   * unless their hook has paused and the plugin has allow_on_headers_stop_iteration. `Action.Continue` sends it on as it
   * is now; `Action.Pause` keeps it until the request is resumed, and skips onRequestTrailers. Needs
   * the callbacks of the request from `exports/bodies`. While it is collected onRequestBody is
   * not called. The proxy keeps the bytes: a limit of its own (Envoy: per_connection_buffer_limit_bytes,
   * 1 MiB) answers 413 before this one does when it is smaller.
   */
  onFullRequestBody(body: Body): Action {
    return Action.Continue;
  }

  /**
   * Whether onFullRequestBody never changes the number of bytes. False, the default, takes
   * content-length away, because the headers go on before the body is there: over HTTP/1 the body is
   * then sent in chunks.
   */
  keepsRequestLength(): bool {
    return false;
  }

  /**
   * The body has more bytes than requestBodyMax, told by content-length already in the hook of the
   * headers. The default answers 413. `Action.Continue` lets it pass uncollected.
   */
  onRequestBodyTooLarge(): Action {
    return this.respond(413, "request body too large", null, "request_body_too_large");
  }

  /** The request ends with trailers. `Action.Pause` keeps them, and what was kept before. */
  onRequestTrailers(trailers: HeaderMap): Action {
    return Action.Continue;
  }

  /**
   * The response begins: of an upstream, or of the proxy itself, such as that of `respond`. Else as
   * onRequestHeaders, with continueResponse. What is needed of the request must have been kept: its
   * headers read as absent here.
   */
  onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** As onRequestBody. */
  onResponseBody(body: Body, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** As requestBodyMax. */
  responseBodyMax(): u32 {
    return 0;
  }

  /**
   * As onFullRequestBody. What the proxy's own limit cuts off (Envoy: of the listener's buffer, 1 MiB)
   * ends the response in the middle, because its headers are out.
   */
  onFullResponseBody(body: Body): Action {
    return Action.Continue;
  }

  /** As keepsRequestLength. */
  keepsResponseLength(): bool {
    return false;
  }

  /**
   * As onRequestBodyTooLarge. The default answers 500; when the headers are out, because there was no
   * content-length, the host resets the stream instead.
   */
  onResponseBodyTooLarge(): Action {
    return this.respond(500, "response body too large", null, "response_body_too_large");
  }

  /** As onRequestTrailers. */
  onResponseTrailers(trailers: HeaderMap): Action {
    return Action.Continue;
  }

  /**
   * Whether hooks behind this one, of the request's headers or of the response's, have anything to do
   * for this stream. For who exports `exports/brief` by hand and has several hooks: Headgate makes no
   * other call for a stream that does not stay. Other hosts do not ask, and call all of them.
   */
  stays(after: StreamType): bool {
    return false;
  }

  /**
   * Answers the request from here and returns what the hook must return. `headers` is flat, [name,
   * value, ...]; `details` goes to the access log. A status outside 200..599 is sent as 500. Once
   * response headers are on their way the host resets the stream instead.
   */
  respond(
    status: u32,
    body: string = "",
    headers: string[] | null = null,
    details: string = "",
    grpcStatus: i32 = -1,
  ): Action {
    const start = encodeUtf8(body);
    sendLocalReply(this, status, start, encodedLength(), headers, grpcStatus, details);
    return Action.Pause;
  }

  /** As `respond`, with a body of bytes. */
  respondBytes(
    status: u32,
    body: Uint8Array,
    headers: string[] | null = null,
    details: string = "",
    grpcStatus: i32 = -1,
  ): Action {
    sendLocalReply(this, status, body.dataStart, body.length, headers, grpcStatus, details);
    return Action.Pause;
  }

  /**
   * Resumes a request that a hook has paused; its maps and body are out of reach from here on. False,
   * and nothing happens, when it is not paused. In the hook itself return `Action.Continue` instead.
   */
  continueRequest(): bool {
    return resumeStream(this, StreamType.HttpRequest);
  }

  /** The same for a response. */
  continueResponse(): bool {
    return resumeStream(this, StreamType.HttpResponse);
  }

  /** Resets the stream, after the hook that runs. Nothing happens, and false, when it is over. */
  reset(): bool {
    return (this.state & OVER) == 0 && isOk(proxy_close_stream(StreamType.HttpRequest));
  }
}

/** One HTTP stream. Override the hooks, and export the callback of each that is overridden. */
export abstract class HttpFilter<C = NoConfig> extends HttpContext {
  private owner: Plugin<C> | null = null;
  private settings: C | null = null;

  /** The configuration that was in force when the stream began. Not there in the constructor. */
  get config(): C {
    return this.settings!;
  }

  /** The plugin of this stream. Not there in the constructor. */
  get plugin(): Plugin<C> {
    return this.owner!;
  }

  /** Called by the plugin that made the filter. */
  attach(owner: Plugin<C>, config: C): void {
    this.kind = ContextKind.Http;
    // Without the collector's barrier: the filter is new, and so not yet looked at.
    const at = changetype<usize>(this);
    store<usize>(at, changetype<usize>(owner), offsetof<HttpFilter<C>>("owner"));
    store<usize>(at, changetype<usize>(config), offsetof<HttpFilter<C>>("settings"));
  }
}

/** The hooks of one TCP connection, without the type of the configuration. */
export abstract class NetworkContext extends Context {
  /**
   * A client has connected. `Action.Pause` keeps the connection from the next filter, and so from the
   * upstream, until `continueDownstream` or the answer of a call. What the client sends meanwhile still
   * comes to onDownstreamData, which has to pause as well.
   */
  onNewConnection(): Action {
    return Action.Continue;
  }

  /**
   * Bytes of the client, which may be changed. `Action.Continue` sends them on; `Action.Pause` keeps
   * them, and the next call shows them with what came since. When something else resumes the
   * connection they go on as they are, and are not shown again.
   */
  onDownstreamData(data: Body, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** Bytes of the upstream, as above; but Envoy resumes them only with the next bytes. */
  onUpstreamData(data: Body, endOfStream: bool): Action {
    return Action.Continue;
  }

  /** The client's connection is over; `peer` tells which side has closed it. */
  onDownstreamClose(peer: PeerType): void {}

  /** The upstream's connection is over. */
  onUpstreamClose(peer: PeerType): void {}

  /** Resumes a connection that a hook has paused; false when none has. */
  continueDownstream(): bool {
    return resumeStream(this, StreamType.Downstream);
  }

  /** Closes the connection to downstream when the hook has returned, after what was written to it. */
  close(): bool {
    return isOk(proxy_close_stream(StreamType.Downstream));
  }
}

/** One TCP connection. Override the hooks, and export the callback of each that is overridden. */
export abstract class NetworkFilter<C = NoConfig> extends NetworkContext {
  private owner: Plugin<C> | null = null;
  private settings: C | null = null;

  /**
   * The configuration that was in force when the connection began. Not there in the constructor.
   */
  get config(): C {
    return this.settings!;
  }

  /** The plugin of this connection. Not there in the constructor. */
  get plugin(): Plugin<C> {
    return this.owner!;
  }

  /** Called by the plugin that made the filter. */
  attach(owner: Plugin<C>, config: C): void {
    this.kind = ContextKind.Network;
    this.owner = owner;
    this.settings = config;
  }
}

// HTTP requests to a cluster, made by filters and plugins: `this.call("auth").get("/check").send(...)`.
// The answer comes to a callback; the callback in exports/plugin.ts brings it here.
import { Action, BufferType, MapType, proxy_get_status, proxy_http_call } from "./abi";
import { Body } from "./body";
import { utf8Bytes } from "./bytes";
import { HeaderMap, ResponseHeaders } from "./headers";
import { IdTable } from "./id-table";
import { log } from "./log";
import { encodedPairsLength, encodePairs, isPairLeftOut } from "./pairs";
import { failLater, PendingCall, pendingCallsMax } from "./pending-call";
import { isOk, lastStatus, OUT, resultText } from "./results";
import { decimal } from "./text";
import { encodedLength, encodeUtf8 } from "./utf8";

const TIMEOUT_MS: u32 = 5000;
/** The host refuses 2^31 and more. */
const TIMEOUT_MS_MAX: u32 = 0x7fffffff;
/** Headers of a response that the proxy made up: `:status`, content-length, content-type. */
const MADE_UP_HEADERS: u32 = 3;

/** Why there is no answer of the upstream. */
export enum CallFailure {
  /** There is one. */
  None,
  /** The host did not take the call: no such cluster, an unusable header, too many calls. */
  Refused,
  /** No answer in time. */
  Timeout,
  /** No connection, no healthy host, or the cluster's circuit breaker. */
  Unavailable,
  /** The connection broke in the middle of the answer. */
  Reset,
}

/** The answer to an HTTP call. It can be read until the callback that gets it returns. */
export class HttpCallResponse {
  /** Why there is no answer; `CallFailure.None` when there is one. */
  failure: CallFailure = CallFailure.Refused;
  private readonly buffer: Body = new Body(BufferType.HttpCallResponseBody);

  /**
   * Whether the upstream has answered, with any status. False when the call timed out, was reset,
   * found no host or no cluster, or was refused. Envoy tells some of these as a response of its own
   * with status 503 or 504: those are told from an upstream's by their headers, because a proxy adds
   * `x-envoy-upstream-service-time` to what came from an upstream.
   */
  get ok(): bool {
    return this.failure == CallFailure.None;
  }

  /** Status code; of a timeout 504 and of no connection 503, where the proxy says so; else 0. */
  get status(): u32 {
    return this.headers.status;
  }

  /** Headers, read-only. */
  get headers(): ResponseHeaders {
    return callHeaders;
  }

  /** Trailers, read-only. */
  get trailers(): HeaderMap {
    return callTrailers;
  }

  /** The first value of a header; null when there is none. */
  header(name: string): string | null {
    return this.headers.get(name);
  }

  /** The whole body, read-only. */
  get body(): Body {
    return this.buffer;
  }

  /** The whole body as UTF-8 text; "" when there is none. */
  text(): string {
    const text = this.buffer.text();
    return text === null ? "" : text;
  }

  /** A copy of the whole body; empty when there is none. */
  bytes(): Uint8Array {
    const bytes = this.buffer.bytes();
    return bytes === null ? new Uint8Array(0) : bytes;
  }

  /** A reason for the log, when `ok` is false. */
  reason(): string {
    if (this.failure == CallFailure.Refused) return "refused by the host";
    if (this.failure != CallFailure.Reset) return this.text();
    return isOk(proxy_get_status(OUT + 8, OUT, OUT + 4)) ? resultText() : "";
  }

  /** Called before the callback: what came. */
  show(failure: CallFailure, bodySize: u32): void {
    this.failure = failure;
    this.buffer.show(bodySize);
  }
}

// @ts-ignore: decorator
@lazy const callHeaders: ResponseHeaders = new ResponseHeaders(MapType.HttpCallResponseHeaders);
// @ts-ignore: decorator
@lazy const callTrailers: HeaderMap = new HeaderMap(MapType.HttpCallResponseTrailers);
// @ts-ignore: decorator
@lazy const response: HttpCallResponse = new HttpCallResponse();
// @ts-ignore: decorator
@lazy const waiting: IdTable = changetype<IdTable>(memory.data(12, 4));

abstract class PendingHttpCall extends PendingCall {}

class HttpCallBack<T> extends PendingHttpCall {
  constructor(
    contextId: u32,
    private readonly self: T,
    private readonly callback: (self: T, response: HttpCallResponse) => Action,
  ) {
    super(contextId);
  }

  protected run(): Action {
    return this.callback(this.self, response);
  }
}

/**
 * A request that is being put together. Each method gives the request itself; `send` sends it.
 * Without more it is a GET of `/`, with the cluster's name as authority and 5 s of time.
 */
export class HttpCall {
  private method: string = "GET";
  private path: string = "/";
  private host: string = "";
  private readonly headers: string[] = [];
  private trailers: string[] | null = null;
  private content: Uint8Array | null = null;
  private timeoutMs: u32 = TIMEOUT_MS;

  /** `contextId`: of the filter or plugin that the answer is for. */
  constructor(
    private readonly contextId: u32,
    private readonly cluster: string,
  ) {}

  /** A GET of a path with query. */
  get(path: string): this {
    return this.request("GET", path);
  }

  /** A POST to a path; the body is UTF-8, "" for none. */
  post(path: string, body: string): this {
    return this.request("POST", path).text(body);
  }

  /** Any method. */
  request(method: string, path: string): this {
    this.method = method;
    this.path = path;
    return this;
  }

  /** Host, with a port where it is needed: the cluster's name when nothing is said. */
  authority(host: string): this {
    this.host = host;
    return this;
  }

  /**
   * Adds a header. With a name or value that cannot be sent (CR, LF, NUL) the call is refused: better
   * than to send it without.
   */
  header(name: string, value: string): this {
    this.headers.push(name);
    this.headers.push(value);
    return this;
  }

  /** Adds a trailer; else as `header`. */
  trailer(name: string, value: string): this {
    let list = this.trailers;
    if (list === null) {
      list = [];
      this.trailers = list;
    }
    list.push(name);
    list.push(value);
    return this;
  }

  /** The body; the proxy sets content-length. */
  bytes(body: Uint8Array): this {
    this.content = body;
    return this;
  }

  /** The body as UTF-8. */
  text(body: string): this {
    return this.bytes(utf8Bytes(body));
  }

  /** Milliseconds until it fails, from 1 on; 5000 when nothing is said. */
  timeout(ms: u32): this {
    this.timeoutMs = max(1, min(ms, TIMEOUT_MS_MAX));
    return this;
  }

  /**
   * Sends the request. `callback` is called exactly once, with `self` and the answer, unless the
   * stream of the filter ends before: after this hook has returned, also when the host refused the
   * call at once. All that goes wrong comes there too, with `ok` false.
   *
   * Returns `Action.Pause`, for the hook to return: then what the callback returns decides about the
   * stream. `Action.Continue` resumes it, `Action.Pause` leaves it waiting (for another call, or
   * because it was answered with `respond`). A hook may as well return Continue, and not wait: then
   * the callback's answer means nothing. For a plugin it never means anything.
   *
   * The callback is a plain function without captured variables: what it needs is in `self`.
   */
  send<T>(self: T, callback: (self: T, response: HttpCallResponse) => Action): Action {
    const call = new HttpCallBack<T>(this.contextId, self, callback);
    if (this.start()) {
      call.id = load<u32>(OUT);
      waiting.add(changetype<usize>(call));
    } else {
      failLater(call);
    }
    return Action.Pause;
  }

  private start(): bool {
    if (waiting.length >= pendingCallsMax()) {
      log.error("call to " + this.cluster + " refused: too many wait for their answers");
      return false;
    }
    const pairs = this.encodeHeaders();
    const pairsLength = encodedPairsLength();
    if (isPairLeftOut() || pairs == 0) return false;
    const list = this.trailers;
    const trailers: usize = list === null ? 0 : encodePairs(list);
    const trailersLength = list === null ? 0 : encodedPairsLength();
    if (list !== null && isPairLeftOut()) return false;
    const cluster = encodeUtf8(this.cluster);
    const clusterLength = encodedLength();
    const body = this.content;
    const isTaken = isOk(
      proxy_http_call(
        cluster,
        clusterLength,
        pairs,
        pairsLength,
        body === null ? 0 : body.dataStart,
        body === null ? 0 : body.length,
        trailers,
        trailersLength,
        this.timeoutMs,
        OUT,
      ),
    );
    if (!isTaken) log.warn("call to " + this.cluster + " refused: status " + decimal(lastStatus()));
    return isTaken;
  }

  private encodeHeaders(): usize {
    const host = this.host.length == 0 ? this.cluster : this.host;
    const first = [":method", this.method, ":path", this.path, ":authority", host];
    return encodePairs(first.concat(this.headers));
  }
}

/** Called by the callback: an answer came; false when nobody waits for it. */
export function answerHttpCall(callId: u32, headerCount: u32, bodySize: u32): bool {
  const call = changetype<PendingCall | null>(waiting.take(callId));
  if (call === null) return false;
  response.show(failureOf(headerCount), bodySize);
  call.complete();
  response.show(CallFailure.Refused, 0);
  return true;
}

/** What Envoy 1.40 makes up for a timeout or no connection, see HttpCallResponse.ok. */
function failureOf(headerCount: u32): CallFailure {
  if (headerCount == 0) return CallFailure.Reset;
  if (headerCount != MADE_UP_HEADERS) return CallFailure.None;
  const code = callHeaders.status;
  if (code < 502 || code > 504) return CallFailure.None;
  if (!callHeaders.equals("content-type", "text/plain")) return CallFailure.None;
  if (!callHeaders.has("content-length")) return CallFailure.None;
  return code == 504 ? CallFailure.Timeout : CallFailure.Unavailable;
}

// A guest for tests of gRPC: the path says what is called.
import {
  Action,
  Configuration,
  GrpcResponse,
  GrpcStatus,
  GrpcStream,
  HeaderMap,
  HttpFilter,
  log,
  Plugin,
  registerPlugin,
  RequestHeaders,
  utf8Bytes,
  utf8Text,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export { proxy_on_request_headers } from "@headgate/sdk-assemblyscript/exports/http";
export {
  proxy_on_grpc_close,
  proxy_on_grpc_receive,
  proxy_on_grpc_receive_initial_metadata,
  proxy_on_grpc_receive_trailing_metadata,
  proxy_on_tick,
} from "@headgate/sdk-assemblyscript/exports/plugin";

class Config {}

class Grpc extends Plugin<Config> {
  override configure(source: Configuration): Config | null {
    if (source.text() == "tick") this.setTick(100);
    return new Config();
  }

  override createHttpFilter(): HttpFilter<Config> | null {
    return new GrpcFilter();
  }

  override onTick(): void {
    this.setTick(0);
    this.grpc("users", "a.B", "Tick").send(utf8Bytes("tick"), this, (self, response) => {
      log.info(`tick ${response.ok} ${utf8Text(response.bytes())}`);
      return Action.Continue;
    });
  }
}

class Watch extends GrpcStream {
  constructor(private readonly filter: GrpcFilter) {
    super(filter.contextId);
  }

  override onInitialMetadata(metadata: HeaderMap): void {
    const value = metadata.get("x-init");
    log.info("initial " + (value === null ? "-" : value));
  }

  override onMessage(message: Uint8Array): void {
    this.filter.request.headers.add("x-message", utf8Text(message));
  }

  override onTrailingMetadata(metadata: HeaderMap): void {
    const value = metadata.get("x-sum");
    log.info("trailing " + (value === null ? "-" : value));
  }

  override onClose(status: GrpcStatus, message: string): void {
    log.info(`closed ${<i32>status} ${message} ${this.isOpen} ${this.send(new Uint8Array(0))}`);
    this.filter.continueRequest();
  }
}

class GrpcFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const path = headers.path;
    if (path == "/stream") return this.stream("users");
    if (path == "/nostream") return this.stream("nowhere");
    if (path == "/cancel") return this.cancel();
    if (path == "/silent") return this.stream("silent");
    if (path == "/bad") {
      const call = this.grpc("users", "a.B", "Get").metadata("x-a", "b\nc");
      return call.send(new Uint8Array(0), this, told);
    }
    if (path == "/through") {
      const call = this.grpc("", "a.B", "Get").through(utf8Bytes("proto"));
      return call.send(utf8Bytes("x"), this, told);
    }
    return this.grpc(path.substring(1), "a.B", "Get")
      .metadata("X-M", "1")
      .metadata("x-m", "2")
      .timeout(3000)
      .send(utf8Bytes("pïng"), this, told);
  }

  private stream(cluster: string): Action {
    const watch = new Watch(this);
    this.grpc(cluster, "a.B", "Watch").metadata("x-m", "1").open(watch);
    watch.send(utf8Bytes("one"));
    watch.send(utf8Bytes("two"), false);
    watch.finish();
    return Action.Pause;
  }

  private cancel(): Action {
    const first = new Watch(this);
    const second = new Watch(this);
    this.grpc("users", "a.B", "Watch").open(first);
    this.grpc("users", "a.B", "Watch").open(second);
    const text = `${first.cancel()} ${first.cancel()} ${first.finish()} ${second.isOpen}`;
    return this.respond(200, text);
  }
}

function told(self: GrpcFilter, response: GrpcResponse): Action {
  if (response.ok) {
    self.request.headers.set("x-answer", utf8Text(response.bytes()));
    return Action.Continue;
  }
  const size = response.bytes().length;
  return self.respond(503, `${<i32>response.status} ${response.message} ${size}`);
}

registerPlugin("", () => new Grpc());

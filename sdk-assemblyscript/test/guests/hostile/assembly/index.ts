// A guest for the fuzzer: gives whatever comes (headers, bodies, trailers, configuration, answers of
// calls) to every part of the API, as name, value, key, cluster and text. Nothing of it may trap.
import {
  Action,
  asciiLower,
  Body,
  callForeign,
  Configuration,
  counter,
  counters,
  decimal,
  foreignArguments,
  Gather,
  gauge,
  GrpcStatus,
  GrpcStream,
  HeaderMap,
  HttpCallResponse,
  HttpFilter,
  lastStatus,
  log,
  LogLevel,
  NetworkFilter,
  PeerType,
  Plugin,
  property,
  Queue,
  registerPlugin,
  RequestHeaders,
  ResponseHeaders,
  shared,
  SharedCounter,
  utf8Bytes,
  utf8Text,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export * from "@headgate/sdk-assemblyscript/exports/bodies";
export * from "@headgate/sdk-assemblyscript/exports/network";
export * from "@headgate/sdk-assemblyscript/exports/plugin";

const seen = counters("hostile.seen", ["what"], 8);
const live = gauge("hostile.live");
const sum = counter("hostile.sum");

class Config {
  isWhole: bool = false;
}

class Hostile extends Plugin<Config> {
  override onVmStart(source: Configuration): bool {
    log.debug(source.text());
    return true;
  }

  override configure(source: Configuration): Config | null {
    const config = new Config();
    if (source.text() == "tcp") return config;
    const root = source.json();
    let text = root.string("name", "none") + root.u32("count", 7, 1, 1000).toString();
    text += root.i64("offset", -1).toString() + root.f64("ratio", 0.5).toString();
    config.isWhole = root.bool("whole", true);
    const names = root.keys();
    for (let i = 0; i < names.length; i++) {
      text += root.string(names[i]);
      const nested = root.object(names[i]);
      if (nested !== null) text += nested.pointer + nested.keys().join();
      const list = root.array(names[i]);
      if (list === null) continue;
      for (let j = 0; j <= list.length; j++) text += list.string(j) + list.i64(j).toString();
    }
    log.debug(text);
    this.setTick(10);
    return config;
  }

  override createHttpFilter(): HttpFilter<Config> | null {
    return this.isTcp ? null : new HostileFilter();
  }

  override createNetworkFilter(): NetworkFilter<Config> | null {
    return new HostileConnection();
  }

  isTcp: bool = false;

  override onConfigured(config: Config): void {
    this.isTcp = property("plugin_root_id").text() == "tcp";
  }

  override onTick(): void {
    this.call("up").get("/tick").send(this, (self, response) => {
      use(response.text());
      return Action.Continue;
    });
  }

  override onQueueReady(queueId: u32): void {
    const item = new Queue(queueId).pop();
    if (item !== null) use(utf8Text(item));
  }

  override onForeignFunction(functionId: u32, argumentsSize: u32): void {
    const bytes = foreignArguments();
    if (bytes !== null) use(utf8Text(bytes));
  }
}

class Talk extends GrpcStream {
  override onInitialMetadata(metadata: HeaderMap): void {
    readMap(metadata);
  }

  override onMessage(message: Uint8Array): void {
    use(utf8Text(message));
    this.send(message, message.length > 3);
  }

  override onTrailingMetadata(metadata: HeaderMap): void {
    readMap(metadata);
    if (metadata.has("x-cancel")) this.cancel();
  }

  override onClose(status: GrpcStatus, message: string): void {
    use(message);
  }
}

class HostileFilter extends HttpFilter<Config> {
  override requestBodyMax(): u32 {
    return this.config.isWhole ? 64 : 0;
  }

  override responseBodyMax(): u32 {
    return this.config.isWhole ? 64 : 0;
  }

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    live.add(1);
    readMap(headers);
    use(headers.path + headers.method + headers.authority + headers.scheme);
    const value = orEmpty(headers.get("x-value"));
    use(value);
    changeMap(headers, value);
    const mode = headers.get("x-mode");
    if (mode !== null) return this.act(mode, value);
    if (headers.has("x-path")) headers.path = orEmpty(headers.get("x-path"));
    return Action.Continue;
  }

  private act(mode: string, value: string): Action {
    const length = value.length;
    if (mode.startsWith("r")) {
      return this.respond(length * 37, value, [value, value, "x-a", value], value, length);
    }
    if (mode.startsWith("c")) {
      return this.call(mode == "c" ? "up" : value)
        .request(value, value)
        .authority(value)
        .header("x-" + asciiLower(value.substring(0, 3)), value)
        .header("x-b", value)
        .text(value)
        .trailer("x-t", value)
        .timeout(length * 1000)
        .send(this, (self, response) => self.answered(response));
    }
    if (mode.startsWith("g")) {
      const all = new Gather();
      for (let i = 0; i < length % 4; i++) all.add(this.call(i == 2 ? value : "up"));
      return all.send(this, (self, answers) => {
        for (let i = 0; i < answers.length; i++) use(answers[i].text() + orEmpty(answers[i].header("x-a")));
        return Action.Continue;
      });
    }
    if (mode.startsWith("p")) {
      const grpc = this.grpc("up", value, value).metadata("x-a", value).timeout(length);
      return grpc.send(utf8Bytes(value), this, (self, response) => {
        use(response.message + utf8Text(response.bytes()));
        return Action.Continue;
      });
    }
    const talk = new Talk(this.contextId);
    this.grpc(mode == "s" ? "up" : value, value, value).open(talk);
    talk.send(utf8Bytes(value));
    if (length > 3) talk.finish();
    return length > 6 ? Action.Pause : Action.Continue;
  }

  answered(response: HttpCallResponse): Action {
    use(response.text() + response.reason() + decimal(response.status));
    readMap(response.headers);
    readMap(response.trailers);
    const value = orEmpty(response.header("x-value"));
    changeMap(this.request.headers, value);
    use(orEmpty(this.request.body.text()));
    const length = value.length;
    if (length % 5 == 1) return this.respond(response.status, response.text(), [value, value]);
    if (length % 5 == 2) {
      return this.call("up").header("x-a", value).send(this, (self, next) => {
        use(next.text());
        return next.ok ? Action.Continue : self.respond(503);
      });
    }
    if (length % 5 == 3) this.reset();
    if (length % 5 == 4) this.continueRequest();
    return Action.Continue;
  }

  override onRequestBody(body: Body, endOfStream: bool): Action {
    return changeBody(body) && !endOfStream ? Action.Pause : Action.Continue;
  }

  override onFullRequestBody(body: Body): Action {
    changeBody(body);
    return Action.Continue;
  }

  override onRequestTrailers(trailers: HeaderMap): Action {
    readMap(trailers);
    changeMap(trailers, orEmpty(trailers.get("x-value")));
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    readMap(headers);
    use(decimal(headers.status));
    const value = orEmpty(headers.get("x-value"));
    changeMap(headers, value);
    if (value.length % 7 == 3) headers.status = value.length * 91;
    if (value.length % 7 == 4) return this.act("c", value);
    if (value.length % 7 == 5) return this.act("r", value);
    if (value.length % 7 == 6) this.continueResponse();
    return Action.Continue;
  }

  override onResponseBody(body: Body, endOfStream: bool): Action {
    return changeBody(body) && !endOfStream ? Action.Pause : Action.Continue;
  }

  override onFullResponseBody(body: Body): Action {
    changeBody(body);
    return Action.Continue;
  }

  override onResponseTrailers(trailers: HeaderMap): Action {
    readMap(trailers);
    changeMap(trailers, orEmpty(trailers.get("x-value")));
    return Action.Continue;
  }

  override onLog(): void {
    live.add(-1);
    readMap(this.request.headers);
    readMap(this.response.headers);
    this.respond(200);
    this.reset();
    this.continueResponse();
  }
}

class HostileConnection extends NetworkFilter<Config> {
  override onDownstreamData(data: Body, endOfStream: bool): Action {
    return changeBody(data) && !endOfStream ? Action.Pause : Action.Continue;
  }

  override onUpstreamData(data: Body, endOfStream: bool): Action {
    changeBody(data);
    return Action.Continue;
  }

  override onDownstreamClose(peer: PeerType): void {
    use(decimal(peer));
  }
}

/** As text, key, name and argument of whatever takes some. */
function use(text: string): void {
  sum.increment(text.length);
  seen.with([text]).increment();
  log.kv(LogLevel.Info, text, [text, text, text]);
  const about = property(text, text);
  const found = about.text();
  if (found !== null) log.debug(found);
  log.debug(about.pairs().length.toString() + about.list().length.toString());
  log.debug(about.u64().toString() + about.i64().toString() + about.f64().toString());
  about.setText(text);
  if (text.length > 12) return;
  shared.setText(text, text, text.length & 1);
  shared.update(text, text, (self, before) => (before === null ? null : utf8Bytes(self)));
  new SharedCounter(text).add(text.length);
  const queue = Queue.resolve("jobs", text);
  if (queue !== null) queue.pushText(text);
  callForeign(text, utf8Bytes(text));
  callForeign("uncompress", utf8Bytes(text));
  callForeign("verify_signature", utf8Bytes(text));
  log.debug(decimal(lastStatus()));
}

function readMap(map: HeaderMap): void {
  const pairs = map.pairs();
  for (let i = 0; i < pairs.length; i++) {
    const name = pairs[i].name;
    map.getAll(name);
    map.getBytes(name);
    map.equals(name, pairs[i].value);
    map.equals(pairs[i].value, name);
    map.has(pairs[i].value);
  }
  log.debug(map.keys().join() + decimal(map.length) + decimal(map.byteSize));
  if (map.at(pairs.length) !== null || map.at(-1) !== null) log.error("more than there is");
}

function changeMap(map: HeaderMap, value: string): void {
  map.set("x-set", value);
  map.add(value, value);
  map.remove(value);
  map.setBytes(value, utf8Bytes(value));
  if (value.length % 11 == 10) map.setAll([":path", value, value, value, ":status", value, "odd"]);
}

/** Whether the next piece is to be seen with this one. */
function changeBody(body: Body): bool {
  const text = body.text();
  if (text === null) return false;
  const length = body.length;
  use(text);
  use(orEmpty(body.text(length >> 1)));
  use(orEmpty(body.text(length + 5, 0xffffffff)));
  const bytes = body.bytes(1, 3);
  if (bytes !== null && length % 3 == 1) body.prepend(bytes);
  if (length % 3 == 2) body.appendText(text);
  if (length % 5 == 4) body.replaceText(text.substring(0, 7));
  if (length % 7 == 6) body.clear();
  return length % 2 == 1;
}

function orEmpty(text: string | null): string {
  return text === null ? "" : text;
}

registerPlugin("", () => new Hostile());

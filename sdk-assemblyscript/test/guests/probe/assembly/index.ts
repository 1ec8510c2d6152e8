// A guest for the SDK's tests: every callback exported, each part of the API reachable. What a test
// gives and gets goes through the properties "input" and "output".
import {
  Action,
  asciiLower,
  Body,
  ConfigObject,
  Configuration,
  counter,
  gauge,
  GrpcStatus,
  HeaderMap,
  histogram,
  HttpFilter,
  lastStatus,
  log,
  LogLevel,
  NetworkFilter,
  PeerType,
  Plugin,
  property,
  registerFilter,
  registerPlugin,
  RequestHeaders,
  ResponseHeaders,
} from "@headgate/sdk-assemblyscript";
import { enterCallback, leaveCallback } from "../../../../assembly/memory";
import { encodedLength, encodeUtf8 } from "../../../../assembly/utf8";

export * from "@headgate/sdk-assemblyscript/exports/base";
export * from "@headgate/sdk-assemblyscript/exports/http";
export * from "@headgate/sdk-assemblyscript/exports/network";
export * from "@headgate/sdk-assemblyscript/exports/plugin";

const input = property("input");
const output = property("output");
const requests = counter("probe.requests");
const live = gauge("probe.live");
const sizes = histogram("probe.sizes");

class Config {
  name: string = "";
  summary: string = "";
}

class Probe extends Plugin<Config> {
  override onVmStart(source: Configuration): bool {
    log.info("vm: " + source.text());
    return true;
  }

  override configure(source: Configuration): Config | null {
    const mode = input.text();
    if (mode === null) return readTyped(source);
    if (mode == "text") return readText(source);
    if (mode == "null") return null;
    source.json().ignoreUnread();
    return new Config();
  }

  override onConfigured(config: Config): void {
    output.setText(config.summary);
    this.setTick(250);
  }

  override createHttpFilter(): HttpFilter<Config> | null {
    return input.text() == "tcp" ? null : new ProbeStream();
  }

  override createNetworkFilter(): NetworkFilter<Config> | null {
    return new ProbeConnection();
  }

  override onTick(): void {
    log.info("tick");
  }

  override onQueueReady(queueId: u32): void {
    log.info("queue " + queueId.toString());
  }

  override onHttpCallResponse(callId: u32, headers: u32, body: u32, trailers: u32): void {
    log.info(`call ${callId} ${headers} ${body} ${trailers}`);
  }

  override onGrpcReceiveInitialMetadata(callId: u32, count: u32): void {
    log.info(`grpc initial ${callId} ${count}`);
  }

  override onGrpcReceive(callId: u32, size: u32): void {
    log.info(`grpc message ${callId} ${size}`);
  }

  override onGrpcReceiveTrailingMetadata(callId: u32, count: u32): void {
    log.info(`grpc trailing ${callId} ${count}`);
  }

  override onGrpcClose(callId: u32, status: GrpcStatus): void {
    log.info(`grpc close ${callId} ${<i32>status}`);
  }

  override onForeignFunction(functionId: u32, size: u32): void {
    log.info(`foreign ${functionId} ${size}`);
  }

  override onDone(): bool {
    return input.text() != "not yet";
  }
}

function readText(source: Configuration): Config {
  const config = new Config();
  config.summary = source.text();
  return config;
}

function readTyped(source: Configuration): Config {
  const root = source.json();
  const config = new Config();
  root.required("name");
  config.name = root.string("name", "none");
  let text = config.name;
  text += "|" + root.u32("count", 7, 1, 1000).toString();
  text += "|" + root.i64("offset", -1).toString();
  text += "|" + root.f64("ratio", 0.5).toString();
  text += "|" + root.bool("on", true).toString();
  const nested = root.object("nested");
  if (nested !== null) text += "|" + nested.pointer + nested.string("deep/er~");
  const list = root.array("list");
  if (list !== null) {
    for (let i = 0; i < list.length; i++) text += "|" + list.i64(i).toString();
    if (list.length == 13) list.string(13);
  }
  const routes = root.array("routes");
  if (routes !== null) {
    for (let i = 0; i < routes.length; i++) text += readRoute(routes.object(i));
  }
  const map = root.object("map");
  if (map !== null) {
    const names = map.keys();
    for (let i = 0; i < names.length; i++) text += "|" + names[i] + "=" + map.string(names[i]);
  }
  config.summary = text;
  return config;
}

function readRoute(route: ConfigObject | null): string {
  if (route === null) return "";
  const mode = route.string("mode", "allow");
  if (mode != "allow" && mode != "deny") route.fail("mode", "must be one of allow, deny");
  route.required("prefix");
  return "|" + mode + " " + route.string("prefix");
}

class ProbeStream extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    requests.increment();
    live.add(1);
    sizes.record(headers.length);
    const path = headers.path;
    if (path == "/read") return readHeaders(headers);
    if (path == "/change") return changeHeaders(headers);
    if (path == "/bytes") return moveBytes(headers);
    if (path == "/refuse") return refuseHeaders(headers);
    if (path == "/reply") {
      return this.respond(429, "slow dówn", ["Retry-After", "5", "x-bad", "a\nb"], "too fast", 8);
    }
    if (path == "/reply-bytes") return this.respondBytes(9999, Uint8Array.wrap(new ArrayBuffer(3)));
    if (path == "/log") return writeLog();
    if (path == "/properties") return readProperties();
    if (path == "/pause") return Action.Pause;
    log.info(headers.method + " " + headers.authority + path + " " + endOfStream.toString());
    return Action.Continue;
  }

  override onRequestBody(body: Body, endOfStream: bool): Action {
    log.info(`body ${body.length} ${endOfStream}`);
    const text = body.text();
    if (text === null) {
      log.info(`no body ${<i32>lastStatus()}`);
      return Action.Continue;
    }
    if (text == "replace") body.replaceText("ein anderer Körper");
    if (text == "grow") {
      body.prependText("<");
      body.appendText(">");
    }
    if (text == "bytes") {
      const bytes = body.bytes(1, 3);
      if (bytes !== null) body.replace(bytes);
      if (bytes !== null) body.prepend(bytes);
      if (bytes !== null) body.append(bytes);
    }
    if (text == "clear") body.clear();
    log.info(`now ${body.length}`);
    return endOfStream ? Action.Continue : Action.Pause;
  }

  override onRequestTrailers(trailers: HeaderMap): Action {
    trailers.set("x-trailer", "seen");
    this.continueRequest();
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    output.setText(headers.status.toString() + " " + this.request.headers.path);
    headers.status = 201;
    live.add(-1);
    return Action.Continue;
  }

  override onResponseBody(body: Body, endOfStream: bool): Action {
    body.appendText(this.config.name);
    return Action.Continue;
  }

  override onResponseTrailers(trailers: HeaderMap): Action {
    trailers.remove("x-trailer");
    trailers.add("x-many", "last");
    const isReset = trailers.has("x-reset");
    // Nobody holds it: that must not reach the host.
    output.setText(this.continueResponse().toString() + trailers.has("x-many").toString());
    if (isReset) this.reset();
    return Action.Continue;
  }

  override onLog(): void {
    log.info("log " + this.contextId.toString());
  }

  override onDelete(): void {
    log.info("delete " + this.contextId.toString());
  }
}

function readHeaders(headers: RequestHeaders): Action {
  let text = headers.keys().join(",");
  text += "|" + headers.getAll("X-Many").join(",");
  text += "|" + headers.has("x-empty").toString() + headers.has("x-none").toString();
  const empty = headers.get("x-empty");
  const none = headers.get("x-none");
  text += "|" + (empty === null ? "null" : empty) + (none === null ? "null" : none);
  text += "|" + headers.equals("x-name", "Zoë").toString();
  text += headers.equals("x-name", "Zo").toString();
  text += headers.equals("x-none", "").toString();
  const second = headers.at(1);
  text += "|" + (second === null ? "null" : second.name + "=" + second.value);
  text += "|" + (headers.at(99) === null ? "null" : "?");
  text += "|" + asciiLower("ÀBCxyz@[");
  const pairs = headers.pairs();
  for (let i = 0; i < pairs.length; i++) text += "|" + pairs[i].value;
  output.setText(text);
  return Action.Continue;
}

function changeHeaders(headers: RequestHeaders): Action {
  headers.set("X-Set", "één");
  headers.add("x-many", "third");
  headers.remove("X-Gone");
  headers.path = "/changed";
  headers.set("x-empty", "");
  // A name that is put together at run time is no literal, and must work the same.
  headers.set("X-" + "Dynamic".toUpperCase(), headers.scheme);
  return Action.Continue;
}

function moveBytes(headers: RequestHeaders): Action {
  const bytes = headers.getBytes("x-raw");
  if (bytes === null) return Action.Continue;
  headers.setBytes("x-raw-copy", bytes);
  headers.addBytes("x-raw-copy", bytes);
  return Action.Continue;
}

function refuseHeaders(headers: RequestHeaders): Action {
  const bad = new Uint8Array(2);
  bad[0] = 13;
  let text = headers.set("x-a", "b\r\nx-evil: 1").toString();
  text += headers.set("x-a", "b\0").toString();
  text += headers.set("x a", "b").toString();
  text += headers.set("", "b").toString();
  text += headers.set(":", "b").toString();
  text += headers.set("x:y", "b").toString();
  text += headers.set("naïve", "b").toString();
  text += headers.add("x-a", "\n").toString();
  text += headers.setBytes("x-a", bad).toString();
  text += headers.addBytes("x-a", bad).toString();
  text += headers.remove("x\n").toString();
  text += (headers.get("x y") === null).toString();
  output.setText(text);
  return Action.Continue;
}

const routeName = property("xds", "route_name");
const protocol = property("request", "protocol");
const startTime = property("request", "time");
const sourceAddress = property("source", "address");
const sourcePort = property("source", "port");
const rootId = property("plugin_root_id");
const pluginName = property("plugin_name");
const own = property("probe.own");

function readProperties(): Action {
  own.set(Uint8Array.wrap(String.UTF8.encode("kept")));
  const texts = [routeName, protocol, sourceAddress, rootId, pluginName, own];
  let all = "";
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i].text();
    all += (text === null ? "null" : text) + "|";
  }
  all += sourcePort.u64().toString() + "|";
  output.setText(all + (startTime.bytes() === null ? "no time" : "a time"));
  return Action.Continue;
}

function writeLog(): Action {
  log.trace("t");
  log.debug("d");
  log.info("ï");
  log.warn("w");
  log.error("e");
  log.critical("c");
  output.setText(log.enabled(LogLevel.Debug).toString());
  return Action.Continue;
}

class ProbeConnection extends NetworkFilter<Config> {
  override onNewConnection(): Action {
    log.info("new connection " + this.config.name);
    return Action.Continue;
  }

  override onDownstreamData(data: Body, endOfStream: bool): Action {
    data.appendText("!");
    return endOfStream ? Action.Continue : Action.Pause;
  }

  override onUpstreamData(data: Body, endOfStream: bool): Action {
    this.continueDownstream();
    return Action.Continue;
  }

  override onDownstreamClose(peer: PeerType): void {
    log.info(`downstream closed ${<i32>peer}`);
  }

  override onUpstreamClose(peer: PeerType): void {
    log.info(`upstream closed ${<i32>peer}`);
    this.close();
  }
}

registerPlugin("", () => new Probe());
registerFilter<Config>(
  "zweite Würzel",
  (source: Configuration) => {
    const config = new Config();
    config.name = "second";
    return config;
  },
  () => new ProbeStream(),
);

/** Bytes of "input" decoded; "output" gets the UTF-16 units. */
export function probe_decode(): void {
  enterCallback();
  const text = input.text();
  if (text !== null) {
    const units = new Uint8Array(text.length * 2);
    memory.copy(units.dataStart, changetype<usize>(text), units.length);
    output.set(units);
  }
  leaveCallback();
}

/** UTF-16 units of "input" encoded; "output" gets the bytes. */
export function probe_encode(): void {
  enterCallback();
  const units = input.bytes();
  if (units !== null) {
    output.setText(String.UTF16.decodeUnsafe(units.dataStart, units.length));
  }
  leaveCallback();
}

/** Encodes a text of so many two-byte characters: does scratch memory survive it? */
export function probe_large(count: u32): u32 {
  enterCallback();
  encodeUtf8("é".repeat(count));
  const length = encodedLength();
  leaveCallback();
  return length;
}

/** Numbers and flags as properties hold them. */
export function probe_properties(): void {
  enterCallback();
  let text = property("port").u64(1).toString();
  text += "|" + property("offset").i64().toString();
  text += "|" + property("ratio").f64(2).toString();
  text += "|" + property("flag").bool(true).toString();
  text += "|" + property("source", "address").u64(5).toString();
  const none = property("none").bytes();
  text += "|" + (none === null ? "null" : "?") + (<i32>lastStatus()).toString();
  output.setText(text);
  leaveCallback();
}

/** Reads a metric back. */
export function probe_counter(): u64 {
  return requests.value + live.value * 1000;
}

/** A plain mistake of an author. */
export function probe_trap(): i32 {
  const none: i32[] = [];
  return none.pop();
}

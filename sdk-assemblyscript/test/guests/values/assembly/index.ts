// A guest for tests of what a filter asks the host for: shared data, queues, foreign functions, time,
// metrics with labels, properties, structured log. The path says what, the answer is what came.
import {
  Action,
  callForeign,
  concatBytes,
  Configuration,
  counters,
  equalBytes,
  foreignArguments,
  gauges,
  histograms,
  HttpFilter,
  lastStatus,
  log,
  LogLevel,
  nowMs,
  nowNs,
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
export {
  proxy_on_request_headers,
  proxy_on_response_headers,
} from "@headgate/sdk-assemblyscript/exports/http";
export {
  proxy_on_foreign_function,
  proxy_on_queue_ready,
} from "@headgate/sdk-assemblyscript/exports/plugin";

const requests = counters("values.requests", ["code", "route"], 4);
const live = gauges("values.live", ["zone"]);
const sizes = histograms("values.sizes", []);

class Config {
  readonly queue: Queue | null = Queue.open("jobs");
}

class Values extends Plugin<Config> {
  override configure(source: Configuration): Config | null {
    return new Config();
  }

  override createHttpFilter(): HttpFilter<Config> | null {
    return new ValuesFilter();
  }

  override onQueueReady(queueId: u32): void {
    const queue = new Queue(queueId);
    let item = queue.popText();
    while (item !== null) {
      log.info("job " + item);
      item = queue.popText();
    }
    log.info(`no more ${<i32>lastStatus()}`);
  }

  override onForeignFunction(functionId: u32, argumentsSize: u32): void {
    const bytes = foreignArguments();
    const length = bytes === null ? -1 : bytes.length;
    log.info(`function ${functionId} ${argumentsSize} ${length}`);
  }
}

class ValuesFilter extends HttpFilter<Config> {
  rounds: i32 = 0;

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const path = headers.path;
    if (path == "/set") return this.tell(shared.setText("k", "é").toString());
    if (path == "/get") return this.get();
    if (path == "/cas") return this.compare();
    if (path == "/update") return this.update();
    if (path == "/contended") return this.contended();
    if (path == "/counter") return this.count();
    if (path == "/queue") return this.push();
    if (path == "/foreign") return this.foreign();
    if (path == "/time") return this.tell(`${nowNs()} ${nowMs()}`);
    if (path == "/maps") return this.maps(headers);
    if (path == "/log") return this.write(headers);
    if (path.startsWith("/labels")) return this.label(headers);
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    return Action.Continue;
  }

  private tell(text: string): Action {
    return this.respond(200, text);
  }

  private get(): Action {
    const value = shared.get("k");
    if (value === null) return this.tell(`none ${<i32>lastStatus()}`);
    return this.tell(`${value.text()} ${value.bytes.length} ${value.cas > 0}`);
  }

  private compare(): Action {
    const value = shared.get("k");
    if (value === null) return this.tell("none");
    const first = shared.setText("k", "first", value.cas);
    const second = shared.setText("k", "second", value.cas);
    const status = <i32>lastStatus();
    const now = shared.get("k");
    return this.tell(`${first} ${second} ${status} ${now === null ? "" : now.text()}`);
  }

  private update(): Action {
    const isDone = shared.update("list", this, (self, before) => {
      const added = utf8Bytes(self.rounds.toString());
      self.rounds++;
      return before === null ? added : concatBytes(before, added);
    });
    const isLeft = shared.update("list", this, (self, before) => null);
    const value = shared.get("list");
    return this.tell(`${isDone} ${isLeft} ${value === null ? "" : value.text()}`);
  }

  /** Somebody else is always faster. */
  private contended(): Action {
    shared.setText("busy", "0");
    const isDone = shared.update("busy", this, (self, before) => {
      self.rounds++;
      shared.setText("busy", "other");
      return before;
    });
    return this.tell(`${isDone} ${this.rounds} ${<i32>lastStatus()}`);
  }

  private count(): Action {
    const counter = new SharedCounter("hits");
    let text = `${counter.add()} ${counter.value} `;
    text += `${counter.add(-3)} ${counter.value} `;
    text += `${new SharedCounter("hits").read()} `;
    text += `${counter.set(40)} ${counter.add(2)} ${counter.value} `;
    shared.setText("odd", "text");
    const odd = new SharedCounter("odd");
    return this.tell(text + `${odd.add()} ${<i32>lastStatus()} ${odd.value}`);
  }

  private push(): Action {
    const own = this.config.queue;
    const found = Queue.resolve("jobs");
    const none = Queue.resolve("none");
    if (own === null || found === null) return this.tell("no queue");
    let text = `${own.id == found.id} ${none === null} `;
    text += `${found.push(new Uint8Array(2))} `;
    const bytes = own.pop();
    text += `${bytes === null ? -1 : bytes.length} ${own.pop() === null} ${<i32>lastStatus()}`;
    found.pushText("öne");
    found.pushText("two");
    return this.tell(text);
  }

  private foreign(): Action {
    const none = callForeign("no_such_function");
    let text = `${none === null} ${<i32>lastStatus()} `;
    const small = callForeign("compress", utf8Bytes("abcabcabc"));
    const back = callForeign("uncompress", small);
    if (back !== null) text += `${utf8Text(back)} ${equalBytes(back, utf8Bytes("abcabcabc"))}`;
    const cleared = callForeign("clear_route_cache");
    return this.tell(`${text} ${cleared === null ? -1 : cleared.length}`);
  }

  private maps(headers: RequestHeaders): Action {
    const all = property("request", "headers").pairs();
    let text = "";
    for (let i = 0; i < all.length; i++) {
      if (all[i].name.startsWith("x-")) text += all[i].name + "=" + all[i].value + " ";
    }
    text += `${property("no", "such").pairs().length} ${property("no").list().length} `;
    text += `${property("source", "address").list().length} `;
    return this.tell(text + `${headers.byteSize}`);
  }

  private write(headers: RequestHeaders): Action {
    const value = headers.get("x-value");
    log.kv(LogLevel.Info, "a line", ["plain", "a/b:c", "x", value === null ? "" : value, "odd"]);
    log.kv(LogLevel.Debug, "hidden", ["a", "b"]);
    log.kv(LogLevel.Warn, "unicode", ["ü", "ö\n\r\t\\ = \u2028\u0085"]);
    return Action.Continue;
  }

  private label(headers: RequestHeaders): Action {
    const route = headers.get("x-route");
    requests.with(["200", route === null ? "" : route]).increment();
    live.with([]).add(1);
    sizes.with(["too", "many"]).record(5);
    return Action.Continue;
  }
}

registerPlugin("", () => new Values());

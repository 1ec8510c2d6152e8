// A guest for tests of calls: paths say what is called. What it saw is in the log.
import {
  Action,
  CallFailure,
  Configuration,
  Gather,
  GatheredResponse,
  HttpCallResponse,
  HttpFilter,
  limitPendingCalls,
  log,
  Plugin,
  registerPlugin,
  RequestHeaders,
  ResponseHeaders,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export {
  proxy_on_request_headers,
  proxy_on_response_headers,
} from "@headgate/sdk-assemblyscript/exports/http";
export {
  proxy_on_http_call_response,
  proxy_on_log,
  proxy_on_tick,
} from "@headgate/sdk-assemblyscript/exports/plugin";

class Config {}

class Calls extends Plugin<Config> {
  answers: i32 = 0;

  override configure(source: Configuration): Config | null {
    const text = source.text();
    if (text == "tick") this.setTick(100);
    if (text == "at once") this.ask("config");
    if (text == "few") limitPendingCalls(2);
    return new Config();
  }

  override createHttpFilter(): HttpFilter<Config> | null {
    return new CallsFilter();
  }

  override onTick(): void {
    this.ask("tick");
  }

  private ask(who: string): void {
    this.call("auth").post("/" + who, who).send(this, (self, response) => {
      self.answers++;
      log.info(`plugin's ${response.ok} ${response.status} ${response.text()} ${self.answers}`);
      return Action.Continue;
    });
  }
}

class CallsFilter extends HttpFilter<Config> {
  private left: i32 = 3;
  private seen: string = "";

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const path = headers.path;
    if (path == "/plain" || path.startsWith("/response")) return Action.Continue;
    if (path == "/check") return this.check();
    if (path == "/two") return this.two();
    if (path == "/gather") return this.gather();
    if (path == "/whole") return this.whole();
    if (path == "/again") return this.again();
    if (path == "/endless") return this.endless();
    if (path == "/aside") {
      this.check();
      return Action.Continue;
    }
    if (path == "/header") {
      return this.call("auth").header("x-a", "b\r\nx-evil: 1").send(this, told);
    }
    if (path == "/many") {
      for (let i = 0; i < 3; i++) this.call("silent").send(this, told);
      return Action.Pause;
    }
    return this.call(path.substring(1)).timeout(300).send(this, told);
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    if (!headers.has("x-ask")) return Action.Continue;
    return this.call("auth").send(this, (self, response) => {
      self.response.headers.set("x-asked", response.text());
      return self.call("auth").get("/2").send(self, (self, response) => {
        self.response.headers.add("x-asked", response.text());
        return Action.Continue;
      });
    });
  }

  override onLog(): void {
    // Neither may reach the host: Envoy crashes.
    log.info(`over ${this.respond(500) == Action.Pause} ${this.reset()}`);
  }

  /** The filter of the README. */
  private check(): Action {
    return this.call("auth").get("/check?a=b").header("X-Token", "tö").send(this, (self, res) => {
      if (!res.ok) return self.respond(503, "auth unavailable: " + res.reason());
      if (res.status != 200) return self.respond(403, `denied ${res.status} ${res.text()}`);
      self.request.headers.set("x-user", res.text());
      return Action.Continue;
    });
  }

  /** Both are under way at a time; the second answer resumes. */
  private two(): Action {
    this.left = 2;
    this.call("auth").get("/1").send(this, one);
    return this.call("auth").get("/2").send(this, one);
  }

  private gather(): Action {
    const all = new Gather();
    all.add(this.call("auth").get("/1"));
    all.add(this.call("nowhere"));
    all.add(this.call("auth").get("/3"));
    return all.send(this, (self, answers) => {
      let text = "";
      for (let i = 0; i < answers.length; i++) text += told1(answers[i]) + " ";
      self.request.headers.set("x-all", text);
      return Action.Continue;
    });
  }

  private whole(): Action {
    const body = new Uint8Array(3);
    body[1] = 255;
    return this.call("auth")
      .request("PUT", "/whole")
      .authority("a.example:8443")
      .header("X-One", "1")
      .header("x-one", "2")
      .bytes(body)
      .trailer("x-sum", "3")
      .timeout(0)
      .send(this, (self, res) => {
        const none = res.header("x-none");
        let text = res.header("x-answer")! + (none === null ? " null " : none);
        text += `${res.headers.getAll("x-two").join("+")} ${res.bytes()[1]} ${res.body.length} `;
        const sum = res.trailers.get("x-sum");
        return self.respond(200, text + (sum === null ? "no trailers" : sum));
      });
  }

  /** Retries what is refused. */
  again(): Action {
    return this.call("nowhere").send(this, (self, res) => {
      self.left--;
      self.seen += `${res.ok} `;
      if (self.left > 0) return self.again();
      return self.respond(200, self.seen);
    });
  }

  endless(): Action {
    return this.call("nowhere").send(this, (self, res) => self.endless());
  }

  /** One of two answers. */
  count(text: string): Action {
    this.left--;
    this.seen += text;
    if (this.left > 0) return Action.Pause;
    this.request.headers.set("x-seen", this.seen);
    return Action.Continue;
  }
}

function one(self: CallsFilter, response: HttpCallResponse): Action {
  return self.count(response.text());
}

function told(self: CallsFilter, response: HttpCallResponse): Action {
  const failure = nameOf(response.failure);
  return self.respond(200, `${response.ok} ${failure} ${response.status} ${response.reason()}`);
}

function told1(response: GatheredResponse): string {
  const header = response.header("x-n");
  const name = header === null ? "-" : header;
  return `${response.ok} ${response.status} ${response.text()} ${name},`;
}

function nameOf(failure: CallFailure): string {
  if (failure == CallFailure.None) return "none";
  if (failure == CallFailure.Refused) return "refused";
  if (failure == CallFailure.Timeout) return "timeout";
  return failure == CallFailure.Unavailable ? "unavailable" : "reset";
}

registerPlugin("", () => new Calls());

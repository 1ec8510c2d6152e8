// Asks a service whether a request may pass. What it says is kept for a while, so that it is not asked
// for each request of the same client.
import {
  Action,
  counters,
  HttpFilter,
  log,
  nowMs,
  Plugin,
  RequestHeaders,
  utf8Bytes,
} from "@headgate/sdk-assemblyscript";
import { hex } from "@headgate/sdk-assemblyscript/kit/hex";
import { sha256 } from "@headgate/sdk-assemblyscript/kit/sha256";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** A cluster of envoy.yaml. */
  @required @minLength(1) cluster: string;
  @pattern("^/") path: string = "/check";
  @duration("200ms") @range("1ms", "10s") timeoutMs: u32;
  /** How long an answer holds; 0s: each request asks. */
  @duration("10s") @range("0s", "1h") keepMs: u32;
  /** So many clients are remembered. */
  @range(1, 100000) clientsMax: u32 = 1000;
}

/** What the service has said about a token; `user` is null when it said no. */
class Verdict {
  constructor(
    readonly user: string | null,
    readonly untilMs: u64,
  ) {}
}

const requests = counters("auth_callout.requests", ["result"]);

/** One of these lives as long as the configuration, in each worker: it remembers. */
@plugin
class AuthPlugin extends Plugin<Config> {
  private verdicts: Map<string, Verdict> = new Map();

  find(key: string): Verdict | null {
    if (!this.verdicts.has(key)) return null;
    const verdict = this.verdicts.get(key);
    if (verdict.untilMs > nowMs()) return verdict;
    this.verdicts.delete(key);
    return null;
  }

  keep(key: string, user: string | null, config: Config): void {
    if (config.keepMs == 0) return;
    // Whoever comes with ever new tokens must not fill the memory.
    if (<u32>this.verdicts.size >= config.clientsMax) this.verdicts.clear();
    this.verdicts.set(key, new Verdict(user, nowMs() + config.keepMs));
  }
}

/** One of these lives as long as one request with its response. */
@filter
class AuthCallout extends HttpFilter<Config> {
  private key: string = "";

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    // What a client says of itself goes no further.
    headers.remove("x-user");
    const token = headers.get("authorization");
    if (token === null) {
      return this.answer("anonymous", 401, "who are you?\n", ["www-authenticate", "Bearer"]);
    }
    // Not the token itself: memory may be looked at.
    this.key = hex(sha256(utf8Bytes(token)));
    const known = (this.plugin as AuthPlugin).find(this.key);
    if (known !== null) return this.judge("kept", known.user);
    const call = this.call(this.config.cluster).get(this.config.path);
    // The request waits for what the function returns, which runs once, whatever happens.
    return call
      .header("authorization", token)
      .timeout(this.config.timeoutMs)
      .send(this, (self, response) => {
        if (!response.ok || response.status >= 500) {
          log.warn("nobody says who this is: " + response.reason());
          // Not kept: the next request asks again.
          return self.answer("unavailable", 503, "try again\n", ["retry-after", "1"]);
        }
        const user = response.status == 200 ? response.header("x-user") : null;
        (self.plugin as AuthPlugin).keep(self.key, user, self.config);
        return self.judge("asked", user);
      });
  }

  judge(result: string, user: string | null): Action {
    if (user === null) return this.answer(result + "_no", 403, "not you\n", []);
    requests.with([result + "_yes"]).increment();
    this.request.headers.set("x-user", user);
    return Action.Continue;
  }

  answer(result: string, status: u32, text: string, headers: string[]): Action {
    requests.with([result]).increment();
    return this.respond(status, text, headers, "auth_callout_" + result);
  }
}

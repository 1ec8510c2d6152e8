// Lets requests pass that carry a known API key, and tells the upstream whose it is.
import { Action, counters, HttpFilter, RequestHeaders } from "@headgate/sdk-assemblyscript";
import { isSameSecretText } from "@headgate/sdk-assemblyscript/kit/bytes";

@config
class Key {
  /** Who has it: the upstream gets it as x-user. */
  @required @minLength(1) user: string;
  @required @minLength(16) @secret key: string;
}

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** The request header that carries the key. */
  @minLength(1) header: string = "x-api-key";
  @required @minLength(1) keys: Key[];
}

const requests = counters("my_filter_requests", ["result"]);

/** One of these lives as long as one request with its response. */
@filter
class MyFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    // What a client says of itself goes no further.
    headers.remove("x-user");
    const sent = headers.get(this.config.header);
    const user = this.userOf(sent === null ? "" : sent);
    if (user === null) {
      requests.with(["denied"]).increment();
      return this.respond(401, "unknown key\n", ["www-authenticate", "ApiKey"], "unknown_key");
    }
    requests.with(["passed"]).increment();
    headers.remove(this.config.header);
    headers.set("x-user", user);
    return Action.Continue;
  }

  /** Compares with all of them, so that the time it takes tells nothing. */
  private userOf(sent: string): string | null {
    let user: string | null = null;
    const keys = this.config.keys;
    for (let i = 0; i < keys.length; i++) {
      if (isSameSecretText(keys[i].key, sent)) user = keys[i].user;
    }
    return user;
  }
}

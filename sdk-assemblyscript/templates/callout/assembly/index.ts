// Asks a service whether a request may pass, and tells the upstream what the service has said.
import { Action, HttpFilter, log, RequestHeaders } from "@headgate/sdk-assemblyscript";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** A cluster of envoy.yaml. */
  @required @minLength(1) cluster: string;
  @pattern("^/") path: string = "/check";
  @duration("200ms") @range("1ms", "10s") timeoutMs: u32;
}

/** One of these lives as long as one request with its response. */
@filter
class MyFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    // What a client says of itself goes no further.
    headers.remove("x-user");
    const token = headers.get("authorization");
    if (token === null) return this.respond(401, "who are you?\n");
    const call = this.call(this.config.cluster).get(this.config.path);
    // The request waits for what the function returns, which runs once, whatever happens.
    return call
      .header("authorization", token)
      .timeout(this.config.timeoutMs)
      .send(this, (self, response) => {
        if (!response.ok) {
          log.warn("nobody says who this is: " + response.reason());
          return self.respond(503, "try again\n");
        }
        if (response.status != 200) return self.respond(403, "not you\n");
        const user = response.header("x-user");
        if (user !== null) self.request.headers.set("x-user", user);
        return Action.Continue;
      });
  }
}

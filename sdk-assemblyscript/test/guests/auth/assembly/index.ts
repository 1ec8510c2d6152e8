// A typical filter with a typed configuration and a callout, for its size: asks a cluster whether the
// request may pass, by rules of the configuration.
import { Action, counter, HttpFilter, RequestHeaders } from "@headgate/sdk-assemblyscript";

const denied = counter("auth.denied");

@config
class Rule {
  @required prefix: string;
  @oneOf("allow", "deny", "check") mode: string = "check";
}

@config
class Config {
  @required cluster: string;
  @range(1, 60000) timeoutMs: u32 = 500;
  realm: string = "api";
  rules: Rule[] = [];
}

@filter
class AuthFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const path = headers.path;
    const rules = this.config.rules;
    for (let i = 0; i < rules.length; i++) {
      if (!path.startsWith(rules[i].prefix)) continue;
      if (rules[i].mode == "allow") return Action.Continue;
      if (rules[i].mode == "deny") return this.deny(403, "forbidden");
    }
    const token = headers.get("authorization");
    if (token === null) return this.deny(401, "missing credentials");
    return this.call(this.config.cluster)
      .get("/check")
      .header("authorization", token)
      .timeout(this.config.timeoutMs)
      .send(this, (self, response) => {
        if (!response.ok) return self.deny(503, "auth unavailable");
        if (response.status != 200) return self.deny(403, "denied");
        self.request.headers.set("x-user", response.text());
        return Action.Continue;
      });
  }

  private deny(status: u32, message: string): Action {
    denied.increment();
    const challenge = `Bearer realm="${this.config.realm}"`;
    return this.respond(status, message, ["www-authenticate", challenge]);
  }
}

// A typical filter with a typed configuration and a callout, for its size: asks a cluster whether the
// request may pass, by rules of the configuration.
import {
  Action,
  ConfigObject,
  Configuration,
  counter,
  HttpFilter,
  registerFilter,
  RequestHeaders,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export { proxy_on_request_headers } from "@headgate/sdk-assemblyscript/exports/http";
export { proxy_on_http_call_response } from "@headgate/sdk-assemblyscript/exports/plugin";

const denied = counter("auth.denied");

class Rule {
  prefix: string = "";
  mode: string = "check";
}

class Config {
  cluster: string = "";
  timeoutMs: u32 = 500;
  realm: string = "api";
  readonly rules: Rule[] = [];
}

function readConfig(source: Configuration): Config | null {
  const root = source.json();
  const config = new Config();
  root.required("cluster");
  config.cluster = root.string("cluster");
  config.timeoutMs = root.u32("timeoutMs", 500, 1, 60_000);
  config.realm = root.string("realm", "api");
  const rules = root.array("rules");
  if (rules === null) return config;
  for (let i = 0; i < rules.length; i++) {
    const rule = rules.object(i);
    if (rule !== null) config.rules.push(readRule(rule));
  }
  return config;
}

function readRule(source: ConfigObject): Rule {
  const rule = new Rule();
  source.required("prefix");
  rule.prefix = source.string("prefix");
  rule.mode = source.string("mode", "check");
  if (rule.mode != "allow" && rule.mode != "deny" && rule.mode != "check") {
    source.fail("mode", "must be one of allow, deny, check");
  }
  return rule;
}

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

registerFilter<Config>("", readConfig, () => new AuthFilter());

// Cross-origin requests: answers preflights, tells browsers who may read responses.
import {
  Action,
  counter,
  HttpFilter,
  RequestHeaders,
  ResponseHeaders,
  StreamType,
} from "@headgate/sdk-assemblyscript";
import { CorsConfig } from "./config";

const originValid = counter("cors.origin_valid");
const originInvalid = counter("cors.origin_invalid");

export class Cors extends HttpFilter<CorsConfig> {
  /** "" = this is no cross-origin request that the policy allows. */
  private origin: string = "";

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const config = this.config;
    const isEnabled = config.enabled.isHit();
    if (!isEnabled && !config.shadow.isHit()) return Action.Continue;
    const origin = headers.get("origin");
    if (origin === null || origin == "") return Action.Continue;
    const isAllowed = this.isAllowed(origin);
    if (isAllowed) originValid.increment();
    else originInvalid.increment();
    if (!isEnabled) return Action.Continue;
    if (isAllowed) this.origin = origin;
    const isAnswered = isAllowed || !config.forwardsOtherPreflights;
    if (!isAnswered || !headers.equals(":method", "OPTIONS")) return Action.Continue;
    const method = headers.get("access-control-request-method");
    if (method === null || method == "") return Action.Continue;
    return this.answerPreflight(headers, method);
  }

  override stays(after: StreamType): bool {
    return after == StreamType.HttpRequest && this.origin != "";
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    if (this.origin == "") return Action.Continue;
    const config = this.config;
    setField(headers, "access-control-allow-origin", this.origin);
    if (config.allowsCredentials) setField(headers, "access-control-allow-credentials", "true");
    if (config.exposed != "") setField(headers, "access-control-expose-headers", config.exposed);
    return Action.Continue;
  }

  private isAllowed(origin: string): bool {
    const origins = this.config.origins;
    for (let i = 0; i < origins.length; i++) {
      const matcher = unchecked(origins[i]);
      if (matcher.matches("*") || matcher.matches(origin)) return true;
    }
    return false;
  }

  /** The answer passes onResponseHeaders, too, which adds what every response has. */
  private answerPreflight(headers: RequestHeaders, method: string): Action {
    const config = this.config;
    const fields: string[] = [];
    addField(fields, "access-control-allow-origin", this.origin);
    if (config.allowsCredentials) addField(fields, "access-control-allow-credentials", "true");
    // "*" grants what was asked for, even nothing: browsers take no star with credentials.
    addField(fields, "access-control-allow-methods", config.methods == "*" ? method : config.methods);
    if (config.headers == "*") {
      const asked = headers.get("access-control-request-headers");
      fields.push("access-control-allow-headers");
      fields.push(asked === null ? "" : asked);
    } else addField(fields, "access-control-allow-headers", config.headers);
    addField(fields, "access-control-max-age", config.maxAge);
    const isPrivate = headers.equals("access-control-request-private-network", "true");
    if (config.allowsPrivateNetwork && isPrivate) {
      addField(fields, "access-control-allow-private-network", "true");
    }
    return this.respond(200, "", fields, "cors_response");
  }
}

function addField(fields: string[], name: string, value: string): void {
  if (value == "") return;
  fields.push(name);
  fields.push(value);
}

/** What has the value already keeps its place. */
function setField(headers: ResponseHeaders, name: string, value: string): void {
  if (!headers.equals(name, value)) headers.set(name, value);
}

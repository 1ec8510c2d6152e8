// A small HTTP filter: greets in a response header, and answers one path by itself.
import {
  Action,
  Configuration,
  HttpFilter,
  log,
  registerFilter,
  RequestHeaders,
  ResponseHeaders,
} from "@headgate/sdk-assemblyscript";

// What the proxy may call. Beyond the base, export the callback of each hook that is overridden.
export * from "@headgate/sdk-assemblyscript/exports/base";
export {
  proxy_on_request_headers,
  proxy_on_response_headers,
} from "@headgate/sdk-assemblyscript/exports/http";

class Config {
  constructor(readonly greeting: string) {}
}

/** Runs once per configuration. Errors of `source` refuse it, each with its place, in the log. */
function readConfig(source: Configuration): Config | null {
  const object = source.json();
  object.required("greeting");
  const config = new Config(object.string("greeting"));
  log.info("hello is configured to say: " + config.greeting);
  return config;
}

/** One of these lives as long as one request with its response. */
class Hello extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    if (headers.path != "/teapot") return Action.Continue;
    return this.respond(418, "I am a teapot.\n");
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    headers.set("x-hello", this.config.greeting);
    return Action.Continue;
  }
}

registerFilter<Config>("", readConfig, () => new Hello());

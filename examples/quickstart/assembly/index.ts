// A small HTTP filter: greets in a response header, and answers one path by itself.
import {
  Action,
  HttpFilter,
  log,
  Plugin,
  RequestHeaders,
  ResponseHeaders,
} from "@headgate/sdk-assemblyscript";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** What responses are greeted with. */
  @required greeting: string;
}

/** One of these lives as long as the configuration; a filter that needs nothing of it has none. */
@plugin
class HelloPlugin extends Plugin<Config> {
  override onConfigured(config: Config): void {
    log.info("hello is configured to say: " + config.greeting);
  }
}

/** One of these lives as long as one request with its response. */
@filter
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

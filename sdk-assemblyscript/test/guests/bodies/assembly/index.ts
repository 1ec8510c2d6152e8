// A guest for tests of whole bodies, of requests and responses: the path says what is done with them.
import {
  Action,
  Body,
  Configuration,
  HeaderMap,
  HttpFilter,
  log,
  registerFilter,
  RequestHeaders,
  ResponseHeaders,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export {
  proxy_on_request_body,
  proxy_on_request_headers,
  proxy_on_request_trailers,
  proxy_on_response_body,
  proxy_on_response_headers,
  proxy_on_response_trailers,
} from "@headgate/sdk-assemblyscript/exports/bodies";
export { proxy_on_http_call_response } from "@headgate/sdk-assemblyscript/exports/plugin";

class Config {}

class BodiesFilter extends HttpFilter<Config> {
  private path: string = "";

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    this.path = headers.path;
    if (this.path != "/held") return Action.Continue;
    return this.call("auth").send(this, (self, response) => {
      self.request.headers.set("x-held", response.text());
      return Action.Continue;
    });
  }

  override requestBodyMax(): u32 {
    return this.path.startsWith("/response") || this.path == "/stream" ? 0 : 20;
  }

  override keepsRequestLength(): bool {
    return this.path == "/same";
  }

  override onRequestBody(body: Body, endOfStream: bool): Action {
    log.info(`piece ${body.length} ${endOfStream}`);
    return Action.Continue;
  }

  override onFullRequestBody(body: Body): Action {
    const text = body.text();
    log.info(`whole ${body.length}`);
    if (text === null) return Action.Continue;
    if (this.path == "/reverse") body.replaceText(text.split("").reverse().join(""));
    if (this.path == "/double") body.appendText(text);
    if (this.path == "/empty") body.clear();
    if (this.path == "/denied") return this.respond(403, "denied " + text);
    if (this.path != "/asked") return Action.Continue;
    return this.call("auth").post("/", text).send(this, (self, response) => {
      log.info(`now ${self.request.body.length}`);
      self.request.body.replaceText(response.text());
      return Action.Continue;
    });
  }

  override onRequestBodyTooLarge(): Action {
    return this.path == "/large" ? Action.Continue : super.onRequestBodyTooLarge();
  }

  override onRequestTrailers(trailers: HeaderMap): Action {
    trailers.set("x-trailer", "seen");
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    return Action.Continue;
  }

  override responseBodyMax(): u32 {
    return this.path.startsWith("/response") ? 20 : 0;
  }

  override keepsResponseLength(): bool {
    return this.path == "/response/same";
  }

  override onFullResponseBody(body: Body): Action {
    body.prependText("<");
    body.appendText(">");
    return Action.Continue;
  }

  override onResponseTrailers(trailers: HeaderMap): Action {
    trailers.set("x-trailer", "seen");
    return Action.Continue;
  }
}

registerFilter<Config>("", (source: Configuration) => new Config(), () => new BodiesFilter());

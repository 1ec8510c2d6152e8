// Replaces text in the bodies of responses, and says in a header that it may have.
import { Action, Body, HttpFilter, ResponseHeaders } from "@headgate/sdk-assemblyscript";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  @required @minLength(1) find: string;
  replace: string = "";
  /** Responses of other types pass as they are. */
  contentType: string = "text/";
}

/** One of these lives as long as one request with its response. */
@filter
class MyFilter extends HttpFilter<Config> {
  private isText: bool = false;

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    const type = headers.get("content-type");
    const isPlain = !headers.has("content-encoding");
    this.isText = isPlain && type !== null && type.startsWith(this.config.contentType);
    if (this.isText) headers.set("x-rewritten-by", "my-filter");
    return Action.Continue;
  }

  /** Larger bodies are answered with 500; onResponseBodyTooLarge changes that. */
  @maxBody("1MiB")
  override onFullResponseBody(body: Body): Action {
    if (!this.isText) return Action.Continue;
    const text = body.text();
    if (text === null || !text.includes(this.config.find)) return Action.Continue;
    body.replaceText(text.replaceAll(this.config.find, this.config.replace));
    return Action.Continue;
  }
}

// The whole filter: it greets who is named in the query, and answers by itself when the name is too long.
import { Action, HttpFilter, RequestHeaders, ResponseHeaders } from "@headgate/sdk-assemblyscript";
import { Query } from "@headgate/sdk-assemblyscript/kit/query";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  @required @minLength(1) greeting: string;
  @range(1, 100) nameCharactersMax: u32 = 20;
}

/** One of these lives as long as one request with its response. */
@filter
class HelloWorld extends HttpFilter<Config> {
  // The path is gone when the response comes: what is needed then is kept here.
  private name: string = "world";

  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const path = headers.path;
    const mark = path.indexOf("?");
    if (mark < 0) return Action.Continue;
    const name = Query.parse(path.substring(mark + 1)).get("name");
    if (name === null) return Action.Continue;
    if (<u32>name.length > this.config.nameCharactersMax) {
      return this.respond(400, "That is a long name.\n");
    }
    this.name = name;
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    headers.set("x-hello", this.config.greeting + ", " + this.name);
    return Action.Continue;
  }
}

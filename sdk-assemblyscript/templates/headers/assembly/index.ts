// Marks requests for the upstream, and sets and removes headers of responses.
import {
  Action,
  HttpFilter,
  RequestHeaders,
  ResponseHeaders,
} from "@headgate/sdk-assemblyscript";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** Headers that each response gets, in place of the upstream's. */
  set: Map<string, string> = new Map();
  /** Headers that no response has. */
  remove: string[] = [];
}

/** One of these lives as long as one request with its response. */
@filter
class MyFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    headers.set("x-filtered-by", "my-filter");
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    const remove = this.config.remove;
    for (let i = 0; i < remove.length; i++) headers.remove(remove[i]);
    const set = this.config.set;
    const names = set.keys();
    for (let i = 0; i < names.length; i++) headers.set(names[i], set.get(names[i]));
    return Action.Continue;
  }
}

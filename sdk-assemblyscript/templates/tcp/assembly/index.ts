// Lets TCP connections pass whose first bytes are the expected ones, and closes the others.
import { Action, Body, counter, log, NetworkFilter } from "@headgate/sdk-assemblyscript";

/** What `configuration` in envoy.yaml may say. Anything else is refused, with its place. */
@config
class Config {
  /** What a client sends first. */
  @required @minLength(1) prefix: string;
}

const refused = counter("my_filter_refused");

/** One of these lives as long as one connection. */
@filter
class MyFilter extends NetworkFilter<Config> {
  private isKnown: bool = false;

  override onDownstreamData(data: Body, endOfStream: bool): Action {
    if (this.isKnown) return Action.Continue;
    const prefix = this.config.prefix;
    const text = data.text(0, prefix.length);
    const start = text === null ? "" : text;
    if (start == prefix) {
      this.isKnown = true;
      return Action.Continue;
    }
    // So far it fits: the proxy keeps it, and shows it again with what comes.
    if (prefix.startsWith(start) && !endOfStream) return Action.Pause;
    log.info("connection refused: it does not begin with " + prefix);
    refused.increment();
    this.close();
    return Action.Pause;
  }
}

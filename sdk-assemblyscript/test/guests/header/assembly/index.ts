// The smallest useful filter: reads one header, sets one. Its size is what the SDK itself weighs.
import {
  Action,
  Configuration,
  HttpFilter,
  registerFilter,
  RequestHeaders,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export { proxy_on_request_headers } from "@headgate/sdk-assemblyscript/exports/http";

class Config {
  constructor(readonly value: string) {}
}

class HeaderFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const agent = headers.get("user-agent");
    headers.set("x-agent", agent === null ? this.config.value : agent);
    return Action.Continue;
  }
}

registerFilter<Config>(
  "",
  (source: Configuration) => new Config(source.text()),
  () => new HeaderFilter(),
);

// The filter of the benches as a user writes it: reads user-agent and sets x-filter to it.
// bare.ts does the same on the bare ABI and so without what the SDK costs.
import {
  Action,
  Configuration,
  HttpFilter,
  registerFilter,
  RequestHeaders,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export { headgate_request_headers } from "@headgate/sdk-assemblyscript/exports/brief";
export { proxy_on_request_headers } from "@headgate/sdk-assemblyscript/exports/http";

class Config {}

class BenchFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const agent = headers.get("user-agent");
    if (agent !== null) headers.set("x-filter", agent);
    return Action.Continue;
  }
}

registerFilter<Config>(
  "",
  (source: Configuration) => new Config(),
  () => new BenchFilter(),
);

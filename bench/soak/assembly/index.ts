// The filter of the soak run: marks requests, and on demand traps or never returns, which is how
// the run kills VMs and workers from outside.
import {
  Action,
  Configuration,
  HttpFilter,
  registerFilter,
  RequestHeaders,
  ResponseHeaders,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export {
  proxy_on_request_headers,
  proxy_on_response_headers,
} from "@headgate/sdk-assemblyscript/exports/http";

class Config {}

class SoakFilter extends HttpFilter<Config> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const order = headers.get("x-soak");
    if (order !== null) {
      if (order == "trap") unreachable();
      while (order == "loop") {}
    }
    headers.set("x-filter", "seen");
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    headers.set("x-soak-filter", "seen");
    return Action.Continue;
  }
}

registerFilter<Config>(
  "",
  (source: Configuration) => new Config(),
  () => new SoakFilter(),
);

// The filter of the benches as a user writes it: reads user-agent and sets x-filter to it.
// bare.ts does the same on the bare ABI and so without what the SDK costs.
import { Action, HttpFilter, RequestHeaders } from "@headgate/sdk-assemblyscript";

@filter
class BenchFilter extends HttpFilter {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const agent = headers.get("user-agent");
    if (agent !== null) headers.set("x-filter", agent);
    return Action.Continue;
  }
}

// The smallest useful filter, decorated and without a configuration: its size is what the SDK weighs.
import { Action, HttpFilter, RequestHeaders } from "@headgate/sdk-assemblyscript";

@filter
class Plain extends HttpFilter {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const agent = headers.get("user-agent");
    headers.set("x-agent", agent === null ? "none" : agent);
    return Action.Continue;
  }
}

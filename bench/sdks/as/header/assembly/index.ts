// Tells the upstream what kind of device asks, moves an old path, and marks responses.
import { Action, HttpFilter, RequestHeaders, ResponseHeaders } from "@headgate/sdk-assemblyscript";

@filter
class Header extends HttpFilter {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const agent = headers.get("user-agent");
    const isMobile = agent !== null && agent.includes("Mobile");
    headers.set("x-device", isMobile ? "mobile" : "desktop");
    const path = headers.path;
    if (path.startsWith("/old/")) headers.set(":path", "/new/" + path.substring(5));
    headers.remove("x-internal");
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    headers.set("x-filtered", "yes");
    headers.remove("x-powered-by");
    return Action.Continue;
  }
}

// Asks the cluster `auth` about each request outside /public.
import {
  Action,
  HttpCallResponse,
  HttpFilter,
  RequestHeaders,
} from "@headgate/sdk-assemblyscript";

@filter
class Auth extends HttpFilter {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const path = headers.path;
    if (path.startsWith("/public")) return Action.Continue;
    const call = this.call("auth").get("/check").authority("auth.local").timeout(1000);
    call.header("x-original-path", path);
    const token = headers.get("authorization");
    if (token !== null) call.header("authorization", token);
    return call.send(this, (self, response) => self.judge(response));
  }

  /** 200 lets it pass; the client sees 401 and 403; all else is no answer. */
  private judge(response: HttpCallResponse): Action {
    const status = response.status;
    if (status == 401 || status == 403) return this.respond(status, response.text());
    if (status != 200) return this.respond(503, "no authorization\n");
    const user = response.header("x-auth-user");
    this.request.headers.set("x-auth-user", user === null ? "" : user);
    this.request.headers.remove("authorization");
    return Action.Continue;
  }
}

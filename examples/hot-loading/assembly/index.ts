// A filter to be changed while it serves: names itself in each response. The README changes the two
// lines that it talks about, and pushes what comes of it.
import {
  Action,
  HttpFilter,
  registerFilter,
  ResponseHeaders,
  Configuration,
} from "@headgate/sdk-assemblyscript";

export * from "@headgate/sdk-assemblyscript/exports/base";
export { proxy_on_response_headers } from "@headgate/sdk-assemblyscript/exports/http";

const GREETING = "hello";
/** One response of so many is too much for it; 0 = none is. */
const TRAPS_EVERY: u32 = 0;

let responses: u32 = 0;

class Config {}

class Greeter extends HttpFilter<Config> {
  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    responses += 1;
    if (TRAPS_EVERY > 0 && responses % TRAPS_EVERY == 0) throw new Error("too much");
    headers.set("x-greeting", GREETING);
    return Action.Continue;
  }
}

registerFilter<Config>("", (source: Configuration) => new Config(), () => new Greeter());

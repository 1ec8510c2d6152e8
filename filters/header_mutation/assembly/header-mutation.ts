// Adds, overwrites and removes headers, trailers and parameters of the query.
import {
  Action,
  HeaderMap,
  HttpFilter,
  RequestHeaders,
  ResponseHeaders,
  StreamType,
} from "@headgate/sdk-assemblyscript";
import { HeaderMutationConfig } from "./config";
import { HeaderChange } from "./header-change";
import { changeQuery } from "./query-change";

export class HeaderMutation extends HttpFilter<HeaderMutationConfig> {
  override onRequestHeaders(headers: RequestHeaders, endOfStream: bool): Action {
    const config = this.config;
    applyAll(config.request, headers);
    if (config.query.length > 0 && headers.has(":path")) {
      headers.path = changeQuery(headers.path, config.query);
    }
    return Action.Continue;
  }

  override stays(after: StreamType): bool {
    return this.config.hasMore(after);
  }

  override onRequestTrailers(trailers: HeaderMap): Action {
    applyAll(this.config.requestTrailers, trailers);
    return Action.Continue;
  }

  override onResponseHeaders(headers: ResponseHeaders, endOfStream: bool): Action {
    applyAll(this.config.response, headers);
    return Action.Continue;
  }

  override onResponseTrailers(trailers: HeaderMap): Action {
    applyAll(this.config.responseTrailers, trailers);
    return Action.Continue;
  }
}

function applyAll(changes: HeaderChange[], headers: HeaderMap): void {
  for (let i = 0; i < changes.length; i++) unchecked(changes[i]).apply(headers);
}

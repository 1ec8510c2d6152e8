// The filter's changes and those of the route, in the order in which they are made.
import { ConfigObject, Configuration, StreamType } from "@headgate/sdk-assemblyscript";
import { HeaderChange, readHeaderChanges } from "./header-change";
import { QueryChange, readQueryChanges } from "./query-change";

export class HeaderMutationConfig {
  request: HeaderChange[] = [];
  requestTrailers: HeaderChange[] = [];
  response: HeaderChange[] = [];
  responseTrailers: HeaderChange[] = [];
  query: QueryChange[] = [];

  /** Whether something is left to do behind the headers of the request, or of the response. */
  hasMore(after: StreamType): bool {
    if (this.requestTrailers.length > 0 || this.responseTrailers.length > 0) return true;
    return after == StreamType.HttpRequest && this.response.length > 0;
  }
}

export function readHeaderMutationConfig(source: Configuration): HeaderMutationConfig {
  const config = new HeaderMutationConfig();
  const root = source.json();
  const filter = root.object("filter");
  const levels = root.array("levels");
  if (filter === null || levels === null) return config;
  const specificWins = filter.bool("most_specific_header_mutations_wins");
  addMutations(config, filter);
  // What comes last wins.
  const last = levels.length - 1;
  for (let i = 0; i <= last; i++) {
    const level = levels.object(specificWins ? i : last - i);
    if (level !== null) addMutations(config, level);
  }
  return config;
}

function addMutations(config: HeaderMutationConfig, owner: ConfigObject): void {
  const mutations = owner.object("mutations");
  if (mutations === null) return;
  config.request = config.request.concat(readHeaderChanges(mutations.array("request_mutations")));
  config.requestTrailers = config.requestTrailers.concat(
    readHeaderChanges(mutations.array("request_trailers_mutations")),
  );
  config.response = config.response.concat(
    readHeaderChanges(mutations.array("response_mutations")),
  );
  config.responseTrailers = config.responseTrailers.concat(
    readHeaderChanges(mutations.array("response_trailers_mutations")),
  );
  config.query = config.query.concat(
    readQueryChanges(mutations.array("query_parameter_mutations")),
  );
}

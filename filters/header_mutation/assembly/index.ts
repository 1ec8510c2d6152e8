import { Configuration, registerFilter } from "@headgate/sdk-assemblyscript";
import { HeaderMutationConfig, readHeaderMutationConfig } from "./config";
import { HeaderMutation } from "./header-mutation";

export * from "@headgate/sdk-assemblyscript/exports/base";
export {
  headgate_request_headers,
  headgate_response_headers,
} from "@headgate/sdk-assemblyscript/exports/brief";
export {
  proxy_on_request_headers,
  proxy_on_request_trailers,
  proxy_on_response_headers,
  proxy_on_response_trailers,
} from "@headgate/sdk-assemblyscript/exports/http";

registerFilter<HeaderMutationConfig>(
  "",
  (source: Configuration) => readHeaderMutationConfig(source),
  () => new HeaderMutation(),
  true,
);

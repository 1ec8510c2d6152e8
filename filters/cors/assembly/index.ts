import { Configuration, registerFilter } from "@headgate/sdk-assemblyscript";
import { CorsConfig, readCorsConfig } from "./config";
import { Cors } from "./cors";

export * from "@headgate/sdk-assemblyscript/exports/base";
export {
  headgate_request_headers,
  headgate_response_headers,
} from "@headgate/sdk-assemblyscript/exports/brief";
export {
  proxy_on_request_headers,
  proxy_on_response_headers,
} from "@headgate/sdk-assemblyscript/exports/http";

registerFilter<CorsConfig>(
  "",
  (source: Configuration) => readCorsConfig(source),
  () => new Cors(),
);

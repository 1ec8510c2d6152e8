import { Configuration, registerFilter } from "@headgate/sdk-assemblyscript";
import { BasicAuth } from "./basic-auth";
import { BasicAuthConfig, readBasicAuthConfig } from "./config";

export * from "@headgate/sdk-assemblyscript/exports/base";
export { headgate_request_headers } from "@headgate/sdk-assemblyscript/exports/brief";
export { proxy_on_request_headers } from "@headgate/sdk-assemblyscript/exports/http";

registerFilter<BasicAuthConfig>(
  "",
  (source: Configuration) => readBasicAuthConfig(source),
  () => new BasicAuth(),
  true,
);

// From the policies of a route, the outermost first, to the one that holds.
import { ConfigObject, Configuration } from "@headgate/sdk-assemblyscript";
import { Fraction } from "../../_common/assembly/fraction";
import { readStringMatchers, StringMatcher } from "../../_common/assembly/string-matcher";

/** What holds for one route: of each field what the innermost policy says that sets it. */
export class CorsConfig {
  origins: StringMatcher[] = [];
  methods: string = "";
  headers: string = "";
  exposed: string = "";
  maxAge: string = "";
  allowsCredentials: bool = false;
  allowsPrivateNetwork: bool = false;
  forwardsOtherPreflights: bool = true;
  /** Those of the innermost policy alone; without any policy nothing is done. */
  enabled: Fraction = new Fraction(0, "");
  shadow: Fraction = new Fraction(0, "");
}

export function readCorsConfig(source: Configuration): CorsConfig {
  const config = new CorsConfig();
  const root = source.json();
  root.object("filter");
  const levels = root.array("levels");
  if (levels === null) return config;
  for (let i = 0; i < levels.length; i++) {
    const policy = levels.object(i);
    if (policy !== null) addPolicy(config, policy);
  }
  return config;
}

function addPolicy(config: CorsConfig, policy: ConfigObject): void {
  const origins = readStringMatchers(policy.array("allow_origin_string_match"));
  if (origins.length > 0) config.origins = origins;
  config.methods = moreSpecific(policy, "allow_methods", config.methods);
  config.headers = moreSpecific(policy, "allow_headers", config.headers);
  config.exposed = moreSpecific(policy, "expose_headers", config.exposed);
  config.maxAge = moreSpecific(policy, "max_age", config.maxAge);
  config.allowsCredentials = policy.bool("allow_credentials", config.allowsCredentials);
  config.allowsPrivateNetwork = policy.bool(
    "allow_private_network_access",
    config.allowsPrivateNetwork,
  );
  config.forwardsOtherPreflights = policy.bool(
    "forward_not_matching_preflights",
    config.forwardsOtherPreflights,
  );
  config.enabled = Fraction.read(policy.object("filter_enabled"), 1_000_000);
  config.shadow = Fraction.read(policy.object("shadow_enabled"), 0);
}

function moreSpecific(policy: ConfigObject, name: string, outer: string): string {
  const own = policy.string(name);
  return own == "" ? outer : own;
}

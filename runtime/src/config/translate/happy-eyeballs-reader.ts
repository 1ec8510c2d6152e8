// Reads in which order the addresses of an endpoint are tried.
import type { ConfigNode } from "../config-node.ts";
import type { HappyEyeballsConfig } from "../snapshot.ts";

const families: Readonly<Record<string, HappyEyeballsConfig["firstFamily"]>> = {
  V4: "ipv4",
  V6: "ipv6",
  PIPE: "unix",
};

/** Of UpstreamConnectionOptions. */
export function readHappyEyeballs(options: ConfigNode | undefined): HappyEyeballsConfig {
  const node = options?.node("happy_eyeballs_config");
  return {
    firstFamily: families[node?.enum("first_address_family_version") ?? ""] ?? null,
    firstFamilyCount: node?.uint("first_address_family_count") ?? 1,
  };
}

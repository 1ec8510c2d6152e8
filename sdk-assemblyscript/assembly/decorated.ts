// What the transform's code refers to in files of @filter and @plugin classes. What reads @config
// classes is in config-reader.ts, which a filter without a configuration does not carry.
import { Configuration, NoConfig } from "./configuration";
import { log } from "./log";

export { Configuration, NoConfig } from "./configuration";
export { HttpFilter, NetworkFilter, Plugin } from "./context";
export { REUSING } from "./hook";
export { registerPlugin } from "./registry";

/** For filters without a configuration: there must be none. */
export function none(source: Configuration): NoConfig {
  if (!source.isEmpty) {
    // As Configuration.fail, without what puts its words together: small filters are to stay small.
    source.errorCount++;
    log.error("configuration /: must be empty");
  }
  return new NoConfig();
}

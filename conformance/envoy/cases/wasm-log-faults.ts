// Guests that trap when a stream is over, where nobody can be answered any more: as access loggers, in
// the last callbacks of HTTP filters, and as both on one VM; and the streams after it, by policy.
import {
  type Case,
  type Connection,
  type Group,
  get,
  type JsonObject,
  type Site,
} from "../case.ts";
import { fieldAccessLog } from "../field-guest.ts";
import { scriptedChain, scriptedPlugin } from "../scripted-guest.ts";

const POLICIES: Readonly<Record<string, JsonObject>> = {
  closed: { failure_policy: "FAIL_CLOSED" },
  open: { failure_policy: "FAIL_OPEN" },
  old: { fail_open: true },
  // Over when the first stream fails: Envoy counts it from when the VM was made.
  reload: {
    failure_policy: "FAIL_RELOAD",
    reload_config: { backoff: { base_interval: "0.01s" } },
  },
};

interface Place {
  readonly title: string;
  /** What fails, once. */
  readonly line: string;
  readonly hcm: (plugin: JsonObject) => JsonObject;
}

const asBoth = (plugin: JsonObject): JsonObject => ({
  ...scriptedChain(plugin),
  ...fieldAccessLog(plugin),
});

const PLACES: Readonly<Record<string, Place>> = {
  logger: { title: "an access logger", line: "log#1 trap", hcm: fieldAccessLog },
  log: { title: "on_log of a filter", line: "log#1 trap", hcm: scriptedChain },
  done: { title: "on_done of a filter", line: "done#1 trap", hcm: scriptedChain },
  delete: { title: "on_delete of a filter", line: "delete#1 trap", hcm: scriptedChain },
  both: { title: "on_log of a filter that logs, too", line: "log#1 trap", hcm: asBoth },
  second: { title: "the second on_log of a filter that logs", line: "log#2 trap", hcm: asBoth },
};

function siteOf(name: string, { line, hcm }: Place, policy: JsonObject): Site {
  return { hcm: hcm(scriptedPlugin(name, [line], policy)) };
}

/** The back-off of 10 ms is over before the first one comes. */
function streams(site: string): readonly Connection[] {
  return [
    { site, send: [{ pauseMs: 100 }, get("/a")] },
    { site, send: [{ pauseMs: 100 }, get("/after")] },
    { site, send: [{ pauseMs: 100 }, get("/last")] },
  ];
}

const ALL = Object.entries(PLACES).flatMap(([place, { title }]) =>
  Object.keys(POLICIES).map((policy) => ({ place, policy, title, site: `${place}_${policy}` })),
);

export const wasmLogFaults: Group = {
  id: "wasm-log-faults",
  title: "guests that trap when a stream is over",
  guests: true,
  stats: "wasm\\..*vm_reload_(success|failure|backoff)",
  sites: {
    main: {},
    ...Object.fromEntries(
      ALL.map(({ place, policy, site }) => [
        site,
        siteOf(site, PLACES[place] as Place, POLICIES[policy] as JsonObject),
      ]),
    ),
  },
  cases: ALL.map(
    ({ place, policy, title, site }): Case => ({
      id: `wasm-log-fault-${place}-${policy}`,
      title: `a trap in ${title}, and the streams after it: ${policy}`,
      connections: streams(site),
    }),
  ),
};

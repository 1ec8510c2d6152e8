// Runtime layers: what static layers say, and what /runtime_modify changes (check 57). All values are
// all or nothing, so that no case asks chance.
import { type Group, get, type JsonObject, one } from "../case.ts";

/** A route for a share of the requests: 100 % or none of them, unless its key says otherwise. */
function share(path: string, key: string, percent: number): JsonObject {
  return {
    name: `share-${key}`,
    match: {
      path,
      runtime_fraction: { runtime_key: key, default_value: { numerator: percent } },
    },
    direct_response: { status: 200, body: { inline_string: "in" } },
  };
}

function weighted(path: string, prefix: string): JsonObject {
  return {
    name: `weighted-${prefix}`,
    match: { path },
    route: {
      weighted_clusters: {
        runtime_key_prefix: prefix,
        clusters: [
          { name: "up", weight: 100 },
          { name: "other", weight: 0 },
        ],
      },
    },
  };
}

const REST: JsonObject = {
  name: "rest",
  match: { prefix: "/" },
  direct_response: { status: 404, body: { inline_string: "out" } },
};

/** Keys of the static layers, each with its own meaning, and a route of its own. */
const STATIC: Readonly<Record<string, JsonObject[string]>> = {
  zero: 0,
  hundred: 100,
  more: 250,
  negative: -1,
  text: "100",
  odd: "most",
  truth: true,
  fraction: { numerator: 100 },
  millionth: { numerator: 0, denominator: "MILLION" },
};

function changed(name: string, query: string, path: string): Group["cases"][number] {
  return {
    id: `runtime-${name}`,
    title: `/runtime_modify?${query} and GET ${path} (check 57)`,
    adminPost: `/runtime_modify?${query}`,
    connections: one(get(path)),
  };
}

export const runtime: Group = {
  id: "runtime",
  title: "runtime layers",
  bootstrap: {
    layered_runtime: {
      layers: [
        { name: "base", static_layer: { s: STATIC, both: 100 } },
        { name: "over", static_layer: { both: 0, "weights.other": 100, "weights.up": 0 } },
        { name: "admin", admin_layer: {} },
      ],
    },
  },
  sites: {
    main: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            share("/none", "unset", 0),
            share("/all", "unset", 100),
            share("/live", "live", 0),
            share("/both", "both", 100),
            ...Object.keys(STATIC).map((key) => share(`/static-${key}`, `s.${key}`, 0)),
            weighted("/weights", "weights"),
            weighted("/weights-live", "live_weights"),
            REST,
          ],
        },
      ],
    },
    logged: {
      hcm: {
        access_log: [
          {
            name: "envoy.access_loggers.file",
            filter: {
              status_code_filter: {
                comparison: { op: "GE", value: { default_value: 400, runtime_key: "log.from" } },
              },
            },
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
              path: "$DIR/logged.log",
              log_format: {
                text_format_source: { inline_string: "%RESPONSE_CODE% %REQ(:PATH)%\n" },
              },
            },
          },
        ],
      },
      virtualHosts: [{ name: "all", domains: ["*"], routes: [share("/in", "unset", 100), REST] }],
    },
    sampled: {
      hcm: {
        access_log: [
          {
            name: "envoy.access_loggers.file",
            filter: { runtime_filter: { runtime_key: "log.share" } },
            typed_config: {
              "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
              path: "$DIR/sampled.log",
              log_format: {
                text_format_source: { inline_string: "%RESPONSE_CODE% %REQ(:PATH)%\n" },
              },
            },
          },
        ],
      },
      virtualHosts: [{ name: "all", domains: ["*"], routes: [REST] }],
    },
  },
  cases: [
    ...["/none", "/all", "/both", ...Object.keys(STATIC).map((key) => `/static-${key}`)].map(
      (path) => ({
        id: `runtime${path.replace("/", "-")}`,
        title: `a runtime_fraction without changes: GET ${path} (check 57)`,
        connections: one(get(path)),
      }),
    ),
    changed("live-on", "live=100", "/live"),
    changed("live-zero", "live=0", "/live"),
    changed("live-json", "live=%7B%22numerator%22:100%7D", "/live"),
    changed("live-yaml", "live=numerator:%20100", "/live"),
    changed("live-text", "live=most", "/live"),
    changed("live-over", "both=100", "/both"),
    changed("live-removed", "both=&live=", "/both"),
    {
      id: "runtime-weights",
      title: "weights of a static layer",
      connections: one(get("/weights")),
    },
    {
      id: "runtime-weights-default",
      title: "weights without values",
      connections: one(get("/weights-live")),
    },
    changed("weights-live", "live_weights.up=0&live_weights.other=1", "/weights-live"),
    {
      id: "runtime-log-default",
      title: "the value of an access-log filter",
      connections: [{ site: "logged", send: [get("/in"), get("/out")], responses: 2 }],
    },
    {
      id: "runtime-log-changed",
      title: "the value of an access-log filter, changed",
      adminPost: "/runtime_modify?log.from=200",
      connections: [{ site: "logged", send: [get("/in"), get("/out")], responses: 2 }],
    },
    {
      id: "runtime-log-share",
      title: "runtime_filter without a value logs nothing",
      connections: [{ site: "sampled", send: [get("/1"), get("/2")], responses: 2 }],
    },
    {
      id: "runtime-log-share-changed",
      title: "runtime_filter, changed to all",
      adminPost: "/runtime_modify?log.share=100",
      connections: [{ site: "sampled", send: [get("/1"), get("/2")], responses: 2 }],
    },
  ],
};

// What routes say about the filters of the chain: typed_per_filter_config (check 71).
import { ROUTER_TYPE } from "../bootstrap.ts";
import { type Group, get, type JsonObject, one } from "../case.ts";
import { STAMP_GUEST } from "./stamp-guest.ts";

const FILTER_CONFIG = "type.googleapis.com/envoy.config.route.v3.FilterConfig";
const WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

/** A filter that adds `x-stamp: 1` to responses. */
function stamp(name: string, more: JsonObject = {}): JsonObject {
  const code = { local: { inline_bytes: STAMP_GUEST } };
  const vm_config = { runtime: "envoy.wasm.runtime.v8", code };
  return { name, typed_config: { "@type": WASM, config: { name, vm_config } }, ...more };
}

function chain(...filters: readonly JsonObject[]): JsonObject {
  const router = { name: "envoy.filters.http.router", typed_config: { "@type": ROUTER_TYPE } };
  return { http_filters: [...filters, router] };
}

/** `typed_per_filter_config` that switches filters. */
function switched(disabled: Readonly<Record<string, boolean>>): JsonObject {
  const entries = Object.entries(disabled).map(([name, isDisabled]) => [
    name,
    { "@type": FILTER_CONFIG, disabled: isDisabled, config: {} },
  ]);
  return { typed_per_filter_config: Object.fromEntries(entries) as JsonObject };
}

function direct(path: string, more: JsonObject = {}): JsonObject {
  return { name: path.slice(1), match: { path }, direct_response: { status: 200 }, ...more };
}

export const filters: Group = {
  id: "filters",
  title: "filters that routes switch",
  sites: {
    main: {
      hcm: chain(stamp("a"), stamp("b", { disabled: true })),
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [
            direct("/both-default"),
            direct("/a-off", switched({ a: true })),
            direct("/b-on", switched({ b: false })),
            direct("/swapped", switched({ a: true, b: false })),
            {
              name: "weighted",
              match: { path: "/weighted" },
              route: {
                weighted_clusters: {
                  clusters: [{ name: "up", weight: 1, ...switched({ a: true }) }],
                },
              },
            },
            { name: "up", match: { path: "/up" }, route: { cluster: "up" } },
          ],
        },
        {
          name: "off",
          domains: ["off.local"],
          ...switched({ a: true }),
          routes: [direct("/host-off"), direct("/route-on", switched({ a: false }))],
        },
      ],
    },
    table: {
      hcm: chain(stamp("a")),
      routeConfig: switched({ a: true }),
      virtualHosts: [
        { name: "all", domains: ["*"], routes: [direct("/table-off")] },
        {
          name: "on",
          domains: ["on.local"],
          ...switched({ a: false }),
          routes: [direct("/host-on")],
        },
      ],
    },
  },
  cases: [
    ...["/both-default", "/a-off", "/b-on", "/swapped", "/weighted", "/up", "/nowhere"].map(
      (path) => ({
        id: `filter-switch${path.replace("/", "-")}`,
        title: `two filters and typed_per_filter_config: ${path} (check 71)`,
        connections: one(get(path)),
      }),
    ),
    ...["/host-off", "/route-on"].map((path) => ({
      id: `filter-switch${path.replace("/", "-")}`,
      title: `a virtual host switches a filter off: ${path} (check 71)`,
      connections: one(get(path, "Host: off.local")),
    })),
    {
      id: "filter-switch-table-off",
      title: "a route table switches a filter off (check 71)",
      connections: one(get("/table-off"), "table"),
    },
    {
      id: "filter-switch-host-on",
      title: "a virtual host switches it on again (check 71)",
      connections: one(get("/host-on", "Host: on.local"), "table"),
    },
  ],
};

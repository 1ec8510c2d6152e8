// Configurations of upstream filters of which Envoy refuses some: only yes or no is compared.
import { cluster, ROUTER_TYPE } from "../bootstrap.ts";
import type { ConfigCase, JsonObject } from "../case.ts";
import { CODEC, guest, options, router } from "./upstream-filters.ts";

const ROUTER = { name: "envoy.filters.http.router", typed_config: { "@type": ROUTER_TYPE } };
const FILTERS = "type.googleapis.com/envoy.extensions.filters.http";
const CORS = { name: "cors", typed_config: { "@type": `${FILTERS}.cors.v3.Cors` } };
const GUEST = guest("u", []);
const LATE_CODEC = {
  name: "late",
  config_discovery: {
    config_source: { path_config_source: { path: "$DIR/none.yaml" } },
    type_urls: [`${FILTERS}.upstream_codec.v3.UpstreamCodec`],
  },
};

/** The lists that are judged, by the ids of their cases. */
const LISTS: Readonly<Record<string, readonly [string, ...JsonObject[]]>> = {
  "codec-alone": ["the codec alone", CODEC],
  guest: ["a wasm filter and the codec", GUEST, CODEC],
  "same-names": ["two filters of one name", GUEST, GUEST, CODEC],
  "no-codec": ["no codec at the end", GUEST],
  "codec-first": ["the codec in front of a filter", CODEC, GUEST],
  "codec-twice": ["two codecs", CODEC, CODEC],
  "codec-optional": ["an optional codec", GUEST, { ...CODEC, is_optional: true }],
  "codec-disabled": ["a codec that is switched off", GUEST, { ...CODEC, disabled: true }],
  "codec-discovered": ["a codec that comes later", GUEST, LATE_CODEC],
  "codec-untyped": ["a codec without a configuration", GUEST, { name: "codec" }],
  router: ["a router in place of the codec", GUEST, ROUTER],
  "router-and-codec": ["a router in front of the codec", ROUTER, CODEC],
  "no-such-filter": ["a filter that cannot stand there", CORS, CODEC],
  "no-such-optional": ["an optional one", { ...CORS, is_optional: true }, CODEC],
  "no-name": ["a filter without a name", { ...GUEST, name: "" }, CODEC],
};

export const UPSTREAM_FILTER_CONFIG_CASES: readonly ConfigCase[] = [
  ...Object.entries(LISTS).flatMap(([id, [title, ...filters]]) => [
    {
      id: `config-upf-router-${id}`,
      title: `upstream filters of a router: ${title}`,
      site: { hcm: { http_filters: [router(...filters)] } },
    },
    {
      id: `config-upf-cluster-${id}`,
      title: `upstream filters of a cluster: ${title}`,
      clusters: [cluster("more", ["$up:up"], options(...filters))],
    },
  ]),
  {
    id: "config-upf-codec-downstream",
    title: "the upstream codec in front of the router",
    site: { hcm: { http_filters: [CODEC, ROUTER] } },
  },
  {
    id: "config-upf-codec-ends-downstream",
    title: "the upstream codec in place of the router",
    site: { hcm: { http_filters: [CODEC] } },
  },
];

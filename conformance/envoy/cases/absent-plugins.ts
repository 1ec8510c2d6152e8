// Plugins whose module cannot be fetched, in every place where one may stand: what streams and
// connections meet, by failure policy.
import { cluster, ROUTER_TYPE } from "../bootstrap.ts";
import { type Case, type Group, get, type JsonObject, one, type Site } from "../case.ts";
import { CODEC, options, router } from "./upstream-filters.ts";

const EXTENSIONS = "type.googleapis.com/envoy.extensions";
const ROUTER = { name: "envoy.filters.http.router", typed_config: { "@type": ROUTER_TYPE } };

/** Nobody serves it. */
function plugin(name: string, more: JsonObject): JsonObject {
  const http_uri = { uri: "http://modules.local/a.wasm", cluster: "dead", timeout: "1s" };
  const back_off = { base_interval: "0.01s", max_interval: "0.02s" };
  const retry_policy = { num_retries: 1, retry_back_off: back_off };
  const remote = { http_uri, retry_policy, sha256: "00".repeat(32) };
  return {
    name,
    root_id: name,
    vm_config: { vm_id: name, runtime: "envoy.wasm.runtime.v8", code: { remote } },
    ...more,
  };
}

const policies: Readonly<Record<string, JsonObject>> = {
  unset: {},
  closed: { failure_policy: "FAIL_CLOSED" },
  open: { failure_policy: "FAIL_OPEN" },
  reload: { failure_policy: "FAIL_RELOAD" },
};

function http(name: string, more: JsonObject): JsonObject {
  const config = plugin(name, more);
  return { name, typed_config: { "@type": `${EXTENSIONS}.filters.http.wasm.v3.Wasm`, config } };
}

function network(name: string, more: JsonObject): JsonObject {
  const config = plugin(name, more);
  return { name, typed_config: { "@type": `${EXTENSIONS}.filters.network.wasm.v3.Wasm`, config } };
}

const TCP: JsonObject = {
  name: "tcp",
  typed_config: {
    "@type": `${EXTENSIONS}.filters.network.tcp_proxy.v3.TcpProxy`,
    stat_prefix: "tcp",
    cluster: "up",
  },
};

function logged(name: string, more: JsonObject): JsonObject {
  const type = `${EXTENSIONS}.access_loggers.wasm.v3.WasmAccessLog`;
  return { name, typed_config: { "@type": type, config: plugin(name, more) } };
}

function behind(to: string): JsonObject {
  return {
    name: "all",
    domains: ["*"],
    routes: [{ name: "rest", match: { prefix: "/" }, route: { cluster: to } }],
  };
}

/** One site for each place and policy. */
function sitesOf(policy: string, more: JsonObject): Record<string, Site> {
  return {
    [`http_${policy}`]: { hcm: { http_filters: [http(`http_${policy}`, more), ROUTER] } },
    [`network_${policy}`]: { filters: [network(`network_${policy}`, more), TCP] },
    [`log_${policy}`]: { hcm: { access_log: [logged(`log_${policy}`, more)] } },
    [`router_${policy}`]: {
      hcm: { http_filters: [router(http(`router_${policy}`, more), CODEC)] },
    },
    [`cluster_${policy}`]: { virtualHosts: [behind(`filtered_${policy}`)] },
  };
}

function casesOf(policy: string): Case[] {
  const places: Readonly<Record<string, string>> = {
    http: "an HTTP filter",
    network: "a network filter",
    log: "an access logger",
    router: "a router's upstream filter",
    cluster: "a cluster's upstream filter",
  };
  return Object.entries(places).map(([place, what]) => ({
    id: `absent-${place}-${policy}`,
    title: `${what} without its module, policy ${policy}`,
    connections:
      place === "network" && policy !== "open"
        ? // Bytes that nobody reads would turn the end into a reset, or not.
          [{ site: `${place}_${policy}`, raw: true, send: [{ awaitEnd: true }] }]
        : one(get("/a"), `${place}_${policy}`),
    // The fetches of other plugins may still be under way.
    ignoreStats: true,
  }));
}

const service = {
  name: "envoy.bootstrap.wasm",
  typed_config: {
    "@type": `${EXTENSIONS}.wasm.v3.WasmService`,
    singleton: true,
    config: plugin("service", {}),
  },
};

export const absentPlugins: Group = {
  id: "absent-plugins",
  title: "plugins whose module cannot be fetched",
  sites: Object.assign(
    {},
    ...Object.entries(policies).map(([policy, more]) => sitesOf(policy, more)),
  ) as Record<string, Site>,
  clusters: Object.entries(policies).map(([policy, more]) =>
    cluster(`filtered_${policy}`, ["$up:up"], options(http(`cluster_${policy}`, more), CODEC)),
  ),
  bootstrap: { bootstrap_extensions: [service] },
  cases: Object.keys(policies).flatMap(casesOf),
};

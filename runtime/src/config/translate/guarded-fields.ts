// Fields that --ignore-unsupported does not cover: without them somebody could get what the
// configuration denies him. Read by every reader of a message that has such fields.
import type { ConfigNode } from "../config-node.ts";
import type { Translation } from "./translation.ts";

type Reasons = Readonly<Record<string, string>>;

const MATCH_WIDER = "the route would match requests that it should not";
const PATH_KEPT = "requests would reach other paths of the upstream than they should";
const HOSTS_WIDER = "requests would reach hosts that they should not";
const PLAIN_TEXT = "traffic would go in plain text";

const guardedFields: Readonly<Record<string, Reasons>> = {
  "envoy.config.bootstrap.v3.Bootstrap": {
    header_prefix: "clients could set the headers that the upstream trusts",
  },
  "envoy.config.bootstrap.v3.Admin": {
    allow_paths: "the admin interface would answer on all paths",
    socket_options: "the admin interface could be reached on other interfaces",
  },
  "envoy.config.listener.v3.Listener": {
    fcds_config: "connections would get another filter chain than they should",
  },
  "envoy.config.core.v3.SocketAddress": {
    network_namespace_filepath: "the socket would be in another network namespace",
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": {
    original_ip_detection_extensions: "the client's address would be wrong",
    early_header_mutation_extensions: "requests would keep headers that should be changed",
    typed_header_validation_config: "requests would pass that should be refused",
    path_normalization_options: "routes would match other paths than they should",
  },
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": {
    on_demand: HOSTS_WIDER,
  },
  "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy.TunnelingConfig": {
    formatters: "the tunnel's headers would say something else",
  },
  "envoy.config.route.v3.RouteConfiguration": {
    vhost_header: "requests would get another virtual host than they should",
    ignore_path_parameters_in_path_matching: "routes would match other paths than they should",
    route_specifiers: "requests would get another route than they should",
  },
  "envoy.config.route.v3.VirtualHost": {
    route_specifiers: "requests would get another route than they should",
  },
  "envoy.config.route.v3.Route": {
    route_specifiers: "requests would get another route than they should",
  },
  "envoy.config.route.v3.RouteMatch": {
    path_match_policy: "requests would get another route than they should",
    cookies: MATCH_WIDER,
    dynamic_metadata: MATCH_WIDER,
    filter_state: MATCH_WIDER,
  },
  "envoy.config.route.v3.RouteAction": {
    metadata_match: HOSTS_WIDER,
    path_rewrite: PATH_KEPT,
    path_rewrite_policy: PATH_KEPT,
  },
  "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.UpgradeConfig":
    { filters: "requests would go without their filters" },
  "envoy.config.route.v3.WeightedCluster.ClusterWeight": { metadata_match: HOSTS_WIDER },
  "envoy.type.matcher.v3.StringMatcher": { custom: MATCH_WIDER },
  "xds.type.matcher.v3.StringMatcher": { custom: MATCH_WIDER },
  "envoy.config.cluster.v3.Cluster": {
    lb_subset_config: HOSTS_WIDER,
    transport_socket_matcher: PLAIN_TEXT,
    filters: "connections would go without their filters",
    upstream_config: "connections would be made in another way than they should",
  },
};

/** Reports the guarded fields that a message sets. */
export function guard(t: Translation, node: ConfigNode | undefined): void {
  if (node === undefined) return;
  for (const [field, why] of Object.entries(guardedFields[node.typeName] ?? {})) {
    if (!node.hasEffect(field)) continue;
    node.accept(field, "reported as a whole");
    t.guarded(node, "", why, field);
  }
}

/** All names of the table, for the test that compares them with the API. */
export function guardedFieldNames(): readonly (readonly [string, string])[] {
  return Object.entries(guardedFields).flatMap(([type, fields]) =>
    Object.keys(fields).map((field): [string, string] => [type, field]),
  );
}

// Walks the descriptors of the messages that the readers look into: whatever of them a configuration
// sets is in the snapshot, is accepted with a reason, or is reported. Nothing is dropped in silence.
import { CONFIG, MANAGER, shownElsewhere, TLS_V3 } from "./every-field-for-test.ts";
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../../test/certificates.ts";
import { ConfigErrors } from "../config-error.ts";
import { Schema } from "../schema.ts";
import {
  address,
  assignment,
  boot,
  cluster,
  endpoint,
  type Fields,
  forward,
  HCM,
  load,
  respond,
  router,
  ROUTER,
  table,
  type,
  wasmFilter,
} from "./bootstrap-for-test.ts";
import { guardedFieldNames } from "./guarded-fields.ts";
import { translateBootstrap } from "./translate-bootstrap.ts";

const schema = Schema.open();
/** For machines with other things to do: the largest message takes one second alone. */
const TEST_MS_MAX = 60_000;
const CONNECTION = `${CONFIG}.cluster.v3.UpstreamConnectionOptions`;
const EXTENSIONS = "envoy.extensions";
const TCP = `${EXTENSIONS}.filters.network.tcp_proxy.v3.TcpProxy`;
const HTTP_OPTIONS = `${EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions`;
const FILE_LOG = `${EXTENSIONS}.access_loggers.file.v3.FileAccessLog`;
const STDOUT_LOG = `${EXTENSIONS}.access_loggers.stream.v3.StdoutAccessLog`;
const LEAST_REQUEST = `${EXTENSIONS}.load_balancing_policies.least_request.v3.LeastRequest`;
const DNS_CLUSTER = `${EXTENSIONS}.clusters.dns.v3.DnsCluster`;
const TLS_INSPECTOR = `${EXTENSIONS}.filters.listener.tls_inspector.v3.TlsInspector`;
const PROXY_PROTOCOL = `${EXTENSIONS}.filters.listener.proxy_protocol.v3.ProxyProtocol`;
const RAW = `${EXTENSIONS}.transport_sockets.raw_buffer.v3.RawBuffer`;
const TLS = `${EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext`;
const UPSTREAM_TLS = `${TLS_V3}.UpstreamTlsContext`;
const PROXY_TRANSPORT = `${EXTENSIONS}.transport_sockets.proxy_protocol.v3.ProxyProtocolUpstreamTransport`;
const FIXED_HEAP = `${EXTENSIONS}.resource_monitors.fixed_heap.v3.FixedHeapConfig`;
const PRESERVE_CASE = `${EXTENSIONS}.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig`;

const inRoute = (route: Fields): Fields => boot({ routes: table(route) });
const inTcpProxy = (proxy: Fields): Fields =>
  boot({ chain: { filters: [{ name: "tcp", typed_config: { ...type(TCP), ...proxy } }] } });
const inListenerFilter = (typed_config: Fields): Fields =>
  boot({ listener: { listener_filters: [{ name: "f", typed_config }] } });
const inCluster = (more: Fields): Fields => boot({ clusters: [cluster(more)] });
const inMatch = (match: Fields): Fields => inRoute({ ...forward(), match });
const inLog = (log: Fields): Fields => boot({ hcm: { access_log: [log] } });
const inFilter = (filter: Fields): Fields => inLog({ name: "l", filter, typed_config: stdout });
const inPlugin = (config: Fields): Fields =>
  boot({ hcm: { http_filters: [wasmFilter("w", config), router] } });
const inOptions = (options: Fields): Fields =>
  inCluster({ typed_extension_protocol_options: { [HTTP_OPTIONS]: options } });
const { chainPem, keyPem } = await makeCertificate("server");
const pair = {
  certificate_chain: { inline_string: chainPem },
  private_key: { inline_string: keyPem },
};
const trusted = { trusted_ca: { inline_string: chainPem } };
const common = { tls_certificates: [pair] };
const secretConfig = { name: "server" };
/** Two secrets: one of them is the base's. */
const secrets = ["server", "zzzz"].map((name) => ({ name, tls_certificate: pair }));
const inTransport = (typed_config: Fields): Fields => ({
  transport_socket: { name: "x", typed_config },
});
const inChainTls = (typed: Fields): Fields => {
  const { static_resources } = boot({ chain: inTransport(typed) });
  return { static_resources: { ...(static_resources as Fields), secrets } };
};
const inCommon = (m: Fields): Fields => inChainTls({ ...type(TLS), common_tls_context: m });
const inValidation = (m: Fields): Fields => inCommon({ ...common, validation_context: m });
const inSocket = (typed: Fields): Fields => inCluster(inTransport(typed));
const inProxyConfig = (config: Fields): Fields =>
  inSocket({ ...type(PROXY_TRANSPORT), ...inTransport(type(RAW)), config });
const inStatusFilter = (comparison: Fields): Fields =>
  inFilter({ status_code_filter: { comparison } });

const heap = { name: "heap", typed_config: { ...type(FIXED_HEAP), max_heap_size_bytes: 1 } };
const trigger = { name: "heap", threshold: { value: 0.5 } };
const inOverload = (manager: Fields): Fields =>
  boot({ bootstrap: { overload_manager: { resource_monitors: [heap], ...manager } } });
const inMonitor = (monitor: Fields): Fields => inOverload({ resource_monitors: [monitor] });
const inTrigger = (m: Fields): Fields =>
  inOverload({ actions: [{ name: "envoy.overload_actions.shrink_heap", triggers: [m] }] });
const stdout = type(STDOUT_LOG);
const http1 = { explicit_http_config: { http_protocol_options: {} } };
const wasmCode = { local: { inline_bytes: "AGFzbQEAAAA=" } };
const vmConfig = { runtime: "envoy.wasm.runtime.v8", code: wasmCode };
const comparison = { op: "GE", value: { default_value: 500, runtime_key: "k" } };
const weighted = { clusters: [{ name: "up", weight: 1 }] };
const traceable = { traceable_filter: {} };
const strictDns = { type: "STRICT_DNS", load_assignment: assignment(endpoint("a.example")) };

const node = { id: "n", cluster: "c" };
const file: Fields = { path_config_source: { path: "/dev/null" } };

function edsCluster(eds_cluster_config: Fields): Fields {
  return { name: "up", type: "EDS", eds_cluster_config };
}

interface Context {
  /** The message with what it must have. */
  readonly base: Fields;
  /** A bootstrap with the message in it. */
  readonly place: (message: Fields) => Fields;
}

/** A message as it must be at least, and a bootstrap around it. */
const contexts: Readonly<Record<string, Context>> = {
  [`${CONFIG}.bootstrap.v3.Bootstrap`]: { base: boot(), place: (m) => m },
  [`${CONFIG}.bootstrap.v3.Bootstrap.StaticResources`]: {
    base: { clusters: [cluster()] },
    place: (m) => ({ static_resources: m }),
  },
  [`${CONFIG}.bootstrap.v3.Watchdogs`]: {
    base: {},
    place: (m) => ({ ...boot(), watchdogs: m }),
  },
  [`${CONFIG}.bootstrap.v3.Watchdog`]: {
    base: {},
    place: (m) => ({ ...boot(), watchdogs: { worker_watchdog: m } }),
  },
  [`${CONFIG}.bootstrap.v3.Admin`]: {
    base: { address: address() },
    place: (admin) => boot({ bootstrap: { admin } }),
  },
  [`${CONFIG}.overload.v3.OverloadManager`]: {
    base: { resource_monitors: [heap] },
    place: (m) => boot({ bootstrap: { overload_manager: m } }),
  },
  [`${CONFIG}.overload.v3.ResourceMonitor`]: { base: heap, place: inMonitor },
  [`${CONFIG}.overload.v3.OverloadAction`]: {
    base: { name: "envoy.overload_actions.shrink_heap", triggers: [trigger] },
    place: (m) => inOverload({ actions: [m] }),
  },
  [`${CONFIG}.overload.v3.Trigger`]: { base: { name: "heap" }, place: inTrigger },
  [`${CONFIG}.overload.v3.ScaleTimersOverloadActionConfig.ScaleTimer`]: {
    base: { timer: "HTTP_DOWNSTREAM_STREAM_IDLE", min_timeout: "1s" },
    place: (m) =>
      inOverload({
        actions: [
          {
            name: "envoy.overload_actions.reduce_timeouts",
            triggers: [trigger],
            typed_config: {
              ...type(`${CONFIG}.overload.v3.ScaleTimersOverloadActionConfig`),
              timer_scale_factors: [m],
            },
          },
        ],
      }),
  },
  [FIXED_HEAP]: {
    base: { ...type(FIXED_HEAP), max_heap_size_bytes: 1 },
    place: (m) => inMonitor({ name: "heap", typed_config: m }),
  },
  [`${CONFIG}.bootstrap.v3.RuntimeLayer`]: {
    base: { name: "a", static_layer: {} },
    place: (layer) => boot({ bootstrap: { layered_runtime: { layers: [layer] } } }),
  },
  [`${CONFIG}.core.v3.Node`]: { base: {}, place: (node) => boot({ bootstrap: { node } }) },
  [`${CONFIG}.listener.v3.Listener`]: { base: {}, place: (listener) => boot({ listener }) },
  [`${CONFIG}.listener.v3.ListenerFilter`]: {
    base: {
      name: "x",
      typed_config: type(TLS_INSPECTOR),
    },
    place: (filter) => boot({ listener: { listener_filters: [filter] } }),
  },
  [PROXY_PROTOCOL]: { base: type(PROXY_PROTOCOL), place: inListenerFilter },
  [`${PROXY_PROTOCOL}.Rule`]: {
    base: { tlv_type: 1, on_tlv_present: { key: "a" } },
    place: (m) => inListenerFilter({ ...type(PROXY_PROTOCOL), rules: [m] }),
  },
  [`${PROXY_PROTOCOL}.KeyValuePair`]: {
    base: { key: "a" },
    place: (m) =>
      inListenerFilter({ ...type(PROXY_PROTOCOL), rules: [{ tlv_type: 1, on_tlv_present: m }] }),
  },
  [TLS_INSPECTOR]: { base: type(TLS_INSPECTOR), place: inListenerFilter },
  [`${CONFIG}.listener.v3.FilterChainMatch`]: {
    base: { destination_port: 1 },
    place: (m) => boot({ chain: { filter_chain_match: m } }),
  },
  [`${CONFIG}.listener.v3.AdditionalAddress`]: {
    base: { address: address("127.0.0.2") },
    place: (m) => boot({ listener: { additional_addresses: [m] } }),
  },
  [`${CONFIG}.listener.v3.FilterChain`]: { base: {}, place: (chain) => boot({ chain }) },
  [`${CONFIG}.listener.v3.Filter`]: {
    base: { name: "x", typed_config: { ...type(HCM), stat_prefix: "x", route_config: table() } },
    place: (filter) => boot({ chain: { filters: [filter] } }),
  },
  [`${CONFIG}.core.v3.TransportSocket`]: {
    base: { name: "x", typed_config: type(RAW) },
    place: (m) => boot({ chain: { transport_socket: m } }),
  },
  [`${CONFIG}.core.v3.Address`]: {
    base: {},
    place: (m) => boot({ listener: { address: m } }),
  },
  [`${CONFIG}.core.v3.SocketAddress`]: {
    base: { address: "::", port_value: 0 },
    place: (m) => boot({ listener: { address: { socket_address: m } } }),
  },
  [`${CONFIG}.core.v3.Pipe`]: {
    base: { path: "/run/a.sock" },
    place: (pipe) => boot({ listener: { address: { pipe } } }),
  },
  [`${CONFIG}.core.v3.TcpKeepalive`]: {
    base: {},
    place: (m) => boot({ listener: { tcp_keepalive: m } }),
  },
  [`${MANAGER}.HttpConnectionManager`]: {
    base: {
      ...type(HCM),
      stat_prefix: "main",
      route_config: table(forward()),
      http_filters: [router],
    },
    place: (m) => boot({ chain: { filters: [{ name: "hcm", typed_config: m }] } }),
  },
  [TCP]: {
    base: { stat_prefix: "t", cluster: "up", proxy_protocol_tlvs: [{ type: 1, value: "YQ==" }] },
    place: inTcpProxy,
  },
  [`${TCP}.TunnelingConfig`]: {
    base: { hostname: "h", use_post: true },
    place: (m) => inTcpProxy({ stat_prefix: "t", cluster: "up", tunneling_config: m }),
  },
  [`${TCP}.TcpAccessLogOptions`]: {
    base: {},
    place: (m) => inTcpProxy({ stat_prefix: "t", cluster: "up", access_log_options: m }),
  },
  [`${TCP}.WeightedCluster`]: {
    base: { clusters: [{ name: "up", weight: 1 }] },
    place: (m) => inTcpProxy({ stat_prefix: "t", weighted_clusters: m }),
  },
  [`${TCP}.WeightedCluster.ClusterWeight`]: {
    base: { name: "up", weight: 1 },
    place: (m) => inTcpProxy({ stat_prefix: "t", weighted_clusters: { clusters: [m] } }),
  },
  [`${MANAGER}.HttpConnectionManager.InternalAddressConfig`]: {
    base: {},
    place: (m) => boot({ hcm: { internal_address_config: m } }),
  },
  [`${MANAGER}.Rds`]: {
    base: { route_config_name: "r", config_source: file },
    place: (rds) => boot({ bootstrap: { node }, hcm: { route_config: undefined, rds } }),
  },
  [`${CONFIG}.core.v3.ConfigSource`]: {
    base: file,
    place: (config_source) =>
      boot({
        bootstrap: { node },
        hcm: { route_config: undefined, rds: { route_config_name: "r", config_source } },
      }),
  },
  [`${CONFIG}.core.v3.PathConfigSource`]: {
    base: { path: "/dev/null" },
    place: (path_config_source) =>
      boot({
        bootstrap: { node },
        clusters: [edsCluster({ eds_config: { path_config_source } })],
      }),
  },
  [`${CONFIG}.cluster.v3.Cluster.EdsClusterConfig`]: {
    base: { eds_config: file },
    place: (m) => boot({ bootstrap: { node }, clusters: [edsCluster(m)] }),
  },
  [`${CONFIG}.core.v3.CidrRange`]: {
    base: { address_prefix: "10.0.0.0", prefix_len: 8 },
    place: (m) => boot({ hcm: { internal_address_config: { cidr_ranges: [m] } } }),
  },
  [`${CONFIG}.core.v3.SchemeHeaderTransformation`]: {
    base: {},
    place: (m) => boot({ hcm: { scheme_header_transformation: m } }),
  },
  [`${CONFIG}.core.v3.HttpProtocolOptions`]: {
    base: {},
    place: (m) => boot({ hcm: { common_http_protocol_options: m } }),
  },
  [`${CONFIG}.core.v3.Http1ProtocolOptions`]: {
    base: {},
    place: (m) => boot({ hcm: { http_protocol_options: m } }),
  },
  [`${CONFIG}.core.v3.Http1ProtocolOptions.HeaderKeyFormat`]: {
    base: {},
    place: (m) => boot({ hcm: { http_protocol_options: { header_key_format: m } } }),
  },
  [PRESERVE_CASE]: {
    base: type(PRESERVE_CASE),
    place: (typed) => {
      const formatter = { name: "p", typed_config: typed };
      const format = { header_key_format: { stateful_formatter: formatter } };
      return boot({ hcm: { http_protocol_options: format } });
    },
  },
  [`${MANAGER}.HttpFilter`]: {
    base: wasmFilter("w"),
    place: (filter) => boot({ hcm: { http_filters: [filter, router] } }),
  },
  [ROUTER]: {
    base: type(ROUTER),
    place: (typed) => boot({ hcm: { http_filters: [{ name: "r", typed_config: typed }] } }),
  },
  [`${MANAGER}.LocalReplyConfig`]: {
    base: {},
    place: (m) => boot({ hcm: { local_reply_config: m } }),
  },
  [`${MANAGER}.ResponseMapper`]: {
    base: { filter: { traceable_filter: {} } },
    place: (m) => boot({ hcm: { local_reply_config: { mappers: [m] } } }),
  },
  [`${EXTENSIONS}.wasm.v3.PluginConfig`]: { base: { vm_config: vmConfig }, place: inPlugin },
  [`${EXTENSIONS}.wasm.v3.VmConfig`]: {
    base: vmConfig,
    place: (m) => inPlugin({ vm_config: m }),
  },
  [`${EXTENSIONS}.wasm.v3.ReloadConfig`]: {
    base: {},
    place: (m) => inPlugin({ reload_config: m }),
  },
  [`${EXTENSIONS}.wasm.v3.EnvironmentVariables`]: {
    base: {},
    place: (m) => inPlugin({ vm_config: { ...vmConfig, environment_variables: m } }),
  },
  [`${EXTENSIONS}.wasm.v3.CapabilityRestrictionConfig`]: {
    base: {},
    place: (m) => inPlugin({ capability_restriction_config: m }),
  },
  [`${CONFIG}.core.v3.AsyncDataSource`]: {
    base: {},
    place: (code) => inPlugin({ vm_config: { ...vmConfig, code } }),
  },
  [`${CONFIG}.core.v3.BackoffStrategy`]: {
    base: { base_interval: "1s" },
    place: (backoff) => inPlugin({ reload_config: { backoff } }),
  },
  [`${CONFIG}.accesslog.v3.AccessLog`]: { base: { name: "l", typed_config: stdout }, place: inLog },
  [`${CONFIG}.accesslog.v3.AccessLogFilter`]: { base: {}, place: inFilter },
  [`${CONFIG}.accesslog.v3.ComparisonFilter`]: { base: comparison, place: inStatusFilter },
  [`${CONFIG}.core.v3.RuntimeUInt32`]: {
    base: { default_value: 500, runtime_key: "k" },
    place: (value) => inStatusFilter({ op: "GE", value }),
  },
  [`${CONFIG}.accesslog.v3.RuntimeFilter`]: {
    base: { runtime_key: "k" },
    place: (m) => inFilter({ runtime_filter: m }),
  },
  [`${CONFIG}.accesslog.v3.HeaderFilter`]: {
    base: { header: { name: "x" } },
    place: (m) => inFilter({ header_filter: m }),
  },
  [`${CONFIG}.accesslog.v3.ResponseFlagFilter`]: {
    base: {},
    place: (m) => inFilter({ response_flag_filter: m }),
  },
  [`${CONFIG}.accesslog.v3.GrpcStatusFilter`]: {
    base: {},
    place: (m) => inFilter({ grpc_status_filter: m }),
  },
  [FILE_LOG]: {
    base: { ...type(FILE_LOG), path: "/dev/null" },
    place: (typed) => inLog({ name: "l", typed_config: typed }),
  },
  [STDOUT_LOG]: { base: stdout, place: (typed) => inLog({ name: "l", typed_config: typed }) },
  [`${CONFIG}.core.v3.SubstitutionFormatString`]: {
    base: { text_format_source: { inline_string: "a" } },
    place: (m) => inLog({ name: "l", typed_config: { ...stdout, log_format: m } }),
  },
  [`${CONFIG}.core.v3.JsonFormatOptions`]: {
    base: {},
    place: (m) => {
      const format = { json_format: { a: "b" }, json_format_options: m };
      return inLog({ name: "l", typed_config: { ...stdout, log_format: format } });
    },
  },
  [`${CONFIG}.route.v3.RouteConfiguration`]: {
    base: { ...table(respond()) },
    place: (routes) => boot({ routes }),
  },
  [`${CONFIG}.route.v3.VirtualHost`]: {
    base: { name: "all", domains: ["*"], routes: [forward()] },
    place: (host) => boot({ routes: { virtual_hosts: [host] } }),
  },
  [`${CONFIG}.route.v3.Route`]: { base: forward(), place: inRoute },
  [`${CONFIG}.route.v3.RouteMatch`]: { base: { prefix: "/" }, place: inMatch },
  [`${CONFIG}.core.v3.RuntimeFractionalPercent`]: {
    base: { default_value: { numerator: 1 } },
    place: (m) => inMatch({ prefix: "/", runtime_fraction: m }),
  },
  "envoy.type.v3.FractionalPercent": {
    base: { numerator: 1 },
    place: (m) => inMatch({ prefix: "/", runtime_fraction: { default_value: m } }),
  },
  [`${CONFIG}.route.v3.HeaderMatcher`]: {
    base: { name: "x" },
    place: (m) => inMatch({ prefix: "/", headers: [m] }),
  },
  [`${CONFIG}.route.v3.QueryParameterMatcher`]: {
    base: { name: "x" },
    place: (m) => inMatch({ prefix: "/", query_parameters: [m] }),
  },
  "envoy.type.matcher.v3.StringMatcher": {
    base: { exact: "a" },
    place: (m) => inMatch({ prefix: "/", headers: [{ name: "x", string_match: m }] }),
  },
  "envoy.type.matcher.v3.RegexMatcher": {
    base: { regex: "a" },
    place: (m) => inMatch({ safe_regex: m }),
  },
  "envoy.type.matcher.v3.RegexMatchAndSubstitute": {
    base: { pattern: { regex: "a" }, substitution: "b" },
    place: (m) => inRoute(forward({ regex_rewrite: m })),
  },
  "envoy.type.v3.Int64Range": {
    base: {},
    place: (m) => inMatch({ prefix: "/", headers: [{ name: "x", range_match: m }] }),
  },
  [`${CONFIG}.route.v3.RouteAction`]: {
    base: { cluster: "up" },
    place: (route) => inRoute({ match: { prefix: "/" }, route }),
  },
  [`${CONFIG}.route.v3.RouteAction.MaxStreamDuration`]: {
    base: {},
    place: (m) => inRoute(forward({ max_stream_duration: m })),
  },
  [`${CONFIG}.route.v3.WeightedCluster`]: {
    base: weighted,
    place: (m) => inRoute({ match: { prefix: "/" }, route: { weighted_clusters: m } }),
  },
  [`${CONFIG}.route.v3.WeightedCluster.ClusterWeight`]: {
    base: { name: "other", weight: 1 },
    place: (m) => {
      const route = { weighted_clusters: { clusters: [m] } };
      const routes = table({ match: { prefix: "/" }, route });
      return boot({ routes, clusters: [cluster(), cluster({ name: "other" })] });
    },
  },
  [`${CONFIG}.route.v3.RedirectAction`]: {
    base: {},
    place: (redirect) => inRoute({ match: { prefix: "/" }, redirect }),
  },
  [`${CONFIG}.route.v3.DirectResponseAction`]: {
    base: { status: 200 },
    place: (m) => inRoute({ match: { prefix: "/" }, direct_response: m }),
  },
  [`${CONFIG}.route.v3.FilterConfig`]: {
    base: { ...type(`${CONFIG}.route.v3.FilterConfig`), config: {} },
    place: (m) => inRoute({ ...forward(), typed_per_filter_config: { router: m } }),
  },
  [`${CONFIG}.core.v3.DataSource`]: {
    base: { inline_string: "a" },
    place: (body) => inRoute(respond({ body })),
  },
  [`${CONFIG}.core.v3.HeaderValueOption`]: {
    base: { header: { key: "x", value: "y" } },
    place: (m) => inRoute(forward({}, { request_headers_to_add: [m] })),
  },
  [`${CONFIG}.core.v3.HeaderValue`]: {
    base: { key: "x" },
    place: (header) => inRoute(forward({}, { request_headers_to_add: [{ header }] })),
  },
  [`${CONFIG}.cluster.v3.Cluster`]: {
    base: cluster(),
    place: (m) => boot({ clusters: [m, cluster({ name: "other" })], routes: table(respond()) }),
  },
  [`${CONFIG}.cluster.v3.Cluster.CustomClusterType`]: {
    base: { name: "x", typed_config: type(DNS_CLUSTER) },
    place: (m) =>
      boot({
        clusters: [{ name: "up", cluster_type: m, load_assignment: assignment(endpoint()) }],
      }),
  },
  [DNS_CLUSTER]: {
    base: type(DNS_CLUSTER),
    place: (typed) => {
      const type = { name: "x", typed_config: typed };
      const one = assignment(endpoint("a.example"));
      return boot({ clusters: [{ name: "up", cluster_type: type, load_assignment: one }] });
    },
  },
  [`${CONFIG}.cluster.v3.Cluster.RefreshRate`]: {
    base: { base_interval: "1s" },
    place: (m) => inCluster({ ...strictDns, dns_failure_refresh_rate: m }),
  },
  [`${CONFIG}.cluster.v3.Cluster.CommonLbConfig`]: {
    base: {},
    place: (m) => inCluster({ common_lb_config: m }),
  },
  [`${CONFIG}.cluster.v3.Cluster.LeastRequestLbConfig`]: {
    base: {},
    place: (m) => inCluster({ lb_policy: "LEAST_REQUEST", least_request_lb_config: m }),
  },
  [`${CONFIG}.cluster.v3.Cluster.RoundRobinLbConfig`]: {
    base: {},
    place: (m) => inCluster({ round_robin_lb_config: m }),
  },
  [LEAST_REQUEST]: {
    base: type(LEAST_REQUEST),
    place: (typed) => {
      const extension = { name: "x", typed_config: typed };
      const policies = [{ typed_extension_config: extension }];
      return inCluster({ load_balancing_policy: { policies } });
    },
  },
  [`${CONFIG}.core.v3.RuntimeDouble`]: {
    base: { default_value: 2, runtime_key: "k" },
    place: (m) => {
      const config = { active_request_bias: m };
      return inCluster({ lb_policy: "LEAST_REQUEST", least_request_lb_config: config });
    },
  },
  [`${CONFIG}.core.v3.TypedExtensionConfig`]: {
    base: { name: "x", typed_config: type(LEAST_REQUEST) },
    place: (m) => {
      const policies = [{ typed_extension_config: m }];
      return inCluster({ load_balancing_policy: { policies } });
    },
  },
  [`${CONFIG}.cluster.v3.CircuitBreakers`]: {
    base: {},
    place: (m) => inCluster({ circuit_breakers: m }),
  },
  [`${CONFIG}.cluster.v3.CircuitBreakers.Thresholds`]: {
    base: { max_connections: 7 },
    place: (m) => inCluster({ circuit_breakers: { thresholds: [m] } }),
  },
  [`${CONFIG}.endpoint.v3.ClusterLoadAssignment`]: {
    base: { cluster_name: "up" },
    place: (m) => inCluster({ load_assignment: m }),
  },
  [`${CONFIG}.endpoint.v3.LocalityLbEndpoints`]: {
    base: { lb_endpoints: [endpoint()] },
    place: (m) => inCluster({ load_assignment: { cluster_name: "up", endpoints: [m] } }),
  },
  [`${CONFIG}.core.v3.Locality`]: {
    base: {},
    place: (locality) =>
      inCluster({ load_assignment: { cluster_name: "up", endpoints: [{ locality }] } }),
  },
  [`${CONFIG}.endpoint.v3.LbEndpoint`]: {
    base: endpoint(),
    place: (m) => inCluster({ load_assignment: assignment(m) }),
  },
  [`${CONFIG}.endpoint.v3.Endpoint`]: {
    base: { address: address("127.0.0.1", 9000) },
    place: (m) => inCluster({ load_assignment: assignment({ endpoint: m }) }),
  },
  [`${CONFIG}.core.v3.BindConfig`]: {
    base: {},
    place: (m) => inCluster({ upstream_bind_config: m }),
  },
  [CONNECTION]: {
    base: {},
    place: (m) => inCluster({ upstream_connection_options: m }),
  },
  [TLS]: { base: { ...type(TLS), common_tls_context: common }, place: inChainTls },
  [UPSTREAM_TLS]: { base: type(UPSTREAM_TLS), place: inSocket },
  [`${TLS_V3}.CommonTlsContext`]: { base: common, place: inCommon },
  [`${TLS_V3}.TlsParameters`]: { base: {}, place: (m) => inCommon({ ...common, tls_params: m }) },
  [`${TLS_V3}.TlsCertificate`]: {
    base: pair,
    place: (m) => inCommon({ tls_certificates: [m] }),
  },
  [`${TLS_V3}.CertificateValidationContext`]: { base: trusted, place: inValidation },
  [`${TLS_V3}.SubjectAltNameMatcher`]: {
    base: { san_type: "OTHER_NAME", oid: "1.2.3", matcher: { exact: "a" } },
    place: (m) => inValidation({ ...trusted, match_typed_subject_alt_names: [m] }),
  },
  [`${TLS_V3}.SdsSecretConfig`]: {
    base: secretConfig,
    place: (m) => inCommon({ tls_certificate_sds_secret_configs: [m] }),
  },
  [`${TLS_V3}.TlsKeyLog`]: {
    base: { path: "/dev/null" },
    place: (m) => inCommon({ ...common, key_log: m }),
  },
  [`${CONFIG}.cluster.v3.Cluster.TransportSocketMatch`]: {
    base: { name: "m", transport_socket: { name: "raw", typed_config: type(RAW) } },
    place: (m) => inCluster({ transport_socket_matches: [m] }),
  },
  [PROXY_TRANSPORT]: {
    base: { ...type(PROXY_TRANSPORT), transport_socket: { name: "r", typed_config: type(RAW) } },
    place: inSocket,
  },
  [`${CONFIG}.core.v3.ProxyProtocolConfig`]: { base: {}, place: inProxyConfig },
  [`${CONFIG}.core.v3.TlvEntry`]: {
    base: { type: 1, value: "YQ==" },
    place: (m) => inProxyConfig({ version: "V2", added_tlvs: [m] }),
  },
  [HTTP_OPTIONS]: { base: { ...type(HTTP_OPTIONS), ...http1 }, place: inOptions },
  [`${HTTP_OPTIONS}.ExplicitHttpConfig`]: {
    base: { http_protocol_options: {} },
    place: (m) => inOptions({ ...type(HTTP_OPTIONS), explicit_http_config: m }),
  },
};

/** Values of messages that say something, where `{}` says nothing or too little. */
const messageValues: Readonly<Record<string, unknown>> = {
  [`${TLS_V3}.CommonTlsContext`]: { alpn_protocols: ["z"] },
  [`${TLS_V3}.TlsParameters`]: { ecdh_curves: ["P-521"] },
  [`${TLS_V3}.TlsCertificate`]: pair,
  [`${TLS_V3}.CertificateValidationContext`]: trusted,
  [`${TLS_V3}.CommonTlsContext.CombinedCertificateValidationContext`]: {
    default_validation_context: trusted,
    validation_context_sds_secret_config: { name: "v" },
  },
  [`${TLS_V3}.SubjectAltNameMatcher`]: { san_type: "DNS", matcher: { exact: "z" } },
  [`${TLS_V3}.SdsSecretConfig`]: secretConfig,
  [`${TLS_V3}.TlsSessionTicketKeys`]: { keys: [{ inline_string: "z".repeat(80) }] },
  [`${TLS_V3}.TlsKeyLog`]: { path: "/dev/null" },
  [`${CONFIG}.cluster.v3.Cluster.TransportSocketMatch`]: { name: "z" },
  [`${CONFIG}.core.v3.ProxyProtocolConfig`]: { version: "V2" },
  [`${CONFIG}.core.v3.ProxyProtocolPassThroughTLVs`]: { match_type: "INCLUDE", tlv_type: [7] },
  [`${CONFIG}.core.v3.TlvEntry`]: { type: 7, value: "eno=" },
  [`${CONFIG}.endpoint.v3.Endpoint.AdditionalAddress`]: { address: address("::1", 1) },
  [`${CONNECTION}.HappyEyeballsConfig`]: { first_address_family_count: 2 },
  [`${TCP}.TunnelingConfig`]: { hostname: "z" },
  [`${TCP}.TcpAccessLogOptions`]: { flush_access_log_on_start: true },
  "envoy.type.v3.HashPolicy": { filter_state: { key: "z" } },
  "google.protobuf.Duration": "7s",
  "google.protobuf.Struct": { a: "b" },
  "google.protobuf.Any": { ...type("google.protobuf.StringValue"), value: "z" },
  "google.protobuf.BoolValue": true,
  "google.protobuf.UInt32Value": 7,
  "google.protobuf.UInt64Value": 7,
  "google.protobuf.DoubleValue": 7,
  "envoy.type.v3.Percent": { value: 7 },
  "envoy.type.v3.FractionalPercent": { numerator: 7 },
  "envoy.type.v3.Int64Range": { start: 7, end: 9 },
  "envoy.type.matcher.v3.RegexMatcher": { regex: "z" },
  "envoy.type.matcher.v3.RegexMatchAndSubstitute": { pattern: { regex: "z" }, substitution: "y" },
  "envoy.type.matcher.v3.StringMatcher": { prefix: "z" },
  [`${CONFIG}.bootstrap.v3.Watchdog`]: { miss_timeout: "7s" },
  [`${CONFIG}.bootstrap.v3.Watchdogs`]: { main_thread_watchdog: { miss_timeout: "7s" } },
  [`${CONFIG}.core.v3.Address`]: address("127.0.0.7"),
  [`${CONFIG}.core.v3.SocketAddress`]: { address: "127.0.0.7", port_value: 0 },
  [`${CONFIG}.core.v3.Pipe`]: { path: "/run/z.sock" },
  [`${CONFIG}.core.v3.TcpKeepalive`]: { keepalive_time: 7 },
  [`${CONFIG}.core.v3.Locality`]: { zone: "z" },
  [`${CONFIG}.core.v3.TransportSocket`]: { name: "z", typed_config: type(TLS) },
  [`${CONFIG}.core.v3.Metadata`]: {
    filter_metadata: { "envoy.transport_socket_match": { b: 1 } },
  },
  [`${CONFIG}.core.v3.Node`]: { id: "z" },
  [`${CONFIG}.core.v3.CidrRange`]: { address_prefix: "10.7.0.0", prefix_len: 16 },
  [`${CONFIG}.core.v3.DataSource`]: { inline_string: "z" },
  [`${CONFIG}.core.v3.AsyncDataSource`]: { local: { inline_string: "z" } },
  [`${CONFIG}.core.v3.RemoteDataSource`]: {
    http_uri: { uri: "http://modules.example/a.wasm", cluster: "up", timeout: "1s" },
    sha256: "ab",
  },
  [`${CONFIG}.core.v3.HeaderValue`]: { key: "z", value: "z" },
  [`${CONFIG}.core.v3.HeaderValueOption`]: { header: { key: "z", value: "z" } },
  [`${CONFIG}.core.v3.HttpProtocolOptions`]: { idle_timeout: "7s" },
  [`${CONFIG}.core.v3.UpstreamHttpProtocolOptions`]: { auto_sni: true },
  [`${CONFIG}.core.v3.Http1ProtocolOptions`]: { accept_http_10: true },
  [`${CONFIG}.core.v3.Http1ProtocolOptions.HeaderKeyFormat`]: { proper_case_words: {} },
  [`${CONFIG}.core.v3.SchemeHeaderTransformation`]: { match_upstream: true },
  [`${CONFIG}.core.v3.BackoffStrategy`]: { base_interval: "7s" },
  [`${CONFIG}.core.v3.SubstitutionFormatString`]: { text_format_source: { inline_string: "z" } },
  [`${CONFIG}.core.v3.JsonFormatOptions`]: { sort_properties: true },
  [`${CONFIG}.core.v3.RuntimeFractionalPercent`]: { default_value: { numerator: 7 } },
  [`${CONFIG}.core.v3.RuntimeDouble`]: { default_value: 7, runtime_key: "k" },
  [`${CONFIG}.core.v3.RuntimeUInt32`]: { default_value: 7, runtime_key: "k" },
  [`${CONFIG}.core.v3.TypedExtensionConfig`]: {
    name: "p",
    typed_config: type(PRESERVE_CASE),
  },
  [`${CONFIG}.core.v3.BindConfig`]: { source_address: { address: "127.0.0.7", port_value: 0 } },
  [`${CONFIG}.accesslog.v3.AccessLog`]: { name: "z", typed_config: type(FILE_LOG) },
  [`${CONFIG}.accesslog.v3.AccessLogFilter`]: { not_health_check_filter: {} },
  [`${CONFIG}.accesslog.v3.AndFilter`]: { filters: [traceable, traceable] },
  [`${CONFIG}.accesslog.v3.OrFilter`]: { filters: [traceable, traceable] },
  [`${CONFIG}.accesslog.v3.ComparisonFilter`]: comparison,
  [`${CONFIG}.accesslog.v3.StatusCodeFilter`]: { comparison },
  [`${CONFIG}.accesslog.v3.DurationFilter`]: { comparison },
  [`${CONFIG}.accesslog.v3.RuntimeFilter`]: { runtime_key: "k", percent_sampled: { numerator: 7 } },
  [`${CONFIG}.accesslog.v3.HeaderFilter`]: { header: { name: "z" } },
  [`${CONFIG}.bootstrap.v3.Bootstrap.StaticResources`]: { clusters: [cluster({ name: "z" })] },
  [`${CONFIG}.bootstrap.v3.Bootstrap.DynamicResources`]: {
    lds_config: { path_config_source: { path: "/dev/null" } },
  },
  [`${CONFIG}.bootstrap.v3.ClusterManager`]: { local_cluster_name: "up" },
  [`${CONFIG}.bootstrap.v3.LayeredRuntime`]: { layers: [{ name: "z", static_layer: {} }] },
  [`${CONFIG}.metrics.v3.StatsConfig`]: { use_all_default_tags: false },
  [`${CONFIG}.bootstrap.v3.Admin`]: { address: address() },
  [`${CONFIG}.listener.v3.Listener`]: { name: "z", address: address() },
  [`${CONFIG}.listener.v3.Listener.DeprecatedV1`]: { bind_to_port: false },
  [`${CONFIG}.listener.v3.AdditionalAddress`]: { address: address("127.0.0.7") },
  [`${CONFIG}.listener.v3.FilterChain`]: { name: "z" },
  [`${CONFIG}.listener.v3.ListenerFilter`]: { name: "z", typed_config: type(ROUTER) },
  [`${CONFIG}.listener.v3.Filter`]: { name: "z", typed_config: type(ROUTER) },
  [`${CONFIG}.listener.v3.FilterChainMatch`]: { server_names: ["z"] },
  [`${PROXY_PROTOCOL}.Rule`]: { tlv_type: 7, on_tlv_present: { key: "z" } },
  [`${PROXY_PROTOCOL}.KeyValuePair`]: { key: "z" },
  [`${CONFIG}.route.v3.RouteConfiguration`]: { name: "z" },
  [`${CONFIG}.route.v3.VirtualHost`]: { name: "z", domains: ["z"] },
  [`${CONFIG}.route.v3.Route`]: respond(),
  [`${CONFIG}.route.v3.RouteAction`]: { cluster: "up", timeout: "7s" },
  [`${CONFIG}.route.v3.RouteMatch`]: { path: "/z" },
  [`${CONFIG}.route.v3.RouteAction.MaxStreamDuration`]: { max_stream_duration: "7s" },
  [`${CONFIG}.route.v3.HeaderMatcher`]: { name: "z" },
  [`${CONFIG}.route.v3.QueryParameterMatcher`]: { name: "z" },
  [`${CONFIG}.route.v3.RedirectAction`]: { path_redirect: "/z" },
  [`${CONFIG}.route.v3.DirectResponseAction`]: { status: 207 },
  [`${CONFIG}.route.v3.WeightedCluster`]: { clusters: [{ name: "up", weight: 7 }] },
  [`${CONFIG}.route.v3.WeightedCluster.ClusterWeight`]: { name: "up", weight: 7 },
  [`${CONFIG}.cluster.v3.Cluster`]: cluster({ name: "z" }),
  [`${CONFIG}.cluster.v3.Cluster.CustomClusterType`]: { name: "z" },
  [`${CONFIG}.cluster.v3.Cluster.RefreshRate`]: { base_interval: "7s" },
  [`${DNS_CLUSTER}.RefreshRate`]: { base_interval: "7s" },
  [`${CONFIG}.cluster.v3.Cluster.CommonLbConfig`]: { healthy_panic_threshold: { value: 7 } },
  [`${CONFIG}.cluster.v3.Cluster.LeastRequestLbConfig`]: { choice_count: 7 },
  [`${CONFIG}.cluster.v3.Cluster.RoundRobinLbConfig`]: { slow_start_config: {} },
  [`${CONFIG}.cluster.v3.CircuitBreakers`]: { thresholds: [{ max_connections: 7 }] },
  [`${CONFIG}.cluster.v3.CircuitBreakers.Thresholds`]: { max_connections: 7 },
  [CONNECTION]: { tcp_keepalive: {} },
  [`${CONFIG}.cluster.v3.Cluster.EdsClusterConfig`]: { eds_config: file },
  [`${CONFIG}.core.v3.ConfigSource`]: { path_config_source: { path: "/dev/zero" } },
  [`${CONFIG}.core.v3.PathConfigSource`]: { path: "/dev/zero" },
  [`${CONFIG}.core.v3.WatchedDirectory`]: { path: "/" },
  [`${CONFIG}.endpoint.v3.ClusterLoadAssignment`]: assignment(endpoint("127.0.0.7")),
  [`${CONFIG}.endpoint.v3.LocalityLbEndpoints`]: { priority: 1 },
  [`${CONFIG}.endpoint.v3.LbEndpoint`]: endpoint("127.0.0.7"),
  [`${CONFIG}.endpoint.v3.Endpoint`]: { address: address("127.0.0.7") },
  [`${MANAGER}.HttpFilter`]: wasmFilter("z"),
  [`${TCP}.WeightedCluster`]: { clusters: [{ name: "z", weight: 7 }] },
  [`${TCP}.WeightedCluster.ClusterWeight`]: { name: "z", weight: 7 },
  [`${MANAGER}.HttpConnectionManager.InternalAddressConfig`]: { unix_sockets: true },
  [`${MANAGER}.LocalReplyConfig`]: { mappers: [] },
  [`${MANAGER}.ResponseMapper`]: { filter: { traceable_filter: {} } },
  [`${EXTENSIONS}.wasm.v3.VmConfig`]: { ...vmConfig, vm_id: "z" },
  [`${EXTENSIONS}.wasm.v3.ReloadConfig`]: { backoff: { base_interval: "7s" } },
  [`${EXTENSIONS}.wasm.v3.EnvironmentVariables`]: { key_values: { z: "z" } },
  [`${EXTENSIONS}.wasm.v3.CapabilityRestrictionConfig`]: {
    allowed_capabilities: { proxy_log: {} },
  },
  [`${HTTP_OPTIONS}.ExplicitHttpConfig`]: { http_protocol_options: { accept_http_10: true } },
};

/** Values to try, by field or by type; each says something that is not the default. */
function candidates(field: DescField): unknown[] {
  const one = single(field);
  if (field.fieldKind === "list") return one.map((value) => [value]);
  if (field.fieldKind === "map") return one.map((value) => ({ router: value }));
  return one;
}

function single(field: DescField): unknown[] {
  if (field.enum !== undefined) return field.enum.values.slice(1).map((value) => value.name);
  if (field.message !== undefined) return messages(field.message);
  // A path that is there, a name, a method, an address, and something for base64.
  if (typeof field.scalar === "number" && [9, 12].includes(field.scalar)) {
    return ["/dev/null", "zzzz", "http", "HOME", "10.7.0.0", "UH"];
  }
  return [true, false, 7, 207];
}

function messages(description: DescMessage): unknown[] {
  const value = messageValues[description.typeName];
  if (description.typeName === "google.protobuf.UInt32Value") return [7, 207, 1024];
  return value === undefined ? [{}] : [value, {}];
}

/** The base with the field, without what stands in the same oneof. */
function withField(base: Fields, field: DescField, value: unknown): Fields {
  const siblings = new Set((field.oneof?.fields ?? []).map((sibling) => sibling.name));
  const kept = Object.entries(base).filter(([name]) => !siblings.has(name));
  return { ...Object.fromEntries(kept), [field.name]: value };
}

const options = {
  version: 1,
  serviceNode: "",
  serviceCluster: "",
  serviceZone: "",
  fileFlushIntervalMs: 1,
  drainTimeMs: 1,
  drainStrategy: "gradual",
  ignoreUnsupported: false,
} as const;

/** Of the wrong type for most fields, or with nothing in it. */
const wrongValues: readonly unknown[] = [{}, [[]], [{}], { nonsense: 1 }, 5.5, null];

interface Outcome {
  /** The result as text; "" when it was refused. */
  readonly text: string;
  /** What the translation said of fields, and which it accepted. */
  readonly spoken: readonly string[];
}

async function outcome(config: Fields): Promise<Outcome> {
  const loaded = await load(config);
  const early = new Set(loaded.errors?.problems.map((p) => `${p.path}: ${p.message}`));
  const spoken: string[] = [];
  let text = "";
  try {
    const { snapshot, admin, statsFlushIntervalMs, watchdogs, warnings } = translateBootstrap(
      loaded,
      options,
    );
    text = JSON.stringify([snapshot, admin, statsFlushIntervalMs, watchdogs]);
    const words = warnings.filter((warning) => !warning.message.startsWith("deprecated"));
    spoken.push(...words.map((warning) => `${warning.path}: ${warning.message}`));
  } catch (error) {
    if (!(error instanceof ConfigErrors)) throw error;
    const all = error.problems.map((problem) => `${problem.path}: ${problem.message}`);
    spoken.push(...all.filter((problem) => !early.has(problem)));
  }
  spoken.push(...loaded.acceptedFields().map((field) => field.path));
  return { text, spoken };
}

/** Whether some value of the field has an effect, or is spoken of. */
async function isAccountedFor(context: Context, field: DescField): Promise<boolean> {
  const without = await outcome(context.place(withField(context.base, field, undefined)));
  for (const value of candidates(field)) {
    const { text, spoken } = await outcome(context.place(withField(context.base, field, value)));
    if (text !== "" && without.text !== "" && text !== without.text) return true;
    const before = new Set(without.spoken);
    if (spoken.some((words) => !before.has(words))) return true;
    // The first value of a required field: it is in the text of the result.
    if (text !== "" && without.text === "") return true;
  }
  return false;
}

describe.each(Object.keys(contexts))("%s", { timeout: TEST_MS_MAX }, (name) => {
  const context = contexts[name] as Context;

  test("is one that the base's bootstrap may have", async () => {
    const { text } = await outcome(context.place(context.base));
    // Some bases are empty on purpose: of a oneof one field must be set.
    const isOneof = schema.requireMessage(name).oneofs.length > 0;
    expect(text !== "" || isOneof).toBe(true);
  });

  test("has no field that is dropped in silence", async () => {
    const dropped: string[] = [];
    for (const field of schema.requireMessage(name).fields) {
      if (shownElsewhere.includes(`${name}.${field.name}`)) continue;
      if (!(await isAccountedFor(context, field))) dropped.push(field.name);
    }
    expect(dropped).toEqual([]);
  });

  test("is refused in words, whatever is wrong with one of its fields", async () => {
    // `outcome` lets everything through that is not a list of problems: our bugs.
    for (const field of schema.requireMessage(name).fields) {
      const without = Object.entries(context.base).filter(([key]) => key !== field.name);
      const messages = [undefined, ...wrongValues].map((value) =>
        value === undefined ? without : [...without, [field.name, value]],
      );
      for (const message of messages) {
        const result = outcome(context.place(Object.fromEntries(message) as Fields));
        await expect(result).resolves.toBeDefined();
      }
    }
  });
});

test("the table of guarded fields names fields of the API", () => {
  for (const [name, field] of guardedFieldNames()) {
    const message = schema.requireMessage(name);
    expect(message.fields.map((one) => one.name)).toContain(field);
  }
});

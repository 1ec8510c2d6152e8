import { expect, test } from "vitest";
import {
  boot,
  type Fields,
  forward,
  HCM_PATH,
  hcmOf,
  hcmProblems,
  listenerOf,
  table,
  translate,
  type,
  warnings,
} from "./bootstrap-for-test.ts";

const PRESERVE_CASE =
  "envoy.extensions.http.header_formatters.preserve_case.v3.PreserveCaseFormatterConfig";
const ignoring = { ignoreUnsupported: true };

function caseFormat(typed: Fields): Fields {
  const formatter = { name: "p", typed_config: { ...type(PRESERVE_CASE), ...typed } };
  return { http_protocol_options: { header_key_format: { stateful_formatter: formatter } } };
}

test("gives a connection manager of which little is said Envoy's defaults", async () => {
  const { routes: _, ...manager } = await hcmOf({});
  expect(manager).toEqual({
    rds: null,
    appendLocalOverload: false,
    statPrefix: "main",
    codecType: "auto",
    http1: {
      headBytesMax: 60 * 1024,
      headersMax: 100,
      acceptHttp10: false,
      defaultHostForHttp10: "",
      allowAbsoluteUrl: true,
      allowChunkedLength: false,
      enableTrailers: false,
      headerCase: "lower",
      underscores: "allow",
    },
    httpFilters: [],
    router: { dynamicStats: true, suppressEnvoyHeaders: false, respectExpectedRqTimeout: false },
    accessLogs: [],
    via: "",
    serverName: "envoy",
    serverHeaderTransformation: "overwrite",
    useRemoteAddress: false,
    xffNumTrustedHops: 0,
    skipXffAppend: false,
    appendXForwardedPort: false,
    internalCidrs: [],
    internalUnixSockets: false,
    forwardClientCert: "sanitize",
    clientCertDetails: { subject: false, cert: false, chain: false, dns: false, uri: false },
    generateRequestId: true,
    preserveExternalRequestId: false,
    alwaysSetRequestIdInResponse: false,
    schemeToOverwrite: "",
    schemeMatchUpstream: false,
    normalizePath: false,
    mergeSlashes: false,
    escapedSlashesAction: "keep_unchanged",
    stripMatchingHostPort: false,
    stripAnyHostPort: false,
    stripTrailingHostDot: false,
    addUserAgent: false,
    upgrades: [],
    proxy100Continue: false,
    streamErrorOnInvalidHttpMessage: false,
    streamIdleTimeoutMs: 300_000,
    requestTimeoutMs: 0,
    requestHeadersTimeoutMs: 0,
    idleTimeoutMs: 3_600_000,
    maxConnectionDurationMs: 0,
    maxConnectionDurationJitter: 0,
    http1SafeMaxConnectionDuration: false,
    maxStreamDurationMs: 0,
    maxRequestsPerConnection: 0,
    drainTimeoutMs: 5000,
    delayedCloseTimeoutMs: 1000,
    localReply: null,
    tracing: null,
  });
});

test("reads every field of a connection manager", async () => {
  const manager = await hcmOf({
    stat_prefix: "a:b",
    codec_type: "http1",
    max_request_headers_kb: 8,
    http_protocol_options: {
      accept_http_10: true,
      default_host_for_http_10: "old.example",
      allow_absolute_url: false,
      allow_chunked_length: true,
      enable_trailers: true,
      header_key_format: { proper_case_words: {} },
    },
    common_http_protocol_options: {
      max_headers_count: 7,
      headers_with_underscores_action: "DROP_HEADER",
      max_requests_per_connection: 1,
    },
    via: "é",
    server_name: "s",
    server_header_transformation: "PASS_THROUGH",
    use_remote_address: true,
    xff_num_trusted_hops: 2,
    skip_xff_append: true,
    append_x_forwarded_port: true,
    internal_address_config: {
      unix_sockets: true,
      cidr_ranges: [
        { address_prefix: "10.0.0.0", prefix_len: 8 },
        { address_prefix: "192.168.0.1", prefix_len: 33 },
        { address_prefix: "fd00::", prefix_len: 128 },
        { address_prefix: "0.0.0.0" },
      ],
    },
    forward_client_cert_details: "APPEND_FORWARD",
    set_current_client_cert_details: { subject: true, chain: true, uri: true },
    generate_request_id: false,
    preserve_external_request_id: true,
    always_set_request_id_in_response: true,
    scheme_header_transformation: { scheme_to_overwrite: "https", match_upstream: true },
    normalize_path: true,
    merge_slashes: true,
    path_with_escaped_slashes_action: "UNESCAPE_AND_REDIRECT",
    strip_any_host_port: true,
    strip_trailing_host_dot: true,
    add_user_agent: true,
    proxy_100_continue: true,
    stream_error_on_invalid_http_message: true,
  });
  expect(manager).toMatchObject({
    statPrefix: "a_b",
    codecType: "http1",
    http1: {
      headBytesMax: 8192,
      headersMax: 7,
      acceptHttp10: true,
      defaultHostForHttp10: "old.example",
      allowAbsoluteUrl: false,
      allowChunkedLength: true,
      enableTrailers: true,
      headerCase: "proper",
      underscores: "drop",
    },
    maxRequestsPerConnection: 1,
    via: "Ã©",
    serverName: "s",
    serverHeaderTransformation: "pass_through",
    useRemoteAddress: true,
    xffNumTrustedHops: 2,
    skipXffAppend: true,
    appendXForwardedPort: true,
    internalCidrs: [
      { address: "10.0.0.0", prefixLength: 8 },
      { address: "192.168.0.1", prefixLength: 32 },
      { address: "fd00::", prefixLength: 128 },
      { address: "0.0.0.0", prefixLength: 0 },
    ],
    internalUnixSockets: true,
    forwardClientCert: "append_forward",
    clientCertDetails: { subject: true, cert: false, chain: true, dns: false, uri: true },
    generateRequestId: false,
    preserveExternalRequestId: true,
    alwaysSetRequestIdInResponse: true,
    schemeToOverwrite: "https",
    schemeMatchUpstream: true,
    normalizePath: true,
    mergeSlashes: true,
    escapedSlashesAction: "unescape_and_redirect",
    stripAnyHostPort: true,
    stripTrailingHostDot: true,
    addUserAgent: true,
    proxy100Continue: true,
    streamErrorOnInvalidHttpMessage: true,
  });
});

test.each<[string, number]>([
  ["0s", 0],
  ["0.0001s", 1],
  ["0.0019s", 1],
  ["1.5s", 1500],
])("reads timeouts of %s as %d ms: 0 is off, and never the default", async (text, expected) => {
  const manager = await hcmOf({
    stream_idle_timeout: text,
    request_timeout: text,
    request_headers_timeout: text,
    drain_timeout: text,
    delayed_close_timeout: text,
    common_http_protocol_options: {
      idle_timeout: text,
      max_connection_duration: text,
      max_stream_duration: text,
    },
  });
  expect([
    manager.streamIdleTimeoutMs,
    manager.requestTimeoutMs,
    manager.requestHeadersTimeoutMs,
    manager.drainTimeoutMs,
    manager.delayedCloseTimeoutMs,
    manager.idleTimeoutMs,
    manager.maxConnectionDurationMs,
    manager.maxStreamDurationMs,
  ]).toEqual(Array.from({ length: 8 }, () => expected));
});

test("reads how the life of a connection ends", async () => {
  const manager = await hcmOf({
    http1_safe_max_connection_duration: true,
    common_http_protocol_options: { max_connection_duration_jitter: { value: 25 } },
  });
  expect(manager.http1SafeMaxConnectionDuration).toBe(true);
  expect(manager.maxConnectionDurationJitter).toBe(0.25);
});

test("lets the codec's own switch for broken messages win", async () => {
  const switches = {
    stream_error_on_invalid_http_message: true,
    http_protocol_options: { override_stream_error_on_invalid_http_message: false },
  };
  expect((await hcmOf(switches)).streamErrorOnInvalidHttpMessage).toBe(false);
});

test("preserves the case of headers by the stateful formatter", async () => {
  expect((await hcmOf(caseFormat({}))).http1.headerCase).toBe("preserve");
});

test("reads the mappers of local replies", async () => {
  const manager = await hcmOf({
    local_reply_config: {
      body_format: { text_format_source: { inline_string: "%RESPONSE_CODE%" } },
      mappers: [
        {
          filter: { response_flag_filter: { flags: ["NR"] } },
          status_code: 404,
          body: { inline_string: "é" },
          body_format_override: { json_format: { a: "%LOCAL_REPLY_BODY%" }, content_type: "a/b" },
          headers_to_add: [{ header: { key: "X-A", value: "b" }, append_action: "ADD_IF_ABSENT" }],
        },
        { filter: { traceable_filter: {} } },
      ],
    },
  });
  const format = { omitEmptyValues: false, contentType: "", text: "", json: null };
  expect(manager.localReply).toEqual({
    bodyFormat: { ...format, kind: "text", text: "%RESPONSE_CODE%" },
    mappers: [
      {
        filter: { kind: "response_flag", flags: 0x100 },
        statusCode: 404,
        body: "Ã©",
        bodyFormat: {
          ...format,
          kind: "json",
          json: { a: "%LOCAL_REPLY_BODY%" },
          contentType: "a/b",
        },
        headersToAdd: [
          { name: "x-a", format: "b", action: "add_if_absent", keepEmptyValue: false },
        ],
      },
      {
        filter: { kind: "traceable" },
        statusCode: 0,
        body: null,
        bodyFormat: null,
        headersToAdd: [],
      },
    ],
  });
});

test("changes no reply by a mapper whose filter it was told to ignore", async () => {
  const mappers = [{ filter: { metadata_filter: {} }, status_code: 200 }];
  const config = boot({ hcm: { local_reply_config: { mappers } } });
  const { snapshot } = await translate(config, ignoring);
  expect(snapshot.listeners[0]?.filterChains[0]?.hcm?.localReply?.mappers).toEqual([]);
});

test.each<[Fields, string]>([
  [{ codec_type: "HTTP2" }, ".codec_type: codec_type HTTP2 is not implemented by Headgate"],
  [
    { internal_address_config: { cidr_ranges: [{ address_prefix: "ten", prefix_len: 8 }] } },
    ".internal_address_config.cidr_ranges[0].address_prefix: malformed IP address: ten",
  ],
  [
    { strip_matching_host_port: true, strip_any_host_port: true },
    ".strip_any_host_port: only one of strip_matching_host_port and strip_any_host_port can be set",
  ],
  [
    { common_http_protocol_options: { max_response_headers_kb: 5 } },
    ".common_http_protocol_options.max_response_headers_kb: max_response_headers_kb cannot be set on a connection manager",
  ],
  [
    caseFormat({ forward_reason_phrase: true }),
    ".http_protocol_options.header_key_format.stateful_formatter.typed_config.forward_reason_phrase: forward_reason_phrase is not implemented by Headgate",
  ],
  [
    caseFormat({ formatter_type_on_envoy_headers: "PROPER_CASE" }),
    ".http_protocol_options.header_key_format.stateful_formatter.typed_config.formatter_type_on_envoy_headers: formatter_type_on_envoy_headers: PROPER_CASE is not implemented by Headgate",
  ],
  [
    { http_protocol_options: { header_key_format: { stateful_formatter: { name: "x" } } } },
    ".http_protocol_options.header_key_format.stateful_formatter.typed_config: not set: value is required",
  ],
  [
    { local_reply_config: { body_format: { text_format: "%NOPE%" } } },
    ".local_reply_config.body_format.text_format: not supported field in StreamInfo: NOPE",
  ],
  [{ tracing: {} }, ".tracing: not implemented by Headgate"],
  [
    { upgrade_configs: [{ upgrade_type: "websocket", filters: [{ name: "x" }] }] },
    ".upgrade_configs[0].filters: not implemented by Headgate",
  ],
  [
    { upgrade_configs: [{ upgrade_type: "WebSocket" }, { upgrade_type: "websocket" }] },
    '.upgrade_configs[1].upgrade_type: found "websocket" twice, expected each upgrade type once',
  ],
  [
    { upgrade_configs: [{ upgrade_type: "CONNECT-UDP" }] },
    ".upgrade_configs[0].upgrade_type: upgrade_type CONNECT-UDP is not implemented by Headgate",
  ],
  [{ request_id_extension: {} }, ".request_id_extension: not implemented by Headgate"],
])("refuses %j", async (hcm, expected) => {
  expect(await hcmProblems(hcm)).toEqual([`${HCM_PATH}${expected}`]);
});

test("accepts options of protocols that are not there", async () => {
  expect(await hcmProblems({ http2_protocol_options: {}, http3_protocol_options: {} })).toEqual([]);
});

test("names rds, and answers 404 to everything when told to ignore it", async () => {
  const rds = { route_config_name: "r", config_source: { ads: {} } };
  const hcm = { route_config: undefined, rds };
  expect(await hcmProblems(hcm)).toEqual([
    `${HCM_PATH}.rds.config_source.ads: xDS from ads is not implemented by Headgate`,
  ]);
  const { snapshot } = await translate(boot({ hcm }), ignoring);
  expect(snapshot.listeners[0]?.filterChains[0]?.hcm?.routes.virtualHosts).toEqual([]);
});

test("answers 500 where Envoy never answers: without any filter", async () => {
  const parts = { hcm: { http_filters: [] } };
  expect(await warnings(boot(parts))).toEqual([
    `${HCM_PATH}: no http_filters: every request is answered with 500 (Envoy never answers)`,
  ]);
  const listener = await listenerOf(parts);
  const [host, ...others] = listener.filterChains[0]?.hcm?.routes.virtualHosts ?? [];
  expect(others).toEqual([]);
  expect(host?.domains).toEqual(["*"]);
  expect(host?.routes[0]?.action).toMatchObject({ kind: "direct_response", status: 500 });
});

test("checks the routes of a connection manager without filters", async () => {
  const routes = table(forward({ cluster: "nowhere" }));
  await expect(translate(boot({ hcm: { http_filters: [] }, routes }))).rejects.toThrow(
    "unknown cluster 'nowhere'",
  );
});

test("does not ignore what decides about paths, addresses and headers", async () => {
  const fields = {
    original_ip_detection_extensions: [{ name: "x" }],
    early_header_mutation_extensions: [{ name: "x" }],
    path_normalization_options: { forwarding_transformation: {} },
  };
  for (const [field, value] of Object.entries(fields)) {
    const promise = translate(boot({ hcm: { [field]: value } }), ignoring);
    await expect(promise).rejects.toThrow("--ignore-unsupported does not cover it");
  }
});

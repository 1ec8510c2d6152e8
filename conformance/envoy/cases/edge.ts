// Whose address is trusted, and which headers follow from it (checks 28-34, 39, 46-48).
import { type Group, get, type JsonObject, one, reply } from "../case.ts";

const LOOPBACK: JsonObject = {
  internal_address_config: { cidr_ranges: [{ address_prefix: "127.0.0.0", prefix_len: 8 }] },
};
const UUID = "X-Request-Id: 0e0e0e0e-1111-4222-8333-444444444444";
const CONTROL = [
  "x-envoy-retry-on: 5xx",
  "x-envoy-max-retries: 2",
  "x-envoy-upstream-rq-timeout-ms: 700",
  "x-envoy-expected-rq-timeout-ms: 77",
  "x-envoy-internal: true",
  "x-envoy-force-trace: 1",
  "x-envoy-downstream-service-cluster: c",
  "x-envoy-decorator-operation: d",
  "x-envoy-original-path: /o",
  "x-envoy-external-address: 9.9.9.9",
  "x-envoy-hedge-on-per-try-timeout: true",
  "x-envoy-ip-tags: t",
  "x-envoy-attempt-count: 7",
  "x-envoy-peer-metadata: p",
];

function plainAndXff(site: string, prefix: string, lists: readonly string[]): Group["cases"] {
  return lists.map((list, at) => ({
    id: `${prefix}-${at + 1}`,
    title: `${prefix}: X-Forwarded-For: ${list === "" ? "(none)" : list}`,
    connections: one(list === "" ? get("/") : get("/", `X-Forwarded-For: ${list}`), site),
  }));
}

export const edge: Group = {
  id: "edge",
  title: "trust, internal requests, request ids, via and the like",
  sites: {
    main: {},
    remote: { hcm: { use_remote_address: true } },
    remote_internal: { hcm: { use_remote_address: true, ...LOOPBACK } },
    internal: { hcm: LOOPBACK },
    hops_1: { hcm: { xff_num_trusted_hops: 1 } },
    remote_hops_1: { hcm: { use_remote_address: true, xff_num_trusted_hops: 1 } },
    remote_hops_2: { hcm: { use_remote_address: true, xff_num_trusted_hops: 2 } },
    skip_append: { hcm: { use_remote_address: true, skip_xff_append: true } },
    append_port: { hcm: { use_remote_address: true, append_x_forwarded_port: true } },
    keep_id: { hcm: { use_remote_address: true, preserve_external_request_id: true } },
    echo_id: { hcm: { always_set_request_id_in_response: true } },
    no_id: { hcm: { generate_request_id: false } },
    via: { hcm: { via: "gate" } },
    user_agent: { hcm: { add_user_agent: true } },
    proto: { hcm: { scheme_header_transformation: { scheme_to_overwrite: "https" } } },
    server_name: { hcm: { server_name: "gate" } },
    server_append: { hcm: { server_header_transformation: "APPEND_IF_ABSENT" } },
    server_pass: { hcm: { server_header_transformation: "PASS_THROUGH" } },
    log_address: {
      hcm: { use_remote_address: true, xff_num_trusted_hops: 1 },
      logFormat: {
        text_format_source: {
          inline_string:
            "%DOWNSTREAM_REMOTE_ADDRESS%|%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%|" +
            "%DOWNSTREAM_DIRECT_REMOTE_ADDRESS%|%DOWNSTREAM_LOCAL_ADDRESS%\n",
        },
      },
    },
  },
  cases: [
    ...plainAndXff("main", "xff-default", ["", "1.2.3.4", "1.2.3.4, 10.0.0.1"]),
    ...plainAndXff("remote", "xff-remote", ["", "1.2.3.4", "1.2.3.4,10.0.0.1"]),
    ...plainAndXff("internal", "xff-internal", ["", "127.0.0.5", "1.2.3.4", "127.0.0.5,127.0.0.6"]),
    ...plainAndXff("remote_internal", "xff-remote-internal", ["", "1.2.3.4"]),
    ...plainAndXff("hops_1", "xff-hops-1", ["1.1.1.1", "1.1.1.1, 2.2.2.2", "x, 2.2.2.2, 3.3.3.3"]),
    ...plainAndXff("remote_hops_1", "xff-remote-hops-1", ["1.1.1.1", "1.1.1.1, 2.2.2.2"]),
    ...plainAndXff("remote_hops_2", "xff-remote-hops-2", ["1.1.1.1", "1.1.1.1, 2.2.2.2, 3.3.3.3"]),
    ...plainAndXff("skip_append", "xff-skip-append", ["", "1.2.3.4"]),
    ...plainAndXff("log_address", "xff-log", ["1.1.1.1", "garbage"]),
    {
      id: "xff-two-lines",
      title: "two X-Forwarded-For lines and use_remote_address",
      connections: one(get("/", "X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 2.2.2.2"), "remote"),
    },
    {
      id: "forwarded-proto-remote",
      title: "x-forwarded-proto of a client is replaced at the edge",
      connections: one(get("/", "X-Forwarded-Proto: https"), "remote"),
    },
    {
      id: "forwarded-proto-odd",
      title: "an x-forwarded-proto that is no scheme",
      connections: one(get("/", "X-Forwarded-Proto: gopher")),
    },
    {
      id: "forwarded-port",
      title: "append_x_forwarded_port",
      connections: one(get("/"), "append_port"),
    },
    {
      id: "forwarded-host-port-kept",
      title: "x-forwarded-host and -port of a client at the edge",
      connections: one(get("/", "X-Forwarded-Host: h", "X-Forwarded-Port: 1"), "append_port"),
    },
    {
      id: "control-headers-default",
      title: "x-envoy-* control headers of a client by default (check 31)",
      connections: one(get("/", ...CONTROL)),
    },
    {
      id: "control-headers-edge",
      title: "x-envoy-* control headers at the edge (check 31)",
      connections: one(get("/", ...CONTROL), "remote"),
    },
    {
      id: "control-headers-internal",
      title: "x-envoy-* control headers of an internal client (check 31)",
      connections: one(get("/", "X-Forwarded-For: 127.0.0.5", ...CONTROL), "internal"),
    },
    {
      id: "control-retry-honoured",
      title: "x-envoy-retry-on of an internal client is honoured (check 31)",
      connections: one(get("/", "X-Forwarded-For: 127.0.0.5", "x-envoy-retry-on: 5xx"), "internal"),
      replies: [reply("503 Service Unavailable", "no")],
    },
    {
      id: "control-retry-external",
      title: "x-envoy-retry-on of an external client is not (check 31)",
      connections: one(get("/", "x-envoy-retry-on: 5xx"), "remote"),
      replies: [reply("503 Service Unavailable", "no")],
    },
    {
      id: "request-id-edge",
      title: "x-request-id is replaced at the edge (check 32)",
      connections: one(get("/", UUID), "remote"),
    },
    {
      id: "request-id-edge-kept",
      title: "preserve_external_request_id (check 32)",
      connections: one(get("/", UUID), "keep_id"),
    },
    {
      id: "request-id-echo",
      title: "always_set_request_id_in_response (check 34)",
      connections: one(get("/"), "echo_id"),
    },
    {
      id: "request-id-echo-given",
      title: "always_set_request_id_in_response with the client's id",
      connections: one(get("/", UUID), "echo_id"),
    },
    {
      id: "request-id-none",
      title: "generate_request_id: false",
      connections: one(get("/"), "no_id"),
    },
    {
      id: "via",
      title: "via on both sides (check 47)",
      connections: one(get("/", "Via: 1.1 other"), "via"),
      replies: [reply("200 OK", "x", "Via: 1.1 up")],
    },
    {
      id: "via-alone",
      title: "via where there was none (check 47)",
      connections: one(get("/"), "via"),
    },
    {
      id: "user-agent-added",
      title: "add_user_agent without a service cluster (check 48)",
      connections: one(get("/"), "user_agent"),
    },
    {
      id: "scheme-overwritten",
      title: "scheme_to_overwrite",
      connections: one(get("/"), "proto"),
    },
    {
      id: "server-overwrite",
      title: "server of an upstream is overwritten (check 24)",
      connections: one(get("/")),
      replies: [reply("200 OK", "x", "Server: nginx")],
    },
    {
      id: "server-name",
      title: "server_name",
      connections: one(get("/"), "server_name"),
    },
    {
      id: "server-append-absent",
      title: "APPEND_IF_ABSENT without one (check 24)",
      connections: one(get("/"), "server_append"),
    },
    {
      id: "server-append-present",
      title: "APPEND_IF_ABSENT with one (check 24)",
      connections: one(get("/"), "server_append"),
      replies: [reply("200 OK", "x", "Server: nginx")],
    },
    {
      id: "server-pass-absent",
      title: "PASS_THROUGH without one (check 24)",
      connections: one(get("/"), "server_pass"),
    },
    {
      id: "server-pass-present",
      title: "PASS_THROUGH with one (check 24)",
      connections: one(get("/"), "server_pass"),
      replies: [reply("200 OK", "x", "Server: nginx")],
    },
    {
      id: "server-pass-local-reply",
      title: "PASS_THROUGH and a reply of the proxy itself",
      connections: one(get("*"), "server_pass"),
    },
    {
      id: "xfcc-plain",
      title: "x-forwarded-client-cert over plain TCP (check 46)",
      connections: one(get("/", "X-Forwarded-Client-Cert: Hash=1")),
    },
  ],
};

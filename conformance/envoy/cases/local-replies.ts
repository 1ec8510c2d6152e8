// local_reply_config: what its mappers and formats make of the proxy's own replies (check 26).
import { type Group, get, type JsonObject, one, reply, request } from "../case.ts";

function direct(path: string, status: number, body?: string): JsonObject {
  const text = body === undefined ? {} : { body: { inline_string: body } };
  return { name: path.slice(1), match: { path }, direct_response: { status, ...text } };
}

const HOSTS: readonly JsonObject[] = [
  {
    name: "all",
    domains: ["*"],
    routes: [
      direct("/403", 403, "no entry"),
      direct("/200", 200, "fine"),
      direct("/204", 204),
      { ...direct("/typed", 404, "<p>"), ...addResponse("content-type", "text/html") },
      { name: "redirect", match: { path: "/moved" }, redirect: { path_redirect: "/new" } },
      { name: "empty", match: { path: "/empty" }, route: { cluster: "empty" } },
      { name: "dead", match: { path: "/dead" }, route: { cluster: "dead" } },
      { name: "up", match: { prefix: "/up" }, route: { cluster: "up" } },
    ],
  },
];

function addResponse(key: string, value: string): JsonObject {
  return { response_headers_to_add: [{ header: { key, value } }] };
}

function status(op: string, value: number): JsonObject {
  return {
    status_code_filter: {
      comparison: { op, value: { default_value: value, runtime_key: "none" } },
    },
  };
}

const MAPPERS: readonly JsonObject[] = [
  {
    filter: { header_filter: { header: { name: "x-none", present_match: true } } },
    status_code: 429,
  },
  {
    filter: status("EQ", 503),
    status_code: 418,
    body: { inline_string: "mapped" },
    body_format_override: {
      json_format: {
        code: "%RESPONSE_CODE%",
        text: "%LOCAL_REPLY_BODY%",
        path: "%REQ(:PATH)%",
        flags: "%RESPONSE_FLAGS%",
        absent: "%REQ(X-ABSENT)%",
      },
    },
    headers_to_add: [
      { header: { key: "x-mapped", value: "by %RESPONSE_CODE%" } },
      {
        header: { key: "x-mapped", value: "again" },
        append_action: "APPEND_IF_EXISTS_OR_ADD",
      },
    ],
  },
  {
    filter: { response_flag_filter: { flags: ["NR"] } },
    body_format_override: { text_format_source: { inline_string: "%RESPONSE_FLAGS% nowhere\n" } },
  },
  {
    filter: {
      and_filter: {
        filters: [
          status("GE", 400),
          { header_filter: { header: { name: "x-kind", string_match: { exact: "html" } } } },
        ],
      },
    },
    body_format_override: {
      text_format_source: { inline_string: "<b>%LOCAL_REPLY_BODY%</b>" },
      content_type: "text/html; charset=UTF-8",
    },
  },
  {
    filter: { or_filter: { filters: [status("EQ", 403), status("EQ", 301)] } },
    status_code: 404,
    body: { inline_string: "hidden" },
    headers_to_add: [
      {
        header: { key: "content-type", value: "text/x-hidden" },
        append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
      },
    ],
  },
];

const GRPC = "Content-Type: application/grpc";

/** The same replies, without a mapper and through the two formats for all of them. */
const FORMATTED: readonly (readonly [string, string])[] = [
  ["formatted", "text"],
  ["json", "json"],
];

export const localReplies: Group = {
  id: "local-replies",
  title: "local_reply_config",
  sites: {
    main: { virtualHosts: HOSTS, hcm: { local_reply_config: { mappers: MAPPERS } } },
    formatted: {
      virtualHosts: HOSTS,
      hcm: {
        local_reply_config: {
          body_format: {
            text_format_source: {
              inline_string: "%RESPONSE_CODE% %RESPONSE_CODE_DETAILS% [%LOCAL_REPLY_BODY%]",
            },
          },
        },
      },
    },
    json: {
      virtualHosts: HOSTS,
      hcm: {
        local_reply_config: {
          mappers: [{ filter: status("EQ", 403), body: { inline_string: "closed" } }],
          body_format: {
            json_format: {
              error: { text: "%LOCAL_REPLY_BODY%", status: "%RESPONSE_CODE%" },
              all: ["%PROTOCOL%", 1, true],
            },
            content_type: "application/problem+json",
          },
        },
      },
    },
  },
  cases: [
    {
      id: "local-reply-status",
      title: "503 becomes 418 with a JSON body and headers (check 26)",
      connections: [{ send: [get("/empty"), get("/empty?q=1")], responses: 2 }],
    },
    {
      id: "local-reply-refused",
      title: "the same where nobody listens",
      connections: one(get("/dead")),
    },
    {
      id: "local-reply-grpc",
      title: "the same for gRPC",
      connections: one(get("/empty", GRPC)),
    },
    {
      id: "local-reply-head",
      title: "the same for HEAD",
      connections: [{ send: [request("HEAD /empty HTTP/1.1")], head: true }],
    },
    {
      id: "local-reply-flag",
      title: "a mapper by response flag keeps the status",
      connections: one(get("/nowhere")),
    },
    {
      id: "local-reply-flag-grpc",
      title: "a formatted body becomes the grpc-message",
      connections: one(get("/nowhere", GRPC)),
    },
    {
      id: "local-reply-and",
      title: "and_filter: all of its filters, and a content type of the format",
      connections: [
        { send: [get("/typed", "X-Kind: html"), get("/typed", "X-Kind: text")], responses: 2 },
      ],
    },
    {
      id: "local-reply-or",
      title: "or_filter, a body without a format, a content type among the headers",
      connections: [{ send: [get("/403"), get("/moved")], responses: 2 }],
    },
    {
      id: "local-reply-first",
      title: "the first mapper that matches is the only one",
      connections: one(get("/empty", "X-None: 1")),
    },
    {
      id: "local-reply-none",
      title: "a direct response that no mapper wants",
      connections: [{ send: [get("/200"), get("/204")], responses: 2 }],
    },
    {
      id: "local-reply-upstream",
      title: "a response of the upstream is never mapped",
      connections: one(get("/up")),
      replies: [reply("503 Service Unavailable", "mine")],
    },
    {
      id: "local-reply-bad-request",
      title: "a request that was not understood is mapped, too",
      connections: one(request("GET / HTTP/1.1", "X-Kind: html", "bad header: 1")),
    },
    {
      id: "local-reply-host-missing",
      title: "a request without Host is mapped by its other headers",
      connections: one("GET / HTTP/1.1\r\nX-Kind: html\r\n\r\n"),
    },
    {
      id: "local-reply-format-204",
      title: "a format and a direct response that has no body",
      connections: one(get("/204"), "formatted"),
    },
    ...FORMATTED.flatMap(([site, name]) => [
      {
        id: `local-reply-format-${name}`,
        title: `a ${name} format for all replies`,
        connections: [{ site, send: [get("/403"), get("/nowhere"), get("/moved")], responses: 3 }],
      },
      {
        id: `local-reply-format-${name}-typed`,
        title: `a ${name} format and a route's own content type`,
        connections: one(get("/typed"), site),
      },
      {
        id: `local-reply-format-${name}-grpc`,
        title: `a ${name} format and gRPC`,
        connections: one(get("/403", GRPC), site),
      },
      {
        id: `local-reply-format-${name}-bad`,
        title: `a ${name} format and a request that was not understood`,
        connections: one("BAD\r\n\r\n", site),
      },
    ]),
  ],
};

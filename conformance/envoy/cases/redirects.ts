// Redirects, direct responses, require_tls: replies that need no upstream (checks 25, 61-63).
import { type Group, get, type JsonObject, one, post, request } from "../case.ts";

function redirect(path: string, action: JsonObject, match?: JsonObject): JsonObject {
  return { name: path.slice(1), match: match ?? { path }, redirect: action };
}

function direct(path: string, status: number, more: JsonObject = {}): JsonObject {
  return { name: path.slice(1), match: { path }, direct_response: { status, ...more } };
}

const BODY: JsonObject = { body: { inline_string: "x" } };

const ROUTES: readonly JsonObject[] = [
  redirect("/https", { https_redirect: true }),
  redirect("/scheme", { scheme_redirect: "ftp" }),
  redirect("/host", { host_redirect: "new.local" }),
  redirect("/port", { port_redirect: 8443 }),
  redirect("/https-port", { https_redirect: true, port_redirect: 444 }),
  redirect("/path", { path_redirect: "/new" }),
  redirect("/path-query", { path_redirect: "/new?z=1" }),
  redirect("/strip", { path_redirect: "/new", strip_query: true }),
  redirect("/pre", { prefix_rewrite: "/post" }, { prefix: "/pre/" }),
  redirect(
    "/regex",
    { regex_rewrite: { pattern: { regex: "^/regex/(.*)$" }, substitution: "/r/\\1" } },
    { prefix: "/regex/" },
  ),
  ...["FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT", "PERMANENT_REDIRECT"].map((code) =>
    redirect(`/${code.toLowerCase()}`, { host_redirect: "new.local", response_code: code }),
  ),
  {
    ...redirect("/with-headers", { host_redirect: "new.local" }),
    response_headers_to_add: [{ header: { key: "x-add", value: "1" } }],
  },
  direct("/200", 200, BODY),
  direct("/200-empty", 200),
  direct("/204", 204),
  direct("/304", 304),
  direct("/418", 418, BODY),
  direct("/503", 503, BODY),
  direct("/599", 599, BODY),
  {
    ...direct("/typed", 200, { body: { inline_string: "{}" } }),
    response_headers_to_add: [
      {
        header: { key: "content-type", value: "application/json" },
        append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
      },
    ],
  },
  {
    ...direct("/location", 302),
    response_headers_to_add: [{ header: { key: "location", value: "/elsewhere" } }],
  },
];

export const redirects: Group = {
  id: "redirects",
  title: "redirects and direct responses",
  sites: {
    main: { virtualHosts: [{ name: "all", domains: ["*"], routes: ROUTES }] },
    tls_all: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          require_tls: "ALL",
          routes: [{ match: { prefix: "/" }, route: { cluster: "up" } }],
        },
      ],
    },
    tls_external: {
      virtualHosts: [
        {
          name: "all",
          domains: ["*"],
          require_tls: "EXTERNAL_ONLY",
          routes: [{ match: { prefix: "/" }, route: { cluster: "up" } }],
        },
      ],
    },
  },
  cases: [
    ...[
      "/https?q=1",
      "/scheme",
      "/host?q=1",
      "/port",
      "/https-port",
      "/path?q=1",
      "/path-query?q=1",
      "/strip?q=1",
      "/pre/a?q=1",
      "/regex/abc?q=1",
      "/found",
      "/see_other",
      "/temporary_redirect",
      "/permanent_redirect",
      "/with-headers",
    ].map((target) => ({
      id: `redirect-${target.replace(/^\/|\?.*$/g, "").replace(/[/_]/g, "-")}`,
      title: `redirect of ${target}`,
      connections: one(get(target)),
    })),
    ...["h.local:80", "h.local:443", "h.local:81", "[::1]:80", "[::1]"].map((host, at) => ({
      id: `redirect-https-host-${at + 1}`,
      title: `https_redirect of Host: ${host} (check 61)`,
      connections: one(get("/https", `Host: ${host}`)),
    })),
    ...["h.local:80", "h.local:81"].map((host, at) => ({
      id: `redirect-port-host-${at + 1}`,
      title: `port_redirect of Host: ${host}`,
      connections: one(get("/port", `Host: ${host}`)),
    })),
    {
      id: "redirect-post",
      title: "a redirect of a request with a body closes: the reply comes before the body's end",
      connections: one(post("/host", "abc")),
    },
    {
      id: "redirect-proto",
      title: "a redirect takes the scheme from x-forwarded-proto",
      connections: one(get("/host", "X-Forwarded-Proto: https")),
    },
    ...["200", "200-empty", "204", "304", "418", "503", "599", "typed", "location"].map((name) => ({
      id: `direct-${name}`,
      title: `direct response ${name} (check 62)`,
      connections: [{ send: [get(`/${name}`), get("/200-empty")], responses: 2 }],
    })),
    {
      id: "direct-head",
      title: "HEAD of a direct response (check 25)",
      connections: [{ send: [request("HEAD /200 HTTP/1.1")], head: true }],
    },
    {
      id: "direct-half-body",
      title: "a direct response while the request's body is still to come",
      connections: one(`${request("POST /200 HTTP/1.1", "Content-Length: 9")}abc`),
    },
    {
      id: "direct-connection-close",
      title: "a direct response to connection: close",
      connections: one(get("/200", "Connection: close")),
    },
    {
      id: "direct-no-route-head",
      title: "HEAD to no route",
      connections: [{ send: [request("HEAD /nothing HTTP/1.1")], head: true }],
    },
    {
      id: "require-tls",
      title: "require_tls: ALL (check 63)",
      connections: one(get("/x?q=1", "Host: h.local:80"), "tls_all"),
    },
    {
      id: "require-tls-forwarded",
      title: "require_tls: ALL with x-forwarded-proto: https",
      connections: one(get("/x", "X-Forwarded-Proto: https"), "tls_all"),
    },
    {
      id: "require-tls-external",
      title: "require_tls: EXTERNAL_ONLY",
      connections: one(get("/x"), "tls_external"),
    },
  ],
};

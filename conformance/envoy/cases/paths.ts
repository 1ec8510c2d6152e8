// Normalisation of paths and hosts before routing (checks 15, 49).
import { type Group, get, type JsonObject, one } from "../case.ts";

const HOSTS: readonly JsonObject[] = [
  {
    name: "b",
    domains: ["b.local"],
    routes: [{ name: "b", match: { prefix: "/" }, route: { cluster: "up" } }],
  },
  {
    name: "all",
    domains: ["*"],
    routes: [
      { name: "secret", match: { prefix: "/secret" }, direct_response: { status: 403 } },
      { name: "rest", match: { prefix: "/" }, route: { cluster: "up" } },
    ],
  },
];

function site(hcm: JsonObject): { hcm: JsonObject; virtualHosts: readonly JsonObject[] } {
  return { hcm, virtualHosts: HOSTS };
}

/** One case for each target on one site. */
function targets(siteName: string, prefix: string, list: readonly string[]): Group["cases"] {
  return list.map((target, at) => ({
    id: `${prefix}-${at + 1}`,
    title: `${prefix}: ${target}`,
    connections: one(get(target), siteName),
  }));
}

function hosts(siteName: string, prefix: string, list: readonly string[]): Group["cases"] {
  return list.map((host, at) => ({
    id: `${prefix}-${at + 1}`,
    title: `${prefix}: Host: ${host}`,
    connections: one(get("/", `Host: ${host}`), siteName),
  }));
}

export const paths: Group = {
  id: "paths",
  title: "normalisation of paths and hosts",
  sites: {
    main: site({}),
    normalize: site({ normalize_path: true }),
    merge: site({ merge_slashes: true }),
    both: site({ normalize_path: true, merge_slashes: true }),
    slash_reject: site({ path_with_escaped_slashes_action: "REJECT_REQUEST" }),
    slash_redirect: site({ path_with_escaped_slashes_action: "UNESCAPE_AND_REDIRECT" }),
    slash_forward: site({ path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD" }),
    edge: site({
      normalize_path: true,
      merge_slashes: true,
      path_with_escaped_slashes_action: "UNESCAPE_AND_REDIRECT",
    }),
    any_port: site({ strip_any_host_port: true }),
    matching_port: site({ strip_matching_host_port: true }),
    trailing_dot: site({ strip_trailing_host_dot: true }),
  },
  cases: [
    ...targets("main", "path-raw", ["/a/../secret", "/a//b", "/%2fa", "/a/./b", "/%61"]),
    ...targets("normalize", "path-normalize", [
      "/a/../secret",
      "/a/./b",
      "/..",
      "/../x",
      "/a//../b",
      "/%2e%2e/secret",
      "/%61%7e%41",
      "/a/b/..",
      "/a?x=../y",
      "/%zz",
      "/a/%2E",
      "/a\\b",
      "/a%00b",
      "/x%c3%a9",
    ]),
    ...targets("merge", "path-merge", ["//a///b//?x=//y", "/a/"]),
    ...targets("both", "path-both", ["//a/..//secret", "/a/%2e%2e//x"]),
    ...targets("slash_reject", "path-slash-reject", ["/a%2fb", "/a%5Cb", "/a?x=%2f"]),
    ...targets("slash_redirect", "path-slash-redirect", ["/a%2Fb?x=%2f", "/a%5cb", "/ab"]),
    ...targets("slash_forward", "path-slash-forward", ["/a%2fb", "/a%5cb"]),
    ...targets("edge", "path-edge", ["/a%2f..%2fsecret", "/a/..%2f/b", "/%2e%2e%2fsecret"]),
    ...hosts("main", "host-plain", ["b.local", "B.LOCAL", "b.local:80", "b.local."]),
    ...hosts("any_port", "host-any-port", ["b.local:1234", "b.local", "[::1]:80", "b.local:"]),
    ...hosts("matching_port", "host-matching-port", ["b.local:$port:matching_port", "b.local:81"]),
    ...hosts("trailing_dot", "host-trailing-dot", ["b.local.", "b.local.:80"]),
  ],
};

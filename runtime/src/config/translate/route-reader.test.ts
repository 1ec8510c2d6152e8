import { writeFileSync } from "node:fs";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  boot,
  cluster,
  type Fields,
  forward,
  HCM_PATH,
  hcmOf,
  problems,
  respond,
  ROUTE_PATH,
  routeOf,
  routeProblems,
  router,
  table,
  translate,
  type,
  warnings,
  wasmFilter,
} from "./bootstrap-for-test.ts";

const TABLE = `${HCM_PATH}.route_config`;
const FILTER_CONFIG = "envoy.config.route.v3.FilterConfig";
const CORS_POLICY = "envoy.extensions.filters.http.cors.v3.CorsPolicy";
const ignoring = { ignoreUnsupported: true };
const noMutations = { requestAdd: [], requestRemove: [], responseAdd: [], responseRemove: [] };

const tableProblems = (routes: Fields): Promise<string[]> => problems(boot({ routes }));
const match = (fields: Fields): Fields => ({ ...forward(), match: fields });
const redirect = (fields: Fields): Fields => ({ match: { prefix: "/" }, redirect: fields });

test("gives a route of which little is said Envoy's defaults", async () => {
  expect(await routeOf(forward())).toEqual({
    name: "",
    where: ROUTE_PATH,
    match: {
      path: { kind: "prefix", value: "/" },
      caseSensitive: true,
      headers: [],
      queryParameters: [],
      runtimeFractionPpm: 1_000_000,
      runtimeKey: "",
      grpc: false,
      tlsContext: null,
    },
    action: {
      kind: "route",
      cluster: { kind: "cluster", name: "up" },
      clusterNotFoundStatus: 503,
      pathRewrite: { kind: "none" },
      hostRewrite: { kind: "none" },
      appendXForwardedHost: false,
      upgrades: [],
      timeoutMs: 15_000,
      idleTimeoutMs: -1,
      maxStreamDurationMs: -1,
      priority: "default",
    },
    headers: noMutations,
    perFilter: [],
  });
});

test("reads a table and its virtual hosts", async () => {
  const header = { header: { key: "X-A", value: "%PROTOCOL% é" } };
  const { routes } = await hcmOf(
    {},
    {
      routes: {
        name: "t",
        most_specific_header_mutations_wins: true,
        ignore_port_in_host_matching: true,
        internal_only_headers: ["X-Internal"],
        response_headers_to_remove: ["Server-Timing"],
        virtual_hosts: [
          {
            name: "v",
            domains: ["A.example", "*.b.example", "c.*", "a*b", ""],
            require_tls: "EXTERNAL_ONLY",
            include_request_attempt_count: true,
            include_attempt_count_in_response: true,
            request_headers_to_add: [header],
          },
          { name: "v", domains: ["*"], require_tls: "ALL" },
        ],
      },
    },
  );
  const add = {
    name: "x-a",
    format: "%PROTOCOL% Ã©",
    action: "append_if_exists_or_add",
    keepEmptyValue: false,
  };
  expect(routes).toEqual({
    name: "t",
    mostSpecificHeaderMutationsWins: true,
    ignorePortInHostMatching: true,
    internalOnlyHeaders: ["x-internal"],
    headers: { ...noMutations, responseRemove: ["server-timing"] },
    virtualHosts: [
      {
        name: "v",
        domains: ["a.example", "*.b.example", "c.*", "a*b", ""],
        routes: [],
        requireTls: "external_only",
        headers: { ...noMutations, requestAdd: [add] },
        includeRequestAttemptCount: true,
        includeAttemptCountInResponse: true,
        perFilter: [],
      },
      {
        name: "v",
        domains: ["*"],
        routes: [],
        requireTls: "all",
        headers: noMutations,
        includeRequestAttemptCount: false,
        includeAttemptCountInResponse: false,
        perFilter: [],
      },
    ],
  });
});

test.each([
  ["x", "X"],
  ["*", "*"],
  ["*.x", "*.x"],
])("refuses the domains %s and %s in one table", async (first, second) => {
  const hosts = [
    { name: "a", domains: [first] },
    { name: "b", domains: [second] },
  ];
  const twice = `found "${second.toLowerCase()}" twice, first in virtual host "a"`;
  expect(await tableProblems({ virtual_hosts: hosts })).toEqual([
    `${TABLE}.virtual_hosts[1].domains: ${twice}: only unique values for domains are permitted`,
  ]);
});

describe("matches", () => {
  test.each<[Fields, unknown]>([
    [{ prefix: "" }, { kind: "prefix", value: "" }],
    [{ path: "/é" }, { kind: "path", value: "/Ã©" }],
    [{ path_separated_prefix: "/a" }, { kind: "path_separated_prefix", value: "/a" }],
    [{ safe_regex: { regex: "/(?P<x>a)" } }, { kind: "regex", regex: "/(?P<x>a)" }],
  ])("paths: %j", async (fields, path) => {
    expect((await routeOf(match(fields))).match.path).toEqual(path);
  });

  test.each<[Fields, number]>([
    [{ numerator: 5 }, 50_000],
    [{ numerator: 5, denominator: "TEN_THOUSAND" }, 500],
    [{ numerator: 5, denominator: "MILLION" }, 5],
    [{ numerator: 500 }, 1_000_000],
    [{}, 0],
  ])("fractions: %j", async (value, ppm) => {
    const fraction = { default_value: value, runtime_key: "k" };
    const route = await routeOf(match({ prefix: "/", runtime_fraction: fraction }));
    expect(route.match.runtimeFractionPpm).toBe(ppm);
    expect(route.match.runtimeKey).toBe("k");
  });

  test.each<[Fields, unknown]>([
    [{}, { presented: null, validated: null }],
    [{ presented: true }, { presented: true, validated: null }],
    [
      { presented: false, validated: false },
      { presented: false, validated: false },
    ],
  ])("tls_context: %j", async (value, expected) => {
    const route = await routeOf(match({ prefix: "/", tls_context: value }));
    expect(route.match.tlsContext).toEqual(expected);
  });

  const string = (kind: string, value: string, ignoreCase = false): unknown => ({
    kind: "string",
    string: { kind, value, ignoreCase },
  });
  test.each<[Fields, unknown]>([
    [{}, { kind: "present", present: true }],
    [{ present_match: false }, { kind: "present", present: false }],
    [{ range_match: { start: "-5", end: 7 } }, { kind: "range", start: -5, end: 7 }],
    [{ string_match: { exact: "é" } }, string("exact", "Ã©")],
    [{ string_match: { prefix: "Ab", ignore_case: true } }, string("prefix", "ab", true)],
    [{ string_match: { suffix: "a" } }, string("suffix", "a")],
    [{ string_match: { contains: "a" } }, string("contains", "a")],
    [{ string_match: { safe_regex: { regex: "a+" } } }, string("regex", "a+")],
    [{ exact_match: "a" }, string("exact", "a")],
    [{ prefix_match: "a" }, string("prefix", "a")],
    [{ suffix_match: "a" }, string("suffix", "a")],
    [{ contains_match: "a" }, string("contains", "a")],
    [{ safe_regex_match: { regex: "a" } }, string("regex", "a")],
  ])("headers: %j", async (fields, expected) => {
    const header = { name: "X-A", invert_match: true, treat_missing_header_as_empty: true };
    const route = await routeOf(match({ prefix: "/", headers: [{ ...header, ...fields }] }));
    expect(route.match.headers).toEqual([
      { name: "x-a", match: expected, invert: true, treatMissingAsEmpty: true },
    ]);
  });

  test.each<[Fields, unknown]>([
    [{}, { kind: "present", present: true }],
    [{ present_match: true }, { kind: "present", present: true }],
    [{ present_match: false }, { kind: "present", present: false }],
    [{ string_match: { exact: "A" } }, string("exact", "A")],
  ])("query parameters: %j", async (fields, expected) => {
    const parameters = [{ name: "Q", ...fields }];
    const route = await routeOf(match({ prefix: "/", query_parameters: parameters }));
    expect(route.match.queryParameters).toEqual([{ name: "Q", match: expected }]);
  });

  test("case and gRPC", async () => {
    const route = await routeOf(match({ prefix: "/", case_sensitive: false, grpc: {} }));
    expect(route.match).toMatchObject({ caseSensitive: false, grpc: true });
  });

  test.each<[Fields, string]>([
    [
      { safe_regex: { regex: "(" } },
      '.safe_regex.regex: found "(", expected a RE2 regular expression: error parsing regexp: missing closing ): `(`',
    ],
    [
      {
        prefix: "/",
        headers: [{ name: "a", string_match: { safe_regex: { regex: "a" }, ignore_case: true } }],
      },
      ".headers[0].string_match.ignore_case: ignore_case has no effect for safe_regex",
    ],
    [{ prefix: "/", cookies: [{}] }, ".cookies: not implemented by Headgate"],
  ])("refuse %j", async (fields, expected) => {
    expect(await routeProblems(match(fields))).toContain(`${ROUTE_PATH}.match${expected}`);
  });

  test.each<Fields>([
    {
      prefix: "/",
      dynamic_metadata: [{ filter: "a", path: [{ key: "b" }], value: { bool_match: true } }],
    },
    {
      prefix: "/",
      headers: [{ name: "a", string_match: { custom: { name: "x", typed_config: router } } }],
    },
  ])("are never made wider by --ignore-unsupported: %j", async (fields) => {
    const found = await problems(boot({ routes: table(match(fields)) }), ignoring);
    expect(found.join("\n")).toContain("--ignore-unsupported does not cover it");
  });
});

describe("route actions", () => {
  test("are read", async () => {
    const route = await routeOf(
      forward(
        {
          cluster_not_found_response_code: "INTERNAL_SERVER_ERROR",
          prefix_rewrite: "/é",
          host_rewrite_literal: "h",
          append_x_forwarded_host: true,
          timeout: "0s",
          idle_timeout: "0s",
          max_stream_duration: { max_stream_duration: "0s" },
          priority: "HIGH",
        },
        { name: "n" },
      ),
    );
    expect(route.name).toBe("n");
    expect(route.action).toMatchObject({
      clusterNotFoundStatus: 500,
      pathRewrite: { kind: "prefix", prefix: "/Ã©" },
      hostRewrite: { kind: "literal", host: "h" },
      appendXForwardedHost: true,
      timeoutMs: 0,
      idleTimeoutMs: 0,
      maxStreamDurationMs: 0,
      priority: "high",
    });
  });

  test.each<[Fields, unknown]>([
    [{ host_rewrite_literal: "" }, { kind: "none" }],
    [{ auto_host_rewrite: true }, { kind: "auto" }],
    [{ auto_host_rewrite: false }, { kind: "none" }],
    [{ host_rewrite_header: "X-H" }, { kind: "header", header: "x-h" }],
    [
      { host_rewrite_path_regex: { pattern: { regex: "/(a)" }, substitution: "\\1" } },
      { kind: "path_regex", regex: "/(a)", substitution: "\\1" },
    ],
  ])("rewrite hosts: %j", async (fields, expected) => {
    expect((await routeOf(forward(fields))).action).toMatchObject({ hostRewrite: expected });
  });

  test("end CONNECT themselves", async () => {
    const read = async (connect_config: Fields): Promise<unknown> => {
      const upgrade_configs = [{ upgrade_type: "CONNECT", connect_config }];
      const { action } = await routeOf(forward({ upgrade_configs }));
      return action.kind === "route" ? action.upgrades[0]?.connect : null;
    };
    expect(await read({})).toEqual({ proxyProtocol: "none", allowsPost: false });
    const added_tlvs = [{ type: 230, value: "YQ==" }];
    const proxy_protocol_config = { version: "V2", added_tlvs };
    expect(await read({ allow_post: true, proxy_protocol_config })).toEqual({
      proxyProtocol: "v2",
      allowsPost: true,
    });
    const v1 = { version: "V1", pass_through_tlvs: { match_type: "INCLUDE_ALL" } };
    expect(await read({ proxy_protocol_config: v1 })).toMatchObject({ proxyProtocol: "v1" });
  });

  test("as Envoy, connect_config is CONNECT's alone", async () => {
    const upgrade_configs = [{ upgrade_type: "websocket", connect_config: {} }];
    const [problem] = await routeProblems(forward({ upgrade_configs }));
    expect(problem).toContain('found upgrade_type "websocket", expected CONNECT');
  });

  const weight = { name: "up", weight: 1 };
  const weighted = (fields: Fields): Fields => ({
    match: { prefix: "/" },
    route: { weighted_clusters: fields },
  });

  test("have weights, whose sum counts and not total_weight", async () => {
    const clusters = [
      { ...weight, weight: 3, host_rewrite_literal: "h", response_headers_to_remove: ["X"] },
      { cluster_header: "X-C", weight: 0 },
    ];
    const route = await routeOf(
      weighted({ clusters, total_weight: 100, header_name: "X-R", runtime_key_prefix: "k" }),
    );
    expect(route.action).toMatchObject({
      cluster: {
        kind: "weighted",
        totalWeight: 3,
        headerName: "x-r",
        runtimeKeyPrefix: "k",
        clusters: [
          {
            cluster: { kind: "cluster", name: "up" },
            weight: 3,
            headers: { ...noMutations, responseRemove: ["x"] },
            hostRewriteLiteral: "h",
            perFilter: [],
          },
          { cluster: { kind: "header", name: "x-c" }, weight: 0, hostRewriteLiteral: "" },
        ],
      },
    });
  });

  test("name the cluster by a header", async () => {
    const route = await routeOf({ match: { prefix: "/" }, route: { cluster_header: "X-C" } });
    expect(route.action).toMatchObject({ cluster: { kind: "header", header: "x-c" } });
  });

  const at = `${ROUTE_PATH}.route`;
  test.each<[Fields, string]>([
    [forward({ cluster: "nowhere" }), ".cluster: unknown cluster 'nowhere'"],
    [
      weighted({ clusters: [{ name: "nowhere", weight: 1 }] }),
      ".weighted_clusters: unknown cluster 'nowhere'",
    ],
    [
      weighted({ clusters: [{ ...weight, weight: 0 }] }),
      ".weighted_clusters.clusters: sum of weights must be greater than 0",
    ],
    [
      weighted({ clusters: [{ ...weight, weight: 0xffffffff }, weight] }),
      ".weighted_clusters.clusters: found weights of 4294967296, expected a sum of at most 4294967295",
    ],
    [
      weighted({ clusters: [weight, { name: "up" }] }),
      ".weighted_clusters.clusters[1]: expected weight",
    ],
    [
      weighted({ clusters: [{ weight: 1 }] }),
      ".weighted_clusters.clusters[0]: expected name or cluster_header",
    ],
    [
      weighted({ clusters: [{ ...weight, cluster_header: "x" }] }),
      ".weighted_clusters.clusters[0].cluster_header: both name and cluster_header are set, expected one of them",
    ],
    [
      forward({
        prefix_rewrite: "/a",
        regex_rewrite: { pattern: { regex: "a" }, substitution: "b" },
      }),
      ".regex_rewrite: both prefix_rewrite and regex_rewrite are set, expected one of them",
    ],
    [forward({ retry_policy: {} }), ".retry_policy: not implemented by Headgate"],
    [forward({ hash_policy: [{}] }), ".hash_policy: not implemented by Headgate"],
  ])("refuse %j", async (route, expected) => {
    expect(await routeProblems(route)).toContain(`${at}${expected}`);
  });

  test("may name clusters that are not there when validate_clusters is false", async () => {
    const routes = { ...table(forward({ cluster: "nowhere" })), validate_clusters: false };
    expect(await tableProblems(routes)).toEqual([]);
  });

  test("are not blamed for a cluster whose name could not be read", async () => {
    const config = boot({ clusters: [cluster({ name: [] })] });
    const found = await problems(config);
    expect(found.some((problem) => problem.includes("unknown cluster"))).toBe(false);
    expect(found.length).toBeGreaterThan(0);
  });

  test("are never sent elsewhere by --ignore-unsupported", async () => {
    for (const field of ["metadata_match", "path_rewrite_policy"]) {
      const found = await problems(boot({ routes: table(forward({ [field]: {} })) }), ignoring);
      expect(found.join("\n")).toContain("--ignore-unsupported does not cover it");
    }
  });
});

describe("substitutions of regular expressions", () => {
  const rewrite = (substitution: string): Fields =>
    forward({ regex_rewrite: { pattern: { regex: "a(b)" }, substitution } });

  test.each([
    ["\\1\\\\x", "\\1\\\\x"],
    ["\\2", "\\0"],
    ["x\\q\\1", "x"],
    ["x\\", "x"],
  ])("%s becomes %s, which does what Envoy does", async (text, expected) => {
    const { action } = await routeOf(rewrite(text));
    expect(action).toMatchObject({ pathRewrite: { kind: "regex", substitution: expected } });
  });

  test("that do not mean much are warned of", async () => {
    const at = `${ROUTE_PATH}.route.regex_rewrite.substitution`;
    expect(await warnings(boot({ routes: table(rewrite("\\2")) }))).toEqual([
      `${at}: found group \\2, expected at most \\1: the rewrite changes nothing, as in Envoy`,
    ]);
    expect(await warnings(boot({ routes: table(rewrite("x\\q")) }))).toEqual([
      `${at}: found "\\q", expected \\0 to \\9 or \\\\: the substitution ends there, as in Envoy`,
    ]);
  });
});

describe("redirects", () => {
  test.each<[Fields, Fields]>([
    [
      {},
      {
        status: 301,
        scheme: "",
        httpsRedirect: false,
        host: "",
        port: 0,
        path: { kind: "keep" },
        stripQuery: false,
      },
    ],
    [{ response_code: "SEE_OTHER" }, { status: 303 }],
    [{ response_code: "PERMANENT_REDIRECT" }, { status: 308 }],
    [
      { https_redirect: true, strip_query: true },
      { httpsRedirect: true, stripQuery: true },
    ],
    [{ scheme_redirect: "wss" }, { scheme: "wss" }],
    [
      { host_redirect: "h", port_redirect: 8080 },
      { host: "h", port: 8080 },
    ],
    [{ path_redirect: "/a?b" }, { path: { kind: "path", path: "/a?b" } }],
    [{ prefix_rewrite: "/p" }, { path: { kind: "prefix", prefix: "/p" } }],
    [
      { regex_rewrite: { pattern: { regex: "a" }, substitution: "b" } },
      { path: { kind: "regex", regex: "a", substitution: "b" } },
    ],
  ])("%j", async (fields, expected) => {
    const { action } = await routeOf(redirect(fields));
    expect(action).toMatchObject({ kind: "redirect", ...expected });
  });
});

describe("direct responses", () => {
  const folder = mkdtempSync(join(tmpdir(), "route-reader-"));
  const file = join(folder, "body");
  writeFileSync(file, Buffer.from([0xff, 0x0a]));

  test.each<[Fields, string | null]>([
    [{}, null],
    [{ body: { inline_string: "" } }, ""],
    [{ body: { inline_string: "é" } }, "Ã©"],
    [{ body: { inline_bytes: "/wo=" } }, "\u00ff\n"],
    [{ body: { filename: file } }, "\u00ff\n"],
    [{ body: { environment_variable: "HEADGATE_TEST_BODY" } }, "from outside"],
  ])("have the body of %j", async (fields, body) => {
    process.env["HEADGATE_TEST_BODY"] = "from outside";
    const { action } = await routeOf(respond({ status: 299, ...fields }));
    expect(action).toEqual({ kind: "direct_response", status: 299, body, bodyFormat: null });
  });

  test("have a format", async () => {
    const format = { text_format_source: { inline_string: "%PROTOCOL%" } };
    const { action } = await routeOf(respond({ body_format: format }));
    expect(action).toMatchObject({ bodyFormat: { kind: "text", text: "%PROTOCOL%" } });
  });

  test("are at most 4096 bytes, or what the table says", async () => {
    const body = { inline_string: "é".repeat(2049) };
    expect(await routeProblems(respond({ body }))).toEqual([
      `${ROUTE_PATH}.direct_response.body: response body size is 4098 bytes; maximum is 4096`,
    ]);
    expect(await routeProblems(respond({ body: { inline_string: "x".repeat(4096) } }))).toEqual([]);
    const most = { max_direct_response_body_size_bytes: 4098 };
    expect(await tableProblems({ ...table(respond({ body })), ...most })).toEqual([]);
  });

  test.each<[Fields, string]>([
    [
      { filename: join(folder, "none") },
      `.filename: unable to read the file ${join(folder, "none")}: ENOENT: no such file or directory, lstat '${join(folder, "none")}'`,
    ],
    [{ filename: "/dev/zero" }, ".filename: found /dev/zero, expected no file of the system"],
    [
      { environment_variable: "HEADGATE_TEST_NONE" },
      ".environment_variable: environment variable HEADGATE_TEST_NONE is not set",
    ],
    [
      { inline_string: "a", watched_directory: { path: "/tmp" } },
      ".watched_directory: not implemented by Headgate",
    ],
  ])("refuse a body of %j", async (body, expected) => {
    const at = `${ROUTE_PATH}.direct_response.body`;
    expect(await routeProblems(respond({ body }))).toEqual([`${at}${expected}`]);
  });
});

describe("header mutations", () => {
  const add = (option: Fields): Fields => forward({}, { request_headers_to_add: [option] });

  test.each<[Fields, string]>([
    [{}, "append_if_exists_or_add"],
    [{ append_action: "ADD_IF_ABSENT" }, "add_if_absent"],
    [{ append_action: "OVERWRITE_IF_EXISTS_OR_ADD" }, "overwrite_if_exists_or_add"],
    [{ append_action: "OVERWRITE_IF_EXISTS" }, "overwrite_if_exists"],
    [{ append: true }, "append_if_exists_or_add"],
    [{ append: false }, "overwrite_if_exists_or_add"],
    [{ append: false, append_action: "APPEND_IF_EXISTS_OR_ADD" }, "overwrite_if_exists_or_add"],
  ])("%j", async (option, action) => {
    const header = { key: "X-A", value: "100%%" };
    const { headers } = await routeOf(add({ header, keep_empty_value: true, ...option }));
    expect(headers.requestAdd).toEqual([
      { name: "x-a", format: "100%%", action, keepEmptyValue: true },
    ]);
  });

  test("take names that no client could send, as Envoy does", async () => {
    expect(await routeProblems(add({ header: { key: "a b", value: "c" } }))).toEqual([]);
  });

  test("do not use raw_value, as Envoy does not, and say so", async () => {
    const option = { header: { key: "a", value: "v", raw_value: "cmF3" } };
    expect((await routeOf(add(option))).headers.requestAdd[0]?.format).toBe("v");
    expect(await warnings(boot({ routes: table(add(option)) }))).toEqual([
      `${ROUTE_PATH}.request_headers_to_add[0].header.raw_value: raw_value has no effect here, as in Envoy: expected value`,
    ]);
  });

  const header = `${ROUTE_PATH}.request_headers_to_add[0].header`;
  test.each<[Fields, string]>([
    [
      add({ header: { key: "Host", value: "a" } }),
      `${header}.key: :-prefixed or host headers may not be modified`,
    ],
    [
      add({ header: { key: ":path", value: "a" } }),
      `${header}.key: :-prefixed or host headers may not be modified`,
    ],
    [
      add({ header: { key: "a", value: "%NOPE%" } }),
      `${header}.value: not supported field in StreamInfo: NOPE`,
    ],
    [
      add({ header: { key: "a", value: "%CEL(1)%" } }),
      `${header}.value: the command %CEL% is not implemented by Headgate`,
    ],
    [
      add({ header: { key: "a", value: "b" }, append: true, append_action: "ADD_IF_ABSENT" }),
      `${ROUTE_PATH}.request_headers_to_add[0].append: both append and append_action are set, expected one of them`,
    ],
    [
      forward({}, { response_headers_to_remove: ["HOST"] }),
      `${ROUTE_PATH}.response_headers_to_remove: :-prefixed or host headers may not be removed`,
    ],
  ])("refuse %j", async (route, expected) => {
    expect(await routeProblems(route)).toEqual([expected]);
  });

  test("are not left to the client by --ignore-unsupported", async () => {
    const option = { header: { key: "x-user", value: "%XFCC_VALUE(%Y)%" } };
    const found = await problems(boot({ routes: table(add(option)) }), ignoring);
    expect(found).toEqual([
      `${header}.value: the command %XFCC_VALUE% is not implemented by Headgate, and --ignore-unsupported does not cover it: a client's own header would pass`,
    ]);
  });
});

describe("typed_per_filter_config", () => {
  const chain = { http_filters: [wasmFilter("w"), router] };
  const say = (fields: Fields): Fields => ({
    typed_per_filter_config: { w: { ...type(FILTER_CONFIG), ...fields } },
  });
  const routesOf = async (routes: Fields): ReturnType<typeof hcmOf> => hcmOf(chain, { routes });

  test("switches filters off and on", async () => {
    const routes = table(forward({}, say({ disabled: true })), forward({}, say({ config: {} })));
    const { routes: read } = await routesOf(routes);
    expect(read.virtualHosts[0]?.routes.map((route) => route.perFilter)).toEqual([
      [{ filterName: "w", disabled: true }],
      [{ filterName: "w", disabled: false }],
    ]);
  });

  test("of a table holds where a virtual host says nothing of the filter", async () => {
    const virtual_hosts = [
      { name: "a", domains: ["a"] },
      { name: "b", domains: ["b"], ...say({ config: {} }) },
    ];
    const { routes } = await routesOf({ virtual_hosts, ...say({ disabled: true }) });
    expect(routes.virtualHosts.map((host) => host.perFilter)).toEqual([
      [{ filterName: "w", disabled: true }],
      [{ filterName: "w", disabled: false }],
    ]);
  });

  const at = `${ROUTE_PATH}.typed_per_filter_config["w"]`;
  test.each<[Fields, string]>([
    [say({}), `${at}: empty configuration of filter "w", expected config or disabled`],
    [
      { typed_per_filter_config: { w: type(CORS_POLICY) } },
      `${at}: per-route configuration of type ${CORS_POLICY} is not implemented by Headgate`,
    ],
    [
      say({ config: type(CORS_POLICY) }),
      `${at}.config: per-route configuration of type ${CORS_POLICY} is not implemented by Headgate`,
    ],
  ])("refuses %j", async (fields, expected) => {
    expect(await routeProblems(forward({}, fields))).toEqual([expected]);
  });

  test("of a filter that is left out is left out", async () => {
    const web = {
      name: "c",
      typed_config: type("envoy.extensions.filters.http.grpc_web.v3.GrpcWeb"),
    };
    const fields = { typed_per_filter_config: { c: type(CORS_POLICY) } };
    const config = boot({
      hcm: { http_filters: [web, router] },
      routes: table(forward({}, fields)),
    });
    const { snapshot } = await translate(config, ignoring);
    const [chain] = snapshot.listeners[0]?.filterChains ?? [];
    expect(chain?.hcm?.routes.virtualHosts[0]?.routes[0]?.perFilter).toEqual([]);
    expect(await problems(boot({ routes: table(forward({}, fields)) }), ignoring)).toHaveLength(1);
  });
});

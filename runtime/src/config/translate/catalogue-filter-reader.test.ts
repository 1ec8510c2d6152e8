import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { type CatalogueFilter, FilterCatalogue } from "../filter-catalogue.ts";
import type { PerFilterConfig, RouteConfig, Snapshot } from "../snapshot.ts";
import {
  boot,
  type Fields,
  HCM_PATH,
  problems,
  router,
  translate,
  type,
} from "./bootstrap-for-test.ts";

const FILTERS = "envoy.extensions.filters.http";
const CORS = `${FILTERS}.cors.v3.Cors`;
const POLICY = `${FILTERS}.cors.v3.CorsPolicy`;
const AUTH = `${FILTERS}.basic_auth.v3.BasicAuth`;
const AUTH_ROUTE = `${FILTERS}.basic_auth.v3.BasicAuthPerRoute`;

const folder = mkdtempSync(join(tmpdir(), "catalogue-"));
const modulePath = join(folder, "filter.wasm");
writeFileSync(modulePath, Buffer.from("0061736d01000000", "hex"));

const base = {
  name: "cors",
  config: CORS,
  routeConfig: POLICY,
  levels: "all",
  forwardedOnly: true,
  isUpstream: false,
  dataSources: [],
  unimplemented: { "allow_origin_string_match[].custom": "origins would be refused" },
  modulePath,
} as const;
const auth: CatalogueFilter = {
  ...base,
  name: "basic_auth",
  config: AUTH,
  routeConfig: AUTH_ROUTE,
  levels: "most_specific",
  forwardedOnly: false,
  dataSources: ["users"],
  unimplemented: {},
};
const catalogue = new FilterCatalogue([base, auth]);

const at = `${HCM_PATH}.http_filters[0].typed_config`;
const cors: Fields = { name: "c", typed_config: type(CORS) };
const users = (text: string): Fields => ({ users: { inline_string: text } });
const say = (name: string, message: string, fields: Fields): Fields => ({
  typed_per_filter_config: { [name]: { ...type(message), ...fields } },
});
const host = (routes: readonly Fields[], more: Fields = {}): Fields => ({
  virtual_hosts: [{ name: "h", domains: ["*"], routes, ...more }],
});

async function chain(filter: Fields, routes: Fields): Promise<Snapshot> {
  const config = boot({ hcm: { stat_prefix: "in:gress", http_filters: [filter, router] }, routes });
  return (await translate(config, { catalogue })).snapshot;
}

/** What the module of a plugin gets. */
function given(snapshot: Snapshot, plugin: number): unknown {
  const bytes = snapshot.plugins[plugin]?.pluginConfiguration ?? new Uint8Array(0);
  return JSON.parse(Buffer.from(bytes).toString("utf8"));
}

function hcmOf(
  snapshot: Snapshot,
): NonNullable<Snapshot["listeners"][0]["filterChains"][0]["hcm"]> {
  const hcm = snapshot.listeners[0]?.filterChains[0]?.hcm;
  if (hcm === undefined || hcm === null) throw new Error("no connection manager");
  return hcm;
}

/** What the module gets for requests that a route or host serves with this. */
function ofRoute(snapshot: Snapshot, configs: readonly PerFilterConfig[] | undefined): unknown {
  const variant = configs?.[0]?.variant;
  if (variant === undefined) return undefined;
  return given(snapshot, hcmOf(snapshot).variants?.[variant]?.plugin ?? -1);
}

const simple = { match: { prefix: "/" }, route: { cluster: "up" } };

test("a filter of ours is a plugin with its module, Envoy's stats and the message as JSON", async () => {
  const filter = { name: "a", typed_config: { ...type(AUTH), ...users("u:{SHA}x"), realm: "r" } };
  const snapshot = await chain(filter, host([simple]));
  expect(hcmOf(snapshot).httpFilters).toEqual([{ name: "a", disabled: false, plugin: 0 }]);
  expect(snapshot.plugins[0]).toMatchObject({
    name: "a",
    code: { filename: modulePath },
    native: { metricPrefix: "http.in_gress." },
  });
  expect(given(snapshot, 0)).toEqual({
    filter: { users: { inline_string: "u:{SHA}x" }, realm: "r" },
    levels: [],
  });
});

test("the content of a file is handed over, not its name", async () => {
  const file = join(folder, "users");
  writeFileSync(file, "file:{SHA}y");
  const filter = { name: "a", typed_config: { ...type(AUTH), users: { filename: file } } };
  const snapshot = await chain(filter, host([simple]));
  expect(given(snapshot, 0)).toMatchObject({ filter: { users: { inline_string: "file:{SHA}y" } } });
});

test("all levels, or the most specific one", async () => {
  const level = (name: string, path: string): Fields => say("c", POLICY, { [name]: path });
  const route = { ...simple, ...level("max_age", "route") };
  const weighted = {
    match: { prefix: "/w" },
    ...level("max_age", "outer"),
    route: {
      weighted_clusters: { clusters: [{ name: "up", weight: 1, ...level("max_age", "inner") }] },
    },
  };
  const routes = {
    ...host([weighted, route], level("allow_headers", "host")),
    ...level("allow_methods", "table"),
  };
  const snapshot = await chain(cors, routes);
  const [h] = hcmOf(snapshot).routes.virtualHosts;
  const outer = [{ allow_methods: "table" }, { allow_headers: "host" }];
  expect(ofRoute(snapshot, h?.perFilter)).toEqual({ filter: {}, levels: outer });
  expect(ofRoute(snapshot, h?.routes[1]?.perFilter)).toEqual({
    filter: {},
    levels: [...outer, { max_age: "route" }],
  });
  const action = h?.routes[0]?.action as Extract<RouteConfig["action"], { kind: "route" }>;
  const cluster = action.cluster.kind === "weighted" ? action.cluster.clusters[0] : undefined;
  expect(ofRoute(snapshot, cluster?.perFilter)).toEqual({
    filter: {},
    levels: [...outer, { max_age: "outer" }, { max_age: "inner" }],
  });

  const filter = { name: "a", typed_config: { ...type(AUTH), ...users("x:{SHA}x") } };
  const own = say("a", AUTH_ROUTE, users("route:{SHA}x"));
  const around = say("a", AUTH_ROUTE, users("host:{SHA}x"));
  const specific = await chain(filter, host([{ ...simple, ...own }], around));
  const [served] = hcmOf(specific).routes.virtualHosts;
  expect(ofRoute(specific, served?.routes[0]?.perFilter)).toMatchObject({
    levels: [users("route:{SHA}x")],
  });
});

test("a redirect has no policy where Envoy's filter has none there", async () => {
  const redirect = { match: { prefix: "/r" }, redirect: { path_redirect: "/x" } };
  const snapshot = await chain(cors, host([redirect], say("c", POLICY, { max_age: "1" })));
  const [h] = hcmOf(snapshot).routes.virtualHosts;
  expect(ofRoute(snapshot, h?.routes[0]?.perFilter)).toEqual({ filter: {}, levels: [] });
  expect(ofRoute(snapshot, h?.perFilter)).toEqual({ filter: {}, levels: [{ max_age: "1" }] });
});

test("what is equal is one plugin", async () => {
  const same = say("c", POLICY, { max_age: "1" });
  const snapshot = await chain(
    cors,
    host([
      { ...simple, ...same },
      { ...simple, ...same },
    ]),
  );
  expect(snapshot.plugins).toHaveLength(2);
});

test("a field that the filter does not serve is refused at its place", async () => {
  const custom = { custom: { name: "x", typed_config: type(CORS) } };
  const wrong = say("c", POLICY, { allow_origin_string_match: [{ exact: "a" }, custom] });
  const config = boot({
    hcm: { http_filters: [cors, router] },
    routes: host([{ ...simple, ...wrong }]),
  });
  const [problem = "", ...others] = await problems(config, { catalogue });
  expect(others).toEqual([]);
  expect(problem).toContain("allow_origin_string_match[1].custom: ");
  expect(problem).toContain("StringMatcher.custom is not implemented by Headgate");
});

test("a module that was not built is named, with what builds it", async () => {
  const missing = new FilterCatalogue([{ ...base, modulePath: join(folder, "none.wasm") }]);
  const config = boot({ hcm: { http_filters: [cors, router] }, routes: host([simple]) });
  const [problem = ""] = await problems(config, { catalogue: missing });
  expect(problem.startsWith(`${at}: the module of cors has not been built`)).toBe(true);
  expect(problem).toContain("npm run filters");
});

test("only filters that may stand there stand behind the router", async () => {
  const codec = {
    name: "codec",
    typed_config: type(`${FILTERS}.upstream_codec.v3.UpstreamCodec`),
  };
  const typed = { ...type("envoy.extensions.filters.http.router.v3.Router") };
  const behind = { name: "r", typed_config: { ...typed, upstream_http_filters: [cors, codec] } };
  const config = boot({ hcm: { http_filters: [behind] }, routes: host([simple]) });
  expect((await problems(config, { catalogue })).join()).toContain(
    `the HTTP filter ${CORS} is not`,
  );
  const upstream = new FilterCatalogue([{ ...base, isUpstream: true }]);
  expect(await problems(config, { catalogue: upstream })).toEqual([]);
});

test("the filters of this repository are in the catalogue", () => {
  const installed = FilterCatalogue.installed();
  expect(installed.find(CORS)).toMatchObject({ name: "envoy.filters.http.cors", levels: "all" });
  for (const filter of installed.filters) {
    expect(filter.modulePath).toMatch(/\.wasm$/);
    expect(["most_specific", "all"]).toContain(filter.levels);
  }
});

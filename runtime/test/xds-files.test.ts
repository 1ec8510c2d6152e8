// xDS from files with a real process and real files: listeners, clusters, routes and hosts come and
// change under traffic, in all the ways in which files change, and bad files change nothing.
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { listener, socketAddress } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstreams } from "./process-rig.ts";

/** HEADGATE_RELOADS=50 for the figure of the acceptance; fewer here, so that tests stay short. */
const RELOADS = Number(process.env["HEADGATE_RELOADS"] ?? 3);
const TYPES = {
  lds: "envoy.config.listener.v3.Listener",
  cds: "envoy.config.cluster.v3.Cluster",
  rds: "envoy.config.route.v3.RouteConfiguration",
  eds: "envoy.config.endpoint.v3.ClusterLoadAssignment",
} as const;
type Kind = keyof typeof TYPES;

/** Each answers with its index. */
const upstreams = useUpstreams("up 0", "up 1");
const processes = useProcesses({ flags: ["--drain-time-s", "2"] });

function port(index: number): number {
  return upstreams[index]?.port as number;
}

// ---- Resources.

function source(file: string): object {
  return { resource_api_version: "V3", path_config_source: { path: processes.scratch.path(file) } };
}

/** A listener whose connection manager has its routes in rds.yaml. */
function dynamicListener(name = "main", hcm: object = {}): object {
  const rds = { route_config_name: "table", config_source: source("rds.yaml") };
  return listener({ hcm: { route_config: undefined, rds, ...hcm } }, name);
}

function table(header: string, more: object = {}): object {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "up" } }];
  return {
    name: "table",
    virtual_hosts: [{ name: "all", domains: ["*"], routes }],
    response_headers_to_add: [{ header: { key: "x-round", value: header } }],
    ...more,
  };
}

function edsCluster(more: object = {}): object {
  const eds_cluster_config = { service_name: "service", eds_config: source("eds.yaml") };
  return { name: "up", type: "EDS", eds_cluster_config, ...more };
}

function hosts(onPort: number): object {
  const lb_endpoints = [{ endpoint: { address: socketAddress(onPort) } }];
  return { cluster_name: "service", endpoints: [{ lb_endpoints }] };
}

function response(kind: Kind, version: string, resources: readonly object[]): object {
  const typed = { "@type": `type.googleapis.com/${TYPES[kind]}` };
  return { version_info: version, resources: resources.map((one) => ({ ...typed, ...one })) };
}

/** Moves a response into its place. */
function put(kind: Kind, version: string, ...resources: readonly object[]): void {
  const next = processes.scratch.write(`${kind}.next`, response(kind, version, resources));
  renameSync(next, processes.scratch.path(`${kind}.yaml`));
}

function putAll(): void {
  put("eds", "e0", hosts(port(0)));
  put("cds", "c0", edsCluster());
  put("rds", "r0", table("0"));
  put("lds", "l0", dynamicListener());
}

const scopes: Readonly<Record<Kind, string>> = {
  lds: "listener_manager.lds",
  cds: "cluster_manager.cds",
  rds: "http.main.rds.table",
  eds: "cluster.up",
};

function bootstrap(lds: object = source("lds.yaml")): object {
  return {
    node: { id: "node", cluster: "cluster" },
    admin: { address: socketAddress(0) },
    dynamic_resources: { lds_config: lds, cds_config: source("cds.yaml") },
  };
}

function start(config = bootstrap(), concurrency = 2): Promise<HeadgateProcess> {
  return processes.start(config, { concurrency });
}

/** Does something to a file, and waits for what the subscription counts. Answers where its output begins. */
async function change(
  headgate: HeadgateProcess,
  kind: Kind,
  what: () => void,
  outcome: "success" | "rejected" | "failure" = "success",
): Promise<number> {
  const name = `${scopes[kind]}.update_${outcome}`;
  const before = await headgate.stat(name);
  const at = headgate.output.length;
  what();
  await headgate.waitFor(async () => (await headgate.stat(name)) > before, `${kind} ${outcome}`);
  return at;
}

interface Got {
  readonly status: number;
  readonly text: string;
  readonly round: string | null;
}

async function get(headgate: HeadgateProcess, name = "main"): Promise<Got> {
  const answer = await fetch(`http://${await headgate.listener(name)}/`);
  const round = answer.headers.get("x-round");
  return { status: answer.status, text: await answer.text(), round };
}

describe("under load", () => {
  test(`${RELOADS} changes of each kind fail no request`, async () => {
    putAll();
    const headgate = await start();
    const target = await headgate.listener();
    const load = new Load({ target, keepAlive: 16 });
    const changes: Readonly<Record<Kind, (i: number) => void>> = {
      eds: (i) => put("eds", `e${i}`, hosts(port(i % 2))),
      cds: (i) => put("cds", `c${i}`, edsCluster({ connect_timeout: `${i}s` })),
      rds: (i) => put("rds", `r${i}`, table(String(i))),
      lds: (i) => put("lds", `l${i}`, dynamicListener("main", { server_name: `s${i}` })),
    };
    for (const kind of ["eds", "cds", "rds", "lds"] as const) {
      for (let i = 1; i <= RELOADS; i += 1) {
        const seen = load.answered;
        await change(headgate, kind, () => changes[kind](i));
        await headgate.waitFor(() => load.answered > seen + 30, "traffic");
      }
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect([...load.bodies.keys()].toSorted()).toEqual(["up 0", "up 1"]);
    expect(await headgate.listener()).toBe(target);
    const got = await get(headgate);
    expect(got).toEqual({ status: 200, text: `up ${RELOADS % 2}`, round: String(RELOADS) });
    const stats = await headgate.admin("/stats");
    for (const [kind, scope] of Object.entries(scopes)) {
      expect(stats).toContain(`${scope}.update_success: ${RELOADS + 1}\n`);
      expect(stats).toContain(`${scope}.version_text: "${kind[0]}${RELOADS}"\n`);
      expect(stats).toMatch(new RegExp(`^${scope}\\.update_rejected: 0$`, "m"));
    }
    expect(stats).toContain(`listener_manager.listener_in_place_updated: ${RELOADS}\n`);
    expect(stats).toContain(`cluster_manager.cluster_modified: ${RELOADS}\n`);
    expect(stats).toContain("cluster.up.membership_total: 1\n");
  });

  test("a change of hosts or routes keeps connections and their listener", async () => {
    putAll();
    const headgate = await start();
    await get(headgate);
    await change(headgate, "rds", () => put("rds", "r1", table("1")));
    await change(headgate, "eds", () => put("eds", "e1", hosts(port(1))));
    expect(await get(headgate)).toEqual({ status: 200, text: "up 1", round: "1" });
    expect(await headgate.stat("listener_manager.listener_modified")).toBe(0);
    expect(await headgate.stat("cluster_manager.cluster_modified")).toBe(0);
    expect(await headgate.stat("http.main.downstream_cx_drain_close")).toBe(0);
  });
});

describe("files", () => {
  test("Kubernetes' switch of ..data changes all of them, with and without watched_directory", async () => {
    const putVersion = (version: string, header: string, onPort: number): void => {
      const folder = processes.scratch.path(`map/..${version}`);
      mkdirSync(folder, { recursive: true });
      const write = (kind: Kind, resource: object): void =>
        writeFileSync(
          `${folder}/${kind}.yaml`,
          JSON.stringify(response(kind, version, [resource])),
        );
      write("rds", table(header));
      write("eds", hosts(onPort));
    };
    const link = (version: string): void => {
      symlinkSync(`..${version}`, processes.scratch.path("map/..data_tmp"));
      renameSync(processes.scratch.path("map/..data_tmp"), processes.scratch.path("map/..data"));
    };
    putVersion("v1", "1", port(0));
    link("v1");
    for (const kind of ["rds", "eds"]) {
      symlinkSync(`..data/${kind}.yaml`, processes.scratch.path(`map/${kind}.yaml`));
    }
    const path = processes.scratch.path("map/eds.yaml");
    const watched = { path, watched_directory: { path: processes.scratch.path("map") } };
    const eds_config = { resource_api_version: "V3", path_config_source: watched };
    const rds = { route_config_name: "table", config_source: source("map/rds.yaml") };
    put("cds", "c0", edsCluster({ eds_cluster_config: { service_name: "service", eds_config } }));
    put("lds", "l0", dynamicListener("main", { rds }));
    const headgate = await start();
    expect(await get(headgate)).toEqual({ status: 200, text: "up 0", round: "1" });
    putVersion("v2", "2", port(1));
    await change(headgate, "rds", () => link("v2"));
    await headgate.waitFor(async () => (await headgate.stat("cluster.up.update_success")) === 2);
    expect(await get(headgate)).toEqual({ status: 200, text: "up 1", round: "2" });
    rmSync(processes.scratch.path("map/..v1"), { recursive: true });
    expect(await get(headgate)).toEqual({ status: 200, text: "up 1", round: "2" });
  });

  test("a file written in place is taken when it is whole; one that is removed changes nothing", async () => {
    putAll();
    const headgate = await start();
    const path = processes.scratch.path("rds.yaml");
    const whole = JSON.stringify(response("rds", "r1", [table("1")]));
    const at = await change(
      headgate,
      "rds",
      () => writeFileSync(path, whole.slice(0, whole.length / 2)),
      "failure",
    );
    await headgate.says(/RDS update failed, nothing changed: .*rds\.yaml:1:\d+: /, at);
    expect(await get(headgate)).toMatchObject({ status: 200, round: "0" });
    await change(headgate, "rds", () => writeFileSync(path, whole));
    expect(await get(headgate)).toMatchObject({ status: 200, round: "1" });
    const attempts = await headgate.stat("http.main.rds.table.update_attempt");
    rmSync(path);
    rmSync(processes.scratch.path("eds.yaml"));
    expect(await get(headgate)).toMatchObject({ status: 200, text: "up 0", round: "1" });
    // A burst of moves is one update, or few.
    for (let i = 2; i < 30; i += 1) put("rds", `r${i}`, table(String(i)));
    await headgate.waitFor(async () => (await get(headgate)).round === "29", "the last one");
    const after = await headgate.stat("http.main.rds.table.update_attempt");
    expect(after - attempts).toBeLessThan(20);
  });
});

describe("a bad file", () => {
  test("changes nothing, says why with file:line:col, and the next good one comes into force", async () => {
    putAll();
    const headgate = await start();
    const load = new Load({ target: await headgate.listener(), keepAlive: 4, body: "up 0" });
    const second = dynamicListener("second");
    const taken = listener({ address: socketAddress(port(1)) }, "taken");
    const place = String.raw`\.yaml:\d+:\d+: `;
    const cases: readonly (readonly [Kind, () => void, string])[] = [
      // One of two: the good one does not come either.
      ["lds", () => put("lds", "x", second, { name: "bad" }), `${place}lds\\.resources\\[1\\]`],
      ["lds", () => put("lds", "x", taken), `${place}lds\\.resources\\[0\\]: .*EADDRINUSE`],
      ["lds", () => put("lds", "x", second, second), "duplicate listener 'second'"],
      [
        "cds",
        () => put("cds", "x", { name: "up", type: "LOGICAL_DNS" }),
        `${place}cds\\.resources`,
      ],
      ["cds", () => put("cds", "x", edsCluster(), edsCluster()), "duplicate cluster 'up'"],
      [
        "rds",
        () => put("rds", "x", table("x", { name: "other" })),
        `${place}rds\\.resources\\[0\\]\\.name: Unexpected RDS configuration \\(expecting table\\): other`,
      ],
      [
        "rds",
        () =>
          put(
            "rds",
            "x",
            table("x", {
              validate_clusters: true,
              virtual_hosts: [
                {
                  name: "a",
                  domains: ["*"],
                  routes: [{ match: { prefix: "/" }, route: { cluster: "nowhere" } }],
                },
              ],
            }),
          ),
        "unknown cluster 'nowhere'",
      ],
      ["rds", () => put("rds", "x", table("x"), table("x")), "Unexpected RDS resource length: 2"],
      [
        "eds",
        () => put("eds", "x", { cluster_name: "other" }),
        `${place}.*expecting service\\): other`,
      ],
      [
        "eds",
        () =>
          put("eds", "x", {
            cluster_name: "service",
            endpoints: [{ lb_endpoints: [{ endpoint: {} }] }],
          }),
        `${place}eds\\.resources`,
      ],
    ];
    const states = async (): Promise<string> => {
      const dump = JSON.parse(await headgate.admin("/config_dump")) as { configs: object[] };
      return JSON.stringify(dump.configs).replace(
        /,\{[^{}]*"error_state":.*?"details":"[^"]*"[^}]*\}\}/g,
        "",
      );
    };
    const before = await states();
    for (const [kind, what, reason] of cases) {
      const at = await change(headgate, kind, what, "rejected");
      await headgate.says(`${kind.toUpperCase()} update rejected, nothing changed: `, at);
      await headgate.says(new RegExp(reason), at);
      expect(await get(headgate)).toEqual({ status: 200, text: "up 0", round: "0" });
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    await change(headgate, "lds", () => put("lds", "x", second, { name: "bad" }), "rejected");
    const errors = await headgate.admin("/config_dump?resource=dynamic_listeners");
    expect(errors).toContain('"details": "');
    expect(errors).toContain("no filter chains specified");
    expect(await headgate.admin("/listeners")).not.toContain("second");
    const version = await headgate.stat("server.config_version");
    await change(headgate, "lds", () => put("lds", "l0", dynamicListener()));
    expect(await states()).toBe(before);
    // What is in force came again: workers are not asked.
    expect(await headgate.stat("server.config_version")).toBe(version);
    await change(headgate, "lds", () => put("lds", "l1", dynamicListener(), second));
    expect((await get(headgate, "second")).text).toBe("up 0");
  });

  test("at the start is logged, and the rest serves", async () => {
    putAll();
    processes.scratch.write("lds.yaml", "resources: [");
    const headgate = await start(undefined, 1);
    await headgate.says(/LDS update failed, nothing changed: .*lds\.yaml:1:\d+/);
    expect(await headgate.admin("/listeners")).toBe("");
    await change(headgate, "lds", () => put("lds", "l1", dynamicListener()));
    expect(await get(headgate)).toMatchObject({ status: 200, round: "0" });
  });

  test("a table that is not there is 404 until it comes", async () => {
    putAll();
    put("rds", "r0");
    const headgate = await start(undefined, 1);
    expect((await get(headgate)).status).toBe(404);
    expect(await headgate.stat("http.main.rds.table.update_empty")).toBe(1);
    await change(headgate, "rds", () => put("rds", "r1", table("1")));
    expect(await get(headgate)).toMatchObject({ status: 200, round: "1" });
  });
});

test("a reload of the bootstrap leaves what came by xDS, and takes part in it", async () => {
  putAll();
  const config = (name: string): object => ({
    ...bootstrap(),
    static_resources: {
      listeners: [dynamicListener("static", { server_name: name, stat_prefix: "static" })],
      clusters: [edsCluster({ name: "more" })],
    },
  });
  const headgate = await start(config("one"));
  const target = await headgate.listener();
  const reloads = async (): Promise<boolean> => {
    return (await headgate.stat("server.reload_success")) === 1;
  };
  processes.scratch.write("envoy.yaml", config("two"));
  headgate.kill("SIGHUP");
  await headgate.waitFor(reloads, "the reload");
  const answer = await fetch(`http://${await headgate.listener("static")}/`);
  expect(answer.headers.get("server")).toBe("two");
  expect(answer.headers.get("x-round")).toBe("0");
  expect(await headgate.listener()).toBe(target);
  // One subscription for both listeners, and it goes on: its stats have the first one's name.
  const scope = "http.static.rds.table.update_success";
  expect(await headgate.stat(scope)).toBe(1);
  put("rds", "r1", table("1"));
  await headgate.waitFor(async () => (await headgate.stat(scope)) === 2, "the routes");
  expect((await get(headgate)).round).toBe("1");
  expect((await get(headgate, "static")).round).toBe("1");
  // The cluster that the reload has kept hears of its hosts, too.
  put("eds", "e1", hosts(port(1)));
  await headgate.waitFor(async () => (await headgate.stat("cluster.more.update_success")) === 2);
  expect(await headgate.admin("/clusters")).toContain(`more::127.0.0.1:${port(1)}::`);
});

describe("admin", () => {
  test("shows what came, with its version", async () => {
    putAll();
    const headgate = await start(undefined, 1);
    const text = await headgate.admin("/config_dump?include_eds");
    const { configs } = JSON.parse(text) as { configs: Record<string, never>[] };
    const of = (type: string): Record<string, unknown> =>
      configs.find((one) => String(one["@type"]).endsWith(`.v3.${type}`)) as Record<
        string,
        unknown
      >;
    const lastUpdated = expect.stringMatching(/^\d{4}-.*Z$/);
    expect(of("ClustersConfigDump")).toMatchObject({
      version_info: "c0",
      dynamic_active_clusters: [
        { version_info: "c0", cluster: { name: "up", type: "EDS" }, last_updated: lastUpdated },
      ],
    });
    expect(of("ListenersConfigDump")).toMatchObject({
      version_info: "l0",
      dynamic_listeners: [
        { name: "main", active_state: { version_info: "l0", listener: { name: "main" } } },
      ],
    });
    expect(of("RoutesConfigDump")).toMatchObject({
      dynamic_route_configs: [{ version_info: "r0", route_config: { name: "table" } }],
    });
    expect(of("EndpointsConfigDump")).toMatchObject({
      dynamic_endpoint_configs: [{ endpoint_config: { cluster_name: "service" } }],
    });
    await change(headgate, "lds", () => put("lds", "l1"));
    const listeners = async (): Promise<string> =>
      await headgate.admin("/config_dump?resource=dynamic_listeners");
    expect(JSON.parse(await listeners())).toMatchObject({
      configs: [{ name: "main", draining_state: { version_info: "l0" } }],
    });
    // The drain time is 2 s.
    await headgate.waitFor(async () => (await listeners()) === "{}\n", "the end of the drain");
    const clusters = await headgate.admin("/clusters");
    expect(clusters).toContain("up::added_via_api::true\n");
    expect(clusters).toContain("up::eds_service_name::service\n");
    // As Envoy: the hash of the text.
    expect(await headgate.admin("/stats?filter=lds.version$")).toMatch(/version: \d{15,20}\n/);
  });
});

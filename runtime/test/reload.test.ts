// Reloads of a real process by SIGHUP: with traffic all the time, with parts that come and go, and
// with mistakes.
import { renameSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { bootstrap, listener, socketAddress, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { crashableMain } from "./headgate-process.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { isRefused, KeptConnection, saysClose } from "./http-clients.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstreams } from "./process-rig.ts";

/** HEADGATE_RELOADS=50 for the figure of the acceptance; fewer here, so that tests stay short. */
const RELOADS = Number(process.env["HEADGATE_RELOADS"] ?? 4);

/** Each answers with its index. */
const upstreams = useUpstreams("up 0", "up 1");
const processes = useProcesses({ concurrency: 2, adminFile: "admin-address" });

function port(index: number): number {
  return upstreams[index]?.port as number;
}

/** Writes the configuration, reloads, and waits until it is in force, or refused. */
async function reload(
  headgate: HeadgateProcess,
  config: object | string,
  outcome: "success" | "rejected" = "success",
): Promise<void> {
  const before = await headgate.stat(`server.reload_${outcome}`);
  const next = processes.scratch.write("next.yaml", config);
  renameSync(next, processes.scratch.path("envoy.yaml"));
  headgate.kill("SIGHUP");
  await headgate.waitFor(
    async () => (await headgate.stat(`server.reload_${outcome}`)) > before,
    `a reload with ${outcome}`,
  );
}

async function text(target: string, path = "/"): Promise<string> {
  return await (await fetch(`http://${target}${path}`)).text();
}

/** The configuration of round `i`: what a request meets is different each time. */
function rounds(i: number): object {
  const header = [{ header: { key: "x-round", value: String(i) } }];
  const hcm = {
    route_config: {
      virtual_hosts: [
        {
          name: "all",
          domains: ["*"],
          routes: [{ match: { prefix: "/" }, route: { cluster: "up" } }],
        },
      ],
      response_headers_to_add: header,
    },
  };
  // The cluster is a new one each time, and so are its pools.
  const config = bootstrap({ upstreamPort: port(i % 2), hcm }) as {
    static_resources: { clusters: { connect_timeout?: string }[] };
  };
  (config.static_resources.clusters[0] as { connect_timeout?: string }).connect_timeout =
    `${i + 1}s`;
  return config;
}

describe("SIGHUP", () => {
  test(`${RELOADS} reloads under load fail no request`, async () => {
    const headgate = await processes.start(rounds(0), { flags: ["--drain-time-s", "2"] });
    const target = await headgate.listener();
    const load = new Load({ target, keepAlive: 16 });
    for (let i = 1; i <= RELOADS; i += 1) {
      const seen = load.answered;
      await reload(headgate, rounds(i));
      await headgate.waitFor(() => load.answered > seen + 50, "traffic");
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect([...load.bodies.keys()].toSorted()).toEqual(["up 0", "up 1"]);
    // Nothing moved.
    expect(await headgate.listener()).toBe(target);
    expect(await headgate.stat("server.reload_success")).toBe(RELOADS);
    expect(await headgate.stat("server.config_version")).toBe(RELOADS + 1);
    expect(await headgate.stat("listener_manager.listener_in_place_updated")).toBe(RELOADS);
    expect(await headgate.stat("cluster_manager.cluster_modified")).toBe(RELOADS);
    const response = await fetch(`http://${target}/`);
    expect(response.headers.get("x-round")).toBe(String(RELOADS));
  });

  test("what is the same keeps its connections; what has changed asks them to leave", async () => {
    const config = (value: string): object =>
      bootstrap({ upstreamPort: port(0) }, [listener({ hcm: { server_name: value } }, "second")]);
    const flags = ["--drain-strategy", "immediate"];
    const headgate = await processes.start(config("one"), { flags });
    const kept = new KeptConnection(await headgate.listener());
    const left = new KeptConnection(await headgate.listener("second"));
    expect(saysClose(await kept.ask())).toBe(false);
    expect((await left.ask()).head).toContain("server: one");
    await reload(headgate, config("two"));
    expect(saysClose(await kept.ask())).toBe(false);
    // On the old connection the old chain answers, once more.
    const answer = await left.ask();
    expect(answer.head).toContain("server: one");
    expect(saysClose(answer)).toBe(true);
    const fresh = new KeptConnection(await headgate.listener("second"));
    expect((await fresh.ask()).head).toContain("server: two");
    for (const client of [kept, left, fresh]) client.destroy();
  });

  test("of a listener's filter chains, what is the same keeps its connections", async () => {
    const config = (value: string): object => {
      const [chainOf, fallback] = [value, "default"].map(
        (server_name) =>
          (listener({ hcm: { server_name } }) as { filter_chains: object[] }).filter_chains[0],
      );
      const ranges = [{ address_prefix: "127.0.0.3", prefix_len: 32 }];
      const chain = { ...chainOf, filter_chain_match: { source_prefix_ranges: ranges } };
      return bootstrap({
        upstreamPort: port(0),
        listener: { filter_chains: [chain], default_filter_chain: fallback },
      });
    };
    const flags = ["--drain-strategy", "immediate"];
    const headgate = await processes.start(config("one"), { flags });
    const kept = new KeptConnection(await headgate.listener());
    const left = new KeptConnection(await headgate.listener(), "127.0.0.3");
    expect((await kept.ask()).head).toContain("server: default");
    expect((await left.ask()).head).toContain("server: one");
    await reload(headgate, config("two"));
    const keptAnswer = await kept.ask();
    expect(keptAnswer.head).toContain("server: default");
    expect(saysClose(keptAnswer)).toBe(false);
    const answer = await left.ask();
    expect(answer.head).toContain("server: one");
    expect(saysClose(answer)).toBe(true);
    const fresh = new KeptConnection(await headgate.listener(), "127.0.0.3");
    expect((await fresh.ask()).head).toContain("server: two");
    expect(await headgate.stat("listener_manager.listener_in_place_updated")).toBe(1);
    for (const client of [kept, left, fresh]) client.destroy();
  });

  test("connections on what was replaced are cut when the drain time is over", async () => {
    const config = (name: string): object =>
      bootstrap({ upstreamPort: port(0), hcm: { server_name: name } });
    const headgate = await processes.start(config("one"), { flags: ["--drain-time-s", "1"] });
    const client = new KeptConnection(await headgate.listener());
    await client.ask();
    await reload(headgate, config("two"));
    expect(await headgate.stat("listener_manager.total_filter_chains_draining")).toBe(1);
    await headgate.waitFor(() => client.isClosed, "the end of the connection");
    await headgate.waitFor(
      async () => (await headgate.stat("listener_manager.total_filter_chains_draining")) === 0,
    );
  });

  test("listeners and clusters come, move and go", async () => {
    const one = bootstrap({ upstreamPort: port(0) });
    const headgate = await processes.start(one);
    const main = await headgate.listener();
    const load = new Load({ target: main, keepAlive: 4, body: "up 0" });
    const other = listener({ hcm: { stat_prefix: "other" } }, "other");
    await reload(headgate, bootstrap({ upstreamPort: port(0) }, [other]));
    const added = await headgate.listener("other");
    expect(await text(added)).toBe("up 0");
    const client = new KeptConnection(added);
    await client.ask();
    // Another address: the old one is left, with the connections that are on it.
    const moved = { ...other, address: socketAddress(0, "127.0.0.2") };
    await reload(headgate, bootstrap({ upstreamPort: port(0) }, [moved]));
    const there = await headgate.listener("other");
    expect(there).toMatch(/^127\.0\.0\.2:/);
    expect(await text(there)).toBe("up 0");
    expect((await client.ask()).body).toBe("up 0");
    await headgate.waitFor(async () => await isRefused(added), "the end of the old address");
    await reload(headgate, one);
    expect(await headgate.admin("/listeners")).toBe(`main::${main}\n`);
    await headgate.waitFor(async () => await isRefused(there), "the end of the listener");
    await load.stop();
    expect(load.failures).toEqual([]);
    client.destroy();
    const stats = await headgate.admin("/stats?filter=listener_manager");
    for (const line of ["listener_added: 2", "listener_modified: 1", "listener_removed: 1"]) {
      expect(stats).toContain(`listener_manager.${line}\n`);
    }
  });
});

describe("workers that die meanwhile", () => {
  test("their successors have what is in force, whatever came in between", async () => {
    const flags = ["--drain-time-s", "2"];
    const headgate = await processes.start(rounds(0), { command: crashableMain, flags });
    const target = await headgate.listener();
    let wanted = 0;
    for (let i = 1; i <= 4; i += 1) {
      wanted = i;
      processes.scratch.write("envoy.yaml", rounds(i));
      const died = headgate.output.split("; replacing it").length;
      let asked = 0;
      headgate.kill("SIGHUP");
      await headgate.waitFor(() => {
        // A successor that does not run yet does not hear of it: the next one is asked.
        if (asked % 50 === 0) headgate.kill("SIGUSR2");
        asked += 1;
        return headgate.output.split("; replacing it").length > died;
      }, "the death of a worker");
      // A reload that met the dying worker is made again with the other one, or a new one.
      await headgate.waitFor(async () => (await headgate.stat("server.reload_success")) >= i);
    }
    expect(await headgate.stat("server.reload_rejected")).toBe(0);
    // Both workers answer with the last configuration, on many new connections.
    await headgate.waitFor(async () => {
      for (let i = 0; i < 30; i += 1) {
        const answer = await fetch(`http://${target}/`, { headers: { connection: "close" } });
        if (answer.headers.get("x-round") !== String(wanted)) return false;
      }
      return true;
    }, "the last configuration everywhere");
    expect(headgate.output).not.toContain("refused its configuration");
  });
});

test("SIGHUP during the start is not lost, and a burst of them is few reloads", async () => {
  const path = processes.scratch.write("envoy.yaml", rounds(0));
  const admin = ["--admin-address-path", processes.scratch.path("admin-address")];
  const headgate = processes.launch("-c", path, "--concurrency", "1", ...admin);
  await headgate.says("initializing headgate");
  headgate.kill("SIGHUP");
  await headgate.waitFor(async () => (await headgate.stat("server.reload_success")) === 1);
  for (let i = 0; i < 100; i += 1) headgate.kill("SIGHUP");
  await headgate.waitFor(async () => (await headgate.stat("server.reload_success")) > 1);
  await headgate.waitFor(async () => {
    const attempts = await headgate.stat("server.reload_attempt");
    return attempts === (await headgate.stat("server.reload_success"));
  });
  expect(await headgate.stat("server.reload_attempt")).toBeLessThan(50);
});

test("--watch-config reloads when the file has changed", async () => {
  const headgate = await processes.start(rounds(0), { flags: ["--watch-config"] });
  processes.scratch.write("next.yaml", rounds(1));
  renameSync(processes.scratch.path("next.yaml"), processes.scratch.path("envoy.yaml"));
  await headgate.waitFor(async () => (await headgate.stat("server.reload_success")) === 1);
  const answer = await fetch(`http://${await headgate.listener()}/`);
  expect(answer.headers.get("x-round")).toBe("1");
  await headgate.says("envoy.yaml has changed");
  // In place, too.
  processes.scratch.write("envoy.yaml", "static_resources: [");
  await headgate.waitFor(async () => (await headgate.stat("server.reload_rejected")) === 1);
});

describe("a reload that is refused changes nothing and says why", () => {
  test("syntax, names, fixed settings, addresses and modules", async () => {
    const wasm = processes.scratch.path("guest.wasm");
    writeFileSync(wasm, await compileGuest("script"));
    const good = (script = "", more: readonly object[] = []): object =>
      bootstrap({ upstreamPort: port(0), filters: [wasmFilter(wasm, "g", script)] }, more);
    const headgate = await processes.start(good());
    const target = await headgate.listener();
    const load = new Load({ target, keepAlive: 4, body: "up 0" });
    const dump = async (): Promise<string> => await headgate.admin("/config_dump");
    const before = await dump();
    const taken = listener({ address: socketAddress(port(1)) }, "taken");
    const admin = { ...good(), admin: { address: socketAddress(1) } };
    const cases: readonly (readonly [object | string, RegExp])[] = [
      ["static_resources: {listeners: [", /envoy\.yaml:1:\d+: /],
      [{ ...good(), nonsense: 1 }, /envoy\.yaml:\d+:\d+: nonsense: unknown field "nonsense"/],
      [admin, /envoy\.yaml:\d+:\d+: admin: found a change that needs a restart/],
      [good("", [taken]), /envoy\.yaml:\d+:\d+: static_resources\.listeners\[1\]: .*EADDRINUSE/],
      [good("configure return 0"), /envoy\.yaml:\d+:\d+: static_resources.*plugin g: /],
    ];
    for (const [config, reason] of cases) {
      const at = headgate.output.length;
      await reload(headgate, config, "rejected");
      await headgate.says(/reload refused, version 1 stays in force/, at);
      await headgate.says(reason, at);
      expect(await dump()).toBe(before);
    }
    await load.stop();
    expect(load.failures).toEqual([]);
    expect(await headgate.stat("server.reload_rejected")).toBe(cases.length);
    expect(await headgate.stat("server.config_version")).toBe(1);
    // And the next good one comes into force.
    await reload(headgate, good("", [listener({}, "more")]));
    expect(await headgate.admin("/listeners")).toMatch(/^more::/m);
  });
});

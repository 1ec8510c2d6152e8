// The overload manager in a real process with two workers: a file says how full the resource is.
import { renameSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import { HeadgateProcess, Scratch } from "./headgate-process.ts";

const API = "type.googleapis.com/envoy.extensions.resource_monitors";
const FILE = "envoy.resource_monitors.injected_resource";
const LIMIT = "envoy.resource_monitors.global_downstream_max_connections";

let scratch: Scratch;
let headgate: HeadgateProcess;
const sockets: Socket[] = [];

beforeEach(async () => {
  scratch = new Scratch();
  setPressure(0);
  const above = (value: number): object[] => [{ name: FILE, threshold: { value } }];
  const overload_manager = {
    refresh_interval: "0.01s",
    resource_monitors: [
      {
        name: FILE,
        typed_config: {
          "@type": `${API}.injected_resource.v3.InjectedResourceConfig`,
          filename: scratch.path("pressure"),
        },
      },
      {
        name: LIMIT,
        typed_config: {
          "@type": `${API}.downstream_connections.v3.DownstreamConnectionsConfig`,
          max_active_downstream_connections: 3,
        },
      },
    ],
    actions: [
      { name: "envoy.overload_actions.stop_accepting_requests", triggers: above(0.9) },
      { name: "envoy.overload_actions.shrink_heap", triggers: above(0.9) },
    ],
  };
  const routes = [{ match: { prefix: "/" }, direct_response: { status: 200 } }];
  const hcm = { route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] } };
  const config = { ...bootstrap({ hcm }), overload_manager };
  headgate = await HeadgateProcess.start(scratch, config, { concurrency: 2 });
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await headgate.end();
  scratch.remove();
});

function setPressure(value: number): void {
  renameSync(scratch.write("pressure.new", String(value)), scratch.path("pressure"));
}

async function dial(): Promise<Socket> {
  const [host, port] = (await headgate.listener()).split(":");
  const socket = connect(Number(port), host as string);
  sockets.push(socket);
  await new Promise((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return socket;
}

/** The answer's status line; "" when the connection was closed instead. */
function ask(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once("data", (data) => resolve(data.toString("latin1").split("\r\n")[0] as string));
    socket.once("close", () => resolve(""));
    socket.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  });
}

test("a full resource is answered with 503 by every worker, until it is not full", async () => {
  const waiting = [await dial(), await dial()];
  for (const socket of waiting) expect(await ask(socket)).toBe("HTTP/1.1 200 OK");
  setPressure(1);
  await headgate.waitFor(async () => {
    const answers = await Promise.all(waiting.map(ask));
    return answers.every((answer) => answer === "HTTP/1.1 503 Service Unavailable");
  });
  const action = "overload.envoy.overload_actions.stop_accepting_requests";
  expect(await headgate.stat(`${action}.active`)).toBe(1);
  expect(await headgate.stat(`overload.${FILE}.pressure`)).toBe(100);
  expect(await headgate.stat("http.main.downstream_rq_overload_close")).toBeGreaterThan(1);
  expect(await headgate.stat("overload.envoy.overload_actions.shrink_heap.shrink_count")).toBe(1);
  setPressure(0.5);
  await headgate.waitFor(async () => {
    const answers = await Promise.all(waiting.map(ask));
    return answers.every((answer) => answer === "HTTP/1.1 200 OK");
  });
  expect(await headgate.stat(`${action}.active`)).toBe(0);
});

test("connections of all workers together have a limit", async () => {
  const three = [await dial(), await dial(), await dial()];
  for (const socket of three) expect(await ask(socket)).toBe("HTTP/1.1 200 OK");
  expect(await ask(await dial())).toBe("");
  const overflow = (await headgate.admin("/stats"))
    .split("\n")
    .find((line) => /^listener\..*\.downstream_global_cx_overflow: 1$/.test(line));
  expect(overflow).toBeDefined();
  await headgate.waitFor(async () => (await headgate.stat(`overload.${LIMIT}.pressure`)) === 100);
  expect(await headgate.stat(`overload.${LIMIT}.failed_updates`)).toBe(1);
  (three[0] as Socket).destroy();
  await headgate.waitFor(async () => (await headgate.stat(`overload.${LIMIT}.pressure`)) === 67);
  expect(await ask(await dial())).toBe("HTTP/1.1 200 OK");
});

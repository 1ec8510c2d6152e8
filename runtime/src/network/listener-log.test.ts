// What a listener's access log says of connections; conformance/envoy (listener-log) compares it
// with Envoy's, line by line.
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { ListenerConfig } from "../config/snapshot.ts";
import { Clock } from "../core/clock.ts";
import type { AccessLogger } from "../filter/access-logger.ts";
import { echoFactory } from "./echo-filter.ts";
import { matchAll } from "./filter-chain-matcher.ts";
import { ListenerLog } from "./listener-log.ts";
import { listenerConfig, ListenerWorld } from "./listener-world-for-test.ts";

const worlds: ListenerWorld[] = [];
const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const world of worlds.splice(0)) world.close();
});

/** Keeps a line for each call. */
class Lines implements AccessLogger {
  readonly lines: string[] = [];

  log(...[info]: Parameters<AccessLogger["log"]>): void {
    const { accessLogType, bytesReceived, bytesSent, responseCodeDetails } = info;
    const details = `${responseCodeDetails ?? ""}|${info.connection?.transportFailureReason}`;
    this.lines.push(`${accessLogType}|${bytesReceived}|${bytesSent}|${details}`);
  }
}

const waiting: Partial<ListenerConfig> = {
  listenerFilters: [{ kind: "tls_inspector", helloBytesMax: 16_384 }],
};

/** An echo for clients of "a.example", or for all. */
async function start(
  config: Partial<ListenerConfig>,
  serverNames: readonly string[] = [],
): Promise<{ world: ListenerWorld; log: Lines }> {
  const world = new ListenerWorld(config);
  worlds.push(world);
  const log = new Lines();
  world.listener.update(listenerConfig(config), new ListenerLog([log], new Clock()));
  const match = { ...matchAll, serverNames };
  const chain = { name: "c", match, isDefault: false, factory: echoFactory };
  world.listener.setChains([chain]);
  await world.listen();
  return { world, log };
}

function dial(world: ListenerWorld): Socket {
  const socket = connect(world.port, "127.0.0.1");
  socket.on("error", () => {});
  sockets.push(socket);
  return socket;
}

test("a connection is one line, with its bytes, also when it is cut off", async () => {
  const { world, log } = await start({});
  const socket = dial(world);
  socket.write("hello");
  await new Promise((resolve) => socket.once("data", resolve));
  expect(log.lines).toEqual([]);
  world.listener.closeConnections();
  expect(log.lines).toEqual(["NotSet|5|5||"]);
});

test("connections that wait for their first bytes have a line when the listener goes", async () => {
  const { world, log } = await start(waiting);
  dial(world);
  dial(world);
  await world.until(() => world.gauge("downstream_pre_cx_active") === 2);
  world.listener.closeConnections();
  expect(log.lines).toEqual(["NotSet|0|0||", "NotSet|0|0||"]);
});

test("a connection that no chain takes has one line that says why", async () => {
  const { world, log } = await start(waiting, ["a.example"]);
  dial(world).end("GET / HTTP/1.1\r\n\r\n");
  await world.until(() => log.lines.length > 0);
  const reason = "TLS_error|error:1000009c:SSL routines:OPENSSL_internal:HTTP_REQUEST";
  expect(log.lines).toEqual([`NotSet|0|0|filter_chain_not_found|${reason}:TLS_error_end`]);
});

test("a listener that has its log no more writes of those only that came before", async () => {
  const { world, log } = await start({});
  const before = dial(world);
  before.write("x");
  await new Promise((resolve) => before.once("data", resolve));
  world.listener.update(listenerConfig({}));
  const after = dial(world);
  after.write("y");
  await new Promise((resolve) => after.once("data", resolve));
  world.listener.closeConnections();
  expect(log.lines).toEqual(["NotSet|1|1||"]);
});

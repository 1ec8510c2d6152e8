// Plays the cases about tunnels: what reaches the upstream, what the client gets, and that both connections
// end when there is no tunnel. Apart from the other cases, because here bytes are not read as requests.
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap, listener } from "../../../runtime/test/bootstrap.ts";
import { HeadgateProcess, Scratch } from "../../../runtime/test/headgate-process.ts";
import { LocalServer } from "../../../runtime/test/upstreams.ts";
import { RawClient } from "../raw-client.ts";
import { tunnels } from "./tunnels.ts";
import type { TunnelCase, TunnelSite } from "./tunnels.ts";

/** What came of a case at the upstream. */
interface Seen {
  head: string;
  behind: string;
  isEnded: boolean;
}

const scratch = new Scratch();
const ports = new Map<TunnelSite, number>();
let upstream: LocalServer;
let headgate: HeadgateProcess;
let playing: TunnelCase;
let seen: Seen[];

/** Heads are read for their end only. */
function onConnection(socket: Socket): void {
  const side: Seen = { head: "", behind: "", isEnded: false };
  const { reply, site } = playing;
  let text = "";
  seen.push(side);
  const answer = (): void => {
    socket.write(reply, "latin1");
    // Nothing else ends it.
    if (reply.includes("Connection: close")) socket.end();
  };
  socket.on("data", (part) => {
    const isFirst = text === "";
    text += part.toString("latin1");
    if (site === "ended") {
      side.behind = text;
      if (isFirst) answer();
      return;
    }
    const end = text.indexOf("\r\n\r\n") + 4;
    if (end < 4) return;
    if (side.head === "") answer();
    side.head = text.slice(0, end);
    side.behind = text.slice(end);
  });
  const end = (): void => {
    side.isEnded = true;
    socket.destroy();
  };
  socket.on("end", end).on("error", end).on("close", end);
}

const connectRoute = (connect_config?: object): object => {
  const upgrade_configs = [{ upgrade_type: "CONNECT", connect_config }];
  const routes = [{ match: { connect_matcher: {} }, route: { cluster: "up", upgrade_configs } }];
  return { route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] } };
};

beforeAll(async () => {
  upstream = new LocalServer(createServer({ allowHalfOpen: true }, onConnection));
  const upstreamPort = await upstream.listen();
  const delayed_close_timeout = "0.01s";
  const upgrade_configs = [{ upgrade_type: "websocket" }];
  const config = bootstrap({ upstreamPort, hcm: { delayed_close_timeout, upgrade_configs } }, [
    listener({ hcm: { delayed_close_timeout, ...connectRoute() } }, "connect"),
    listener({ hcm: { delayed_close_timeout, ...connectRoute({}) } }, "ended"),
  ]);
  headgate = await HeadgateProcess.start(scratch, config);
  const names = { main: "upgrades", connect: "connect", ended: "ended" } as const;
  for (const [name, site] of Object.entries(names)) {
    ports.set(site, Number((await headgate.listener(name)).split(":")[1]));
  }
});

afterAll(async () => {
  await headgate.end();
  upstream.close();
  scratch.remove();
});

test("ids are unique", () => {
  const ids = tunnels.map(({ id }) => id);
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
});

test.each(tunnels)("$id: $why", async (one) => {
  playing = one;
  seen = [];
  const client = new RawClient(ports.get(one.site) ?? 0);
  client.send(one.ask + one.behind);
  const answer = (): string => client.received.replace(/^(HTTP\/1.1 100 [^]*?\r\n\r\n)+/, "");
  const isWhole = (): boolean => {
    const end = answer().indexOf("\r\n\r\n");
    if (end < 0) return false;
    if (!one.passes) return client.isEnded;
    return answer().slice(end + 4) === one.body && seen[0]?.behind === one.behind;
  };
  await headgate.waitFor(isWhole, "the answer");
  const end = answer().indexOf("\r\n\r\n") + 4;
  const lines = answer().slice(0, end).toLowerCase();
  expect(answer()).toMatch(new RegExp(`^HTTP/1.1 ${one.status} `));
  expect(answer().slice(end)).toBe(one.body ?? answer().slice(end));
  for (const name of one.without) expect(lines).not.toContain(`\r\n${name}:`);
  expect(seen.map(({ behind }) => behind).join("")).toBe(one.passes ? one.behind : "");
  // Where the tunnel ends at the proxy, all that comes is `behind`: no head reached the upstream.
  expect(seen.every((side) => one.site !== "ended" || side.head === "")).toBe(true);
  // Without a tunnel nobody goes on with these connections; with one, the client ends it.
  expect(client.isEnded).toBe(!one.passes);
  client.close();
  await headgate.waitFor(() => seen.every(({ isEnded }) => isEnded), "the upstream's end");
});

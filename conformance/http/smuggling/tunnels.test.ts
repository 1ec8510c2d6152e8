// Plays the cases about tunnels: what reaches the upstream, what the client gets, and that both connections
// end when there is no tunnel. Apart from the other cases, because here bytes are not read as requests.
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { Socket } from "node:net";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap, listener } from "../../../runtime/test/bootstrap.ts";
import { HeadgateProcess, Scratch } from "../../../runtime/test/headgate-process.ts";
import { LocalServer } from "../../../runtime/test/upstreams.ts";
import { RawClient } from "../raw-client.ts";
import { reasonsGiven, target } from "./differences.ts";
import { tunnels } from "./tunnels.ts";
import type { TunnelCase, TunnelSite } from "./tunnels.ts";

/** What came of a case at the upstream. */
interface Seen {
  head: string;
  behind: string;
  isEnded: boolean;
}

/** What came of a case: `passed` is what the upstream got behind the head. */
interface TunnelOutcome {
  readonly status: number;
  /** Null = an error page, as the case wants it. */
  readonly body: string | null;
  readonly passed: string;
  readonly isEnded: boolean;
}

/** Envoy's answers need not be those that are waited for. */
const ENVOY_WAIT_MS = 3000;

const differencesFile = fileURLToPath(new URL("tunnels-envoy-differs.json", import.meta.url));
const differences = JSON.parse(readFileSync(differencesFile, "utf8")) as Record<
  string,
  TunnelOutcome
>;
const recorded: Record<string, TunnelOutcome> = {};
const isEnvoy = target !== "headgate";
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
  const command = [process.env["ENVOY_BIN"] ?? "envoy"];
  const how = isEnvoy ? { command, flags: ["--use-dynamic-base-id"] } : {};
  headgate = await HeadgateProcess.start(scratch, config, how);
  const names = { main: "upgrades", connect: "connect", ended: "ended" } as const;
  for (const [name, site] of Object.entries(names)) {
    ports.set(site, Number((await headgate.listener(name)).split(":")[1]));
  }
});

afterAll(async () => {
  await headgate.end();
  upstream.close();
  scratch.remove();
  if (target === "record") writeFileSync(differencesFile, `${JSON.stringify(recorded, null, 2)}\n`);
});

test("ids are unique", () => {
  const ids = tunnels.map(({ id }) => id);
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
});

test("KNOWN_DIFFERENCES.md gives a reason for everything that Envoy does otherwise", () => {
  expect(reasonsGiven("Measured by its tunnels")).toEqual(Object.keys(differences).sort());
});

function outcomeOf(one: TunnelCase, client: RawClient): TunnelOutcome {
  const answer = client.received.replace(/^(HTTP\/1.1 100 [^]*?\r\n\r\n)+/, "");
  const end = answer.indexOf("\r\n\r\n") + 4;
  const status = end < 4 ? 0 : Number(answer.slice(9, 12));
  const isPage = one.body === null && status === one.status;
  const passed = seen.map(({ behind }) => behind).join("");
  return { status, body: isPage ? null : answer.slice(end), passed, isEnded: client.isEnded };
}

/** What a case came to, and what it should have. */
interface Verdict {
  readonly seen: unknown;
  readonly wanted: unknown;
}

async function judge(one: TunnelCase, client: RawClient, wanted: TunnelOutcome): Promise<Verdict> {
  const isDone = (): boolean => JSON.stringify(outcomeOf(one, client)) === JSON.stringify(wanted);
  const stopAt = Date.now() + (isEnvoy ? ENVOY_WAIT_MS : Number.POSITIVE_INFINITY);
  await headgate.waitFor(() => isDone() || Date.now() > stopAt, JSON.stringify(wanted));
  const outcome = outcomeOf(one, client);
  client.close();
  if (isEnvoy) {
    if (JSON.stringify(outcome) !== JSON.stringify(wanted)) recorded[one.id] = outcome;
    return { seen: outcome, wanted: differences[one.id] ?? wanted };
  }
  await headgate.waitFor(() => seen.every(({ isEnded }) => isEnded), "the upstream's end");
  const received = client.received.toLowerCase();
  const from = received.indexOf(` ${one.status} `);
  const head = received.slice(from, received.indexOf("\r\n\r\n", from) + 4);
  const named = one.without.filter((name) => head.includes(`\r\n${name}:`));
  // Where the tunnel ends at the proxy, all that comes is `behind`: no head reached the upstream.
  const heads = one.site === "ended" ? seen.map((side) => side.head).join("") : "";
  // Nothing has come late.
  const { passed } = outcomeOf(one, client);
  return {
    seen: { ...outcome, passed, named, heads },
    wanted: { ...wanted, named: [], heads: "" },
  };
}

test.each(tunnels)("$id: $why", async (one) => {
  playing = one;
  seen = [];
  const client = new RawClient(ports.get(one.site) ?? 0);
  client.send(one.ask + one.behind);
  // Without a tunnel nobody goes on with these connections; with one, the client ends it.
  const { seen: came, wanted } = await judge(one, client, {
    status: one.status,
    body: one.body,
    passed: one.passes ? one.behind : "",
    isEnded: !one.passes,
  });
  expect(target === "record" ? wanted : came).toEqual(wanted);
});

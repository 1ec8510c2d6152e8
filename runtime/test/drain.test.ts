// Draining without a successor: what the admin interface offers, and a SIGTERM under load. What is
// expected of answers and stats was asked of Envoy.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bootstrap, fileAccessLog, listener } from "./bootstrap.ts";
import { crashableMain } from "./headgate-process.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { get, isRefused, KeptConnection, saysClose } from "./http-clients.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 2 });

function start(config: object, flags: readonly string[] = []): Promise<HeadgateProcess> {
  return processes.start(config, { flags });
}

/** Listeners main, modify (drain_type MODIFY_ONLY) and inbound. */
function threeListeners(): object {
  return bootstrap({ upstreamPort: upstream.port }, [
    listener({ listener: { drain_type: "MODIFY_ONLY" } }, "modify"),
    listener({ listener: { traffic_direction: "INBOUND" } }, "inbound"),
  ]);
}

/** Whether the next answer on a connection says close. */
async function isAskedToLeave(client: KeptConnection): Promise<boolean> {
  return saysClose(await client.ask());
}

/** Of new connections to a listener. */
async function asks(headgate: HeadgateProcess, name: string): Promise<boolean> {
  return saysClose(await get(await headgate.listener(name)));
}

test("/healthcheck/fail asks clients of default listeners to leave, /healthcheck/ok no more", async () => {
  const headgate = await start(threeListeners());
  expect(await asks(headgate, "main")).toBe(false);
  expect(await headgate.admin("/healthcheck/fail", "POST")).toBe("OK\n");
  await headgate.waitFor(() => asks(headgate, "main"), "answers that say close");
  expect(await asks(headgate, "modify")).toBe(false);
  expect(await headgate.admin("/ready")).toBe("DRAINING\n");
  expect(await headgate.stat("server.live")).toBe(0);
  expect(await headgate.stat("http.main.downstream_cx_drain_close")).toBeGreaterThan(0);
  expect(await headgate.admin("/healthcheck/ok", "POST")).toBe("OK\n");
  await headgate.waitFor(async () => !(await asks(headgate, "main")), "answers that do not");
  expect(await headgate.admin("/ready")).toBe("LIVE\n");
});

test("/drain_listeners stops listeners by direction; connections stay", async () => {
  const headgate = await start(threeListeners());
  const main = await headgate.listener("main");
  const modify = await headgate.listener("modify");
  const inbound = await headgate.listener("inbound");
  const stays = await KeptConnection.open(inbound);
  expect(await isAskedToLeave(stays)).toBe(false);
  await headgate.admin("/drain_listeners?inboundonly", "POST");
  await headgate.waitFor(() => isRefused(inbound), "a closed inbound listener");
  expect([await isRefused(main), await isAskedToLeave(stays)]).toEqual([false, false]);
  expect(await headgate.stat("listener_manager.listener_stopped")).toBe(1);
  await headgate.admin("/drain_listeners", "POST");
  await headgate.waitFor(() => isRefused(main), "closed listeners");
  await headgate.waitFor(() => isRefused(modify), "closed listeners");
  expect(await headgate.stat("listener_manager.listener_stopped")).toBe(3);
  expect(await isAskedToLeave(stays)).toBe(false);
  expect(await headgate.admin("/ready")).toBe("LIVE\n");
  stays.destroy();
});

test("/drain_listeners?graceful asks first and stops when the drain time is over", async () => {
  const flags = ["--drain-strategy", "immediate", "--drain-time-s", "2"];
  const headgate = await start(threeListeners(), flags);
  const target = await headgate.listener();
  await headgate.admin("/drain_listeners?graceful&skip_exit&inboundonly", "POST");
  await headgate.waitFor(() => asks(headgate, "inbound"), "answers that say close");
  expect(await asks(headgate, "main")).toBe(false);
  await headgate.admin("/drain_listeners?graceful", "POST");
  await headgate.waitFor(() => asks(headgate, "main"), "answers that say close");
  expect(await asks(headgate, "modify")).toBe(true);
  expect(await isRefused(target)).toBe(false);
  await headgate.waitFor(() => isRefused(target), "closed listeners");
});

test("the successor of a worker that dies does not open what was closed", async () => {
  const options = { command: crashableMain, concurrency: 1 };
  const headgate = await processes.start(bootstrap({ upstreamPort: upstream.port }), options);
  const target = await headgate.listener();
  await headgate.admin("/drain_listeners", "POST");
  await headgate.waitFor(() => isRefused(target), "a closed listener");
  headgate.kill("SIGUSR2");
  await headgate.says("worker 0 died");
  let connections = 0;
  // A reload waits for the successor.
  await headgate.waitFor(async () => {
    headgate.kill("SIGHUP");
    if (!(await isRefused(target))) connections += 1;
    return headgate.output.includes("version 2 is in force");
  }, "a reload after the replacement");
  expect([connections, await isRefused(target)]).toEqual([0, true]);
});

test("SIGTERM under load loses no request, and all are logged", async () => {
  const log = processes.scratch.path("access.log");
  const config = bootstrap({
    upstreamPort: upstream.port,
    hcm: { access_log: [fileAccessLog(log)] },
  });
  const headgate = await start(config);
  const target = await headgate.listener();
  const traffic = new Load({ target, keepAlive: 16, leavesWhenAsked: true });
  await headgate.waitFor(() => traffic.answered > 200, "traffic");
  headgate.kill("SIGTERM");
  await traffic.left();
  expect(traffic.failures).toEqual([]);
  expect(traffic.askedToLeave).toBe(16);
  expect(await headgate.exited).toEqual({ code: 0, signal: null });
  expect(readFileSync(log, "utf8").trim().split("\n").length).toBe(traffic.answered);
});

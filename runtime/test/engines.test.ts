// Real processes with each engine: bodies both ways, reloads, a worker that dies, a drain. The other
// tests of processes have the one that is the default on their machine. And which one that is.
import { spawnSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, test } from "vitest";
import { Clock } from "../src/core/clock.ts";
import { newEstateMemory } from "../src/engine-uring/estate.ts";
import { createUringEngine } from "../src/engine-uring/uring-engine.ts";
import { bootstrap } from "./bootstrap.ts";
import { crashableMain, type HeadgateProcess } from "./headgate-process.ts";
import { get, KeptConnection } from "./http-clients.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";
import { download, TransferUpstream, upload } from "./slow-transfer.ts";

const MIB = 1024 * 1024;
const upstream = useUpstream("from the upstream");
const processes = useProcesses();

const made = createUringEngine(new Clock(), newEstateMemory());
const whyNot = typeof made === "string" ? made : "";

const engines = [
  { kind: "io_uring", name: /network engine: io_uring\n/, ringsOfTwo: 2 },
  { kind: "node", name: /network engine: node \([^)]*\)\n/, ringsOfTwo: 0 },
].filter(({ kind }) => kind !== "io_uring" || whyNot === "");

function pathOf(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url));
}

function rings(headgate: HeadgateProcess): number {
  const folder = `/proc/${headgate.pid}/fd`;
  return readdirSync(folder).filter((fd) => {
    try {
      return readlinkSync(`${folder}/${fd}`).includes("[io_uring]");
    } catch {
      return false;
    }
  }).length;
}

const tested = whyNot === "" ? "tested, too" : `NOT TESTED, there is none: ${whyNot}`;
test.skipIf(whyNot !== "")(`io_uring is ${tested}`, () => expect(whyNot).toBe(""));

describe.each(engines)("--network-engine $kind", ({ kind, name, ringsOfTwo }) => {
  const flags = ["--network-engine", kind];
  let transfers: TransferUpstream;
  beforeEach(() => {
    transfers = new TransferUpstream({ burstBytes: MIB, pauseMs: 2 });
    return () => transfers.close();
  });

  test("carries long bodies both ways unchanged, to readers that are slow", async () => {
    const upstreamPort = await transfers.listen();
    const headgate = await processes.start(bootstrap({ upstreamPort }), { flags });
    expect(headgate.output).toMatch(name);
    const port = Number((await headgate.listener()).split(":")[1]);
    const pace = { burstBytes: MIB, pauseMs: 2 };
    const down = await download(port, transfers, 24 * MIB, pace);
    expect(down.receivedDigest).toBe(down.sentDigest);
    const up = await upload(port, 24 * MIB);
    expect(up.receivedDigest).toBe(up.sentDigest);
    expect(await headgate.stat("cluster.up.upstream_flow_control_paused_reading_total")).not.toBe(
      0,
    );
  });

  test("reloads, replaces a worker that dies with all that it had, and drains", async () => {
    const config = bootstrap({ upstreamPort: upstream.port });
    const options = { command: crashableMain, concurrency: 2, flags };
    const headgate = await processes.start(config, options);
    const target = await headgate.listener();
    const kept = new KeptConnection(target);
    await kept.ask();
    headgate.kill("SIGHUP");
    await headgate.waitFor(() => headgate.output.includes("caught SIGHUP"), "the reload");
    await kept.ask();
    const before = rings(headgate);
    expect(before).toBeGreaterThanOrEqual(ringsOfTwo);
    headgate.kill("SIGUSR2");
    await headgate.says("worker 0 died: Error: crashed");
    await headgate.waitFor(() => rings(headgate) === before, "the end of the dead worker's ring");
    for (let i = 0; i < 20; i += 1) expect((await get(target)).body).toBe("from the upstream");
    const answer = get(target, "/hold");
    await headgate.waitFor(() => upstream.held.length === 1, "the request at the upstream");
    headgate.kill("SIGTERM");
    await headgate.says("caught SIGTERM");
    upstream.held[0]?.end("at last");
    expect(await answer).toMatchObject({ status: 200, body: "at last" });
    expect(await headgate.exited).toEqual({ code: 0, signal: null });
  });
});

test.skipIf(whyNot !== "")(
  "without a flag a process takes io_uring where it is to be had",
  async () => {
    const headgate = await processes.start(bootstrap({ upstreamPort: upstream.port }));
    expect((await get(await headgate.listener())).body).toBe("from the upstream");
    expect(headgate.output).toContain("network engine: io_uring\n");
  },
);

const filtered = [process.execPath, "--no-warnings", pathOf("without-io-uring.ts")];
const canFilter = spawnSync(filtered[0] as string, filtered.slice(1)).status !== 3;

test.runIf(canFilter)("where seccomp refuses io_uring the node engine serves", async () => {
  const config = bootstrap({ upstreamPort: upstream.port });
  const headgate = await processes.start(config, { command: filtered });
  expect((await get(await headgate.listener())).body).toBe("from the upstream");
  expect(headgate.output.match(/.*io_uring.*/g)).toEqual([
    expect.stringMatching(
      /\[info\].* node .*, as io_uring is not to be had: io_uring_setup is refused \(EPERM\)$/,
    ),
  ]);
});

test("without node:ffi the node engine serves, and a warning says why to who asked", async () => {
  const env = { ...process.env, NODE_OPTIONS: "--no-experimental-ffi" };
  const config = bootstrap({ upstreamPort: upstream.port });
  const flags = ["--network-engine", "io_uring"];
  const headgate = await processes.start(config, { flags, env });
  expect((await get(await headgate.listener())).body).toBe("from the upstream");
  expect(headgate.output.match(/.*io_uring.*/g)).toEqual([
    expect.stringMatching(/\[warning\].* instead of io_uring: this Node has no node:ffi$/),
  ]);
});

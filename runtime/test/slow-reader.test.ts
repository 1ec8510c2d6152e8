// Back-pressure end to end: bodies of 64 MiB to readers that are slower than their senders, in both
// directions, through a real process. bench/memory does the same with 1 GiB.
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import { download, TransferUpstream, upload } from "./slow-transfer.ts";
import type { Transfer } from "./slow-transfer.ts";

const MIB = 1024 * 1024;
const BYTES = 64 * MIB;
/** What one read brings, and a head in front of it: more never waits in user space. */
const QUEUE_BYTES_MAX = 80 * 1024;
/** One read and a head on their way, and one read behind them. */
const RING_QUEUE_BYTES_MAX = 148 * 1024;
/** Without back-pressure all of a body would be held; this is far below, and above V8's moods. */
const GROWTH_BYTES_MAX = 24 * MIB;

const pace = { burstBytes: MIB, pauseMs: 5 };
const processes = useProcesses();
let upstream: TransferUpstream;
let headgate: HeadgateProcess;
let port: number;

beforeEach(async () => {
  upstream = new TransferUpstream(pace);
  const upstreamPort = await upstream.listen();
  headgate = await processes.start(bootstrap({ upstreamPort }));
  port = Number((await headgate.listener()).split(":")[1]);
});

afterEach(() => upstream.close());

function residentBytes(): number {
  const status = readFileSync(`/proc/${headgate.pid}/status`, "latin1");
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
}

interface Watched {
  readonly transfer: Transfer;
  readonly queueBytesMax: number;
  readonly growthBytes: number;
}

/** Looks at a gauge and at memory until the transfer is over. */
async function watch(gauge: string, transfer: Promise<Transfer>): Promise<Watched> {
  const before = residentBytes();
  let queueBytesMax = 0;
  let residentBytesMax = before;
  let isOver = false;
  const over = transfer.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    queueBytesMax = Math.max(queueBytesMax, await headgate.stat(gauge));
    residentBytesMax = Math.max(residentBytesMax, residentBytes());
  }
  return { transfer: await over, queueBytesMax, growthBytes: residentBytesMax - before };
}

function expectBounded({ transfer, queueBytesMax, growthBytes }: Watched): void {
  expect(transfer.receivedBytes).toBe(BYTES);
  expect(transfer.receivedDigest).toBe(transfer.sentDigest);
  const isRing = headgate.output.includes("network engine: io_uring\n");
  expect(queueBytesMax).toBeLessThanOrEqual(isRing ? RING_QUEUE_BYTES_MAX : QUEUE_BYTES_MAX);
  expect(growthBytes).toBeLessThan(GROWTH_BYTES_MAX);
}

test("a download waits for a slow client", async () => {
  await download(port, upstream, MIB, pace);
  const gauge = "http.main.downstream_cx_tx_bytes_buffered";
  expectBounded(await watch(gauge, download(port, upstream, BYTES, pace)));
  const paused = await headgate.stat("cluster.up.upstream_flow_control_paused_reading_total");
  expect(paused).toBeGreaterThan(0);
  expect(await headgate.stat("cluster.up.upstream_flow_control_resumed_reading_total")).toBe(
    paused,
  );
  await headgate.waitFor(async () => (await headgate.stat(gauge)) === 0);
});

test("an upload waits for a slow upstream", async () => {
  await upload(port, MIB);
  const gauge = "cluster.up.upstream_cx_tx_bytes_buffered";
  expectBounded(await watch(gauge, upload(port, BYTES)));
  const paused = await headgate.stat("http.main.downstream_flow_control_paused_reading_total");
  expect(paused).toBeGreaterThan(0);
  expect(await headgate.stat("http.main.downstream_flow_control_resumed_reading_total")).toBe(
    paused,
  );
  // The last piece has nobody to pause.
  const backedUp = await headgate.stat("cluster.up.upstream_flow_control_backed_up_total");
  expect(backedUp).toBeGreaterThanOrEqual(paused);
  expect(await headgate.stat(gauge)).toBe(0);
});

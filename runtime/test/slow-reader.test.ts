// Back-pressure end to end: bodies of 64 MiB to readers that are slower than their senders, in both
// directions, through a real process. bench/memory does the same with 1 GiB.
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";
import { download, TransferUpstream, upload } from "./slow-transfer.ts";
import type { Transfer } from "./slow-transfer.ts";

const MIB = 1024 * 1024;
const BYTES = 64 * MIB;
/** What one great read brings, and a head in front of it: more never waits in user space. */
const QUEUE_BYTES_MAX = 272 * 1024;
/** One such read and a head on their way, and one read behind them. */
const RING_QUEUE_BYTES_MAX = 532 * 1024;
/** Where the buffer limit is less than a great read: with usual ones. */
const SMALL_LIMIT = 64 * 1024;
const SMALL_QUEUE_BYTES_MAX = 80 * 1024;
const RING_SMALL_QUEUE_BYTES_MAX = 148 * 1024;
/** Without back-pressure all of a body would be held; this is far below, and above V8's moods. */
const GROWTH_BYTES_MAX = 24 * MIB;

const pace = { burstBytes: MIB, pauseMs: 5 };
const processes = useProcesses();
let upstream: TransferUpstream;
let upstreamPort: number;
let headgate: HeadgateProcess;
let port: number;

beforeEach(async () => {
  upstream = new TransferUpstream(pace);
  upstreamPort = await upstream.listen();
});

/** `listener` is merged into the listener. */
async function start(engine: string, listener: object = {}): Promise<void> {
  const flags = ["--network-engine", engine];
  headgate = await processes.start(bootstrap({ upstreamPort, listener }), { flags });
  port = Number((await headgate.listener()).split(":")[1]);
}

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

/** `limits`: of node:net, of the ring. */
function expectBounded(
  { transfer, queueBytesMax, growthBytes }: Watched,
  limits: readonly [number, number] = [QUEUE_BYTES_MAX, RING_QUEUE_BYTES_MAX],
): void {
  expect(transfer.receivedBytes).toBe(BYTES);
  expect(transfer.receivedDigest).toBe(transfer.sentDigest);
  const isRing = headgate.output.includes("network engine: io_uring\n");
  expect(queueBytesMax).toBeLessThanOrEqual(limits[isRing ? 1 : 0]);
  expect(growthBytes).toBeLessThan(GROWTH_BYTES_MAX);
}

// The default, and what stands in for it where there is no io_uring.
describe.each(["auto", "node"])("--network-engine %s", (engine) => {
  test("a download waits for a slow client", async () => {
    await start(engine);
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
    await start(engine);
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
});

test("with a small buffer limit less of an upload waits", async () => {
  await start("auto", { per_connection_buffer_limit_bytes: SMALL_LIMIT });
  await upload(port, MIB);
  const watched = await watch("cluster.up.upstream_cx_tx_bytes_buffered", upload(port, BYTES));
  expect(watched.transfer.receivedBytes).toBe(BYTES);
  expectBounded(watched, [SMALL_QUEUE_BYTES_MAX, RING_SMALL_QUEUE_BYTES_MAX]);
});

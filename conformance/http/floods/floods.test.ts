// Clients and upstreams that are slow, endless, silent or many, against a real process: what each may cost
// is bounded, and others are served meanwhile. Judged by stats and bytes, not by time or memory.
import net from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { bootstrap, listener } from "../../../runtime/test/bootstrap.ts";
import { HeadgateProcess, Scratch } from "../../../runtime/test/headgate-process.ts";
import { LocalServer } from "../../../runtime/test/upstreams.ts";
import { RawClient } from "../raw-client.ts";

/** Bytes of the upstream's answers by path. The first is more than one read, the second less. */
const bodies: ReadonlyMap<string, number> = new Map([
  ["/big", 128 * 1024],
  ["/page", 4 * 1024],
]);
/** What one read of the proxy takes, unless it is a great one. */
const READ_BYTES = 64 * 1024;
/** More than the head of an answer. */
const HEAD_ROOM_BYTES = 1024;
/** What a head may have: 60 KiB, and what was read with it. */
const HEAD_BYTES = 60 * 1024 + 2 * READ_BYTES;

/** Connection managers by their stat prefix; times are short because they are waited for. */
const sites: Readonly<Record<string, object>> = {
  main: {},
  idle: { common_http_protocol_options: { idle_timeout: "0.4s" } },
  slow_head: { request_headers_timeout: "0.3s" },
  slow_stream: { stream_idle_timeout: "0.4s", delayed_close_timeout: "1s" },
};

/** Answers by path, in raw bytes. */
class Upstream {
  requests = 0;
  /** Bytes written to connections that ask for interim responses. */
  interimBytes = 0;
  readonly #server = new LocalServer(net.createServer((socket) => this.#serve(socket)));

  listen(): Promise<number> {
    return this.#server.listen();
  }

  close(): void {
    this.#server.close();
  }

  #serve(socket: net.Socket): void {
    let pending = "";
    socket.on("data", (part) => {
      pending += part.toString("latin1");
      for (let end = pending.indexOf("\r\n\r\n"); end >= 0; end = pending.indexOf("\r\n\r\n")) {
        const path = pending.split(" ")[1] ?? "";
        pending = pending.slice(end + 4);
        this.requests += 1;
        this.#answer(socket, path);
      }
    });
  }

  #answer(socket: net.Socket, path: string): void {
    if (path === "/interim") {
      this.#writeForEver(socket, Buffer.from("HTTP/1.1 102 Processing\r\n\r\n".repeat(10)));
    } else if (path === "/endless") {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      this.#writeForEver(socket, Buffer.alloc(READ_BYTES, "x"));
    } else if (path === "/endless-head") {
      socket.write("HTTP/1.1 200 OK\r\n");
      this.#writeForEver(socket, Buffer.from("x-y: z\r\n"));
    } else if (path !== "/hold") {
      const size = bodies.get(path);
      const body = size === undefined ? "ok" : "b".repeat(size);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    }
  }

  #writeForEver(socket: net.Socket, bytes: Buffer): void {
    if (socket.destroyed) return;
    this.interimBytes += bytes.length;
    socket.write(bytes, () => setImmediate(() => this.#writeForEver(socket, bytes)));
  }
}

const upstream = new Upstream();
const scratch = new Scratch();
const ports = new Map<string, number>();
let proxy: HeadgateProcess;

beforeAll(async () => {
  const upstreamPort = await upstream.listen();
  const listeners = Object.entries(sites).map(([name, hcm]) =>
    listener({ hcm: { delayed_close_timeout: "5s", ...hcm } }, name),
  );
  const config = bootstrap({ upstreamPort }) as { static_resources: { listeners: object[] } };
  config.static_resources.listeners = listeners;
  proxy = await HeadgateProcess.start(scratch, config);
  for (const name of Object.keys(sites)) {
    const address = await proxy.listener(name);
    ports.set(name, Number(address.slice(address.lastIndexOf(":") + 1)));
  }
});

afterAll(async () => {
  await proxy.end();
  upstream.close();
  scratch.remove();
});

beforeEach(() => {
  upstream.requests = 0;
  upstream.interimBytes = 0;
});

function connect(site = "main"): RawClient {
  return new RawClient(ports.get(site) ?? 0);
}

function stat(name: string, site = "main"): Promise<number> {
  return proxy.stat(`http.${site}.downstream_${name}`);
}

async function statReaches(name: string, value: number, site = "main"): Promise<void> {
  await proxy.waitFor(async () => (await stat(name, site)) === value, `${name} = ${value}`);
}

const GET = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/** Somebody else is served at the same time. */
async function othersAreServed(site = "main"): Promise<boolean> {
  const client = connect(site);
  client.send(GET);
  const isServed = await client.until(() => client.received.endsWith("\r\n\r\nok"));
  client.close();
  return isServed && client.received.startsWith("HTTP/1.1 200");
}

describe("endless", () => {
  const start = "POST /hold HTTP/1.1\r\nHost: h\r\n";
  const chunked = `${start}Transfer-Encoding: chunked\r\n\r\n`;
  const cases: readonly (readonly [string, string, string, string])[] = [
    ["a header line", `${start}X: `, "a".repeat(1000), "431"],
    ["header lines", start, "X: y\r\n", "431"],
    ["empty lines before a request", "", "\r\n".repeat(500), "431"],
    ["a target", "GET /", "a".repeat(1000), "431"],
    ["a chunk extension", `${chunked}5;`, "a".repeat(1000), "400"],
    ["zeros of a chunk size", chunked, "0".repeat(1000), "400"],
    ["a trailer", `${chunked}0\r\nX: `, "a".repeat(1000), "431"],
    ["trailers", `${chunked}0\r\n`, "X: y\r\n", "431"],
  ];
  test.each(cases)("%s is cut off", async (_title, first, piece, status) => {
    const before = await stat("cx_rx_bytes_total");
    const client = connect();
    client.send(first);
    await client.sendForEver(piece);
    client.close();
    expect(client.received.slice(9, 12)).toBe(status);
    expect((await stat("cx_rx_bytes_total")) - before).toBeLessThan(HEAD_BYTES);
    await statReaches("cx_active", 0);
  });

  test("interim responses of an upstream are cut off", async () => {
    const before = await proxy.stat("cluster.up.upstream_cx_protocol_error");
    const client = connect();
    client.send("GET /interim HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.until(() => client.received.includes("\r\n\r\n"));
    client.close();
    expect(client.received.slice(9, 12)).toBe("502");
    expect(await proxy.stat("cluster.up.upstream_cx_protocol_error")).toBe(before + 1);
    expect(await othersAreServed()).toBe(true);
  });

  test("the head of an upstream's response is cut off", async () => {
    const client = connect();
    client.send("GET /endless-head HTTP/1.1\r\nHost: h\r\n\r\n");
    await client.until(() => client.received.includes("\r\n\r\n"));
    client.close();
    expect(client.received.slice(9, 12)).toBe("502");
  });
});

describe("slow", () => {
  test("silent connections go after the idle timeout, and others are served meanwhile", async () => {
    const count = 1000;
    const silent = Array.from({ length: count }, () => connect("idle"));
    expect(await othersAreServed("idle")).toBe(true);
    await Promise.all(silent.map((client) => client.until(() => false)));
    expect(silent.filter((client) => client.receivedBytes > 0)).toEqual([]);
    await statReaches("cx_active", 0, "idle");
    expect(await stat("cx_idle_timeout", "idle")).toBeGreaterThanOrEqual(count);
  });

  test("heads that trickle in get 408", async () => {
    const clients = Array.from({ length: 50 }, () => connect("slow_head"));
    for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: h\r\nX: ");
    const trickle = setInterval(() => {
      for (const client of clients) client.send("a");
    }, 20);
    await Promise.all(clients.map((client) => client.until(() => client.received !== "")));
    clearInterval(trickle);
    for (const client of clients) client.close();
    expect(clients.map((client) => client.received.slice(9, 12))).toEqual(clients.map(() => "408"));
    expect(await stat("rq_header_timeout", "slow_head")).toBe(50);
  });

  test("framing that trickles in is no progress of a body: 408", async () => {
    const clients = Array.from({ length: 50 }, () => connect("slow_stream"));
    for (const client of clients) {
      client.send("POST /hold HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;");
    }
    const trickle = setInterval(() => {
      for (const client of clients) client.send("a");
    }, 20);
    await Promise.all(clients.map((client) => client.until(() => client.received !== "")));
    clearInterval(trickle);
    for (const client of clients) client.close();
    expect(clients.map((client) => client.received.slice(9, 12))).toEqual(clients.map(() => "408"));
    expect(await stat("rq_idle_timeout", "slow_stream")).toBe(50);
  });
});

describe("clients that do not read", () => {
  test.each([
    ["/big", 400],
    ["/page", 6000],
  ])("make an answer or two wait, however many for %s they pipeline", async (path, count) => {
    const size = bodies.get(path) ?? 0;
    const client = connect();
    onTestFinished(() => client.close());
    client.keepsNothing = true;
    client.pause();
    client.send(`GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`.repeat(count));
    const isHeld = async (): Promise<boolean> => (await stat("cx_tx_bytes_buffered")) > 0;
    await proxy.waitFor(async () => (await isHeld()) || upstream.requests === count, "a hold-up");
    // What the kernel's buffers take is no business of ours; it is some megabytes.
    expect(upstream.requests).toBeLessThan(count * 0.7);
    // One answer, which may be one great read, and on a ring one more that the kernel was given.
    const heldBytesMax = 2 * Math.max(READ_BYTES, size + HEAD_ROOM_BYTES);
    expect(await stat("cx_tx_bytes_buffered")).toBeLessThanOrEqual(heldBytesMax);
    expect(await othersAreServed()).toBe(true);
    client.resume();
    expect(await client.until(() => client.receivedBytes > count * size)).toBe(true);
    client.close();
    await statReaches("cx_active", 0);
    expect(await stat("cx_tx_bytes_buffered")).toBe(0);
  });

  test("stop the upstream, and go after the stream's idle timeout", async () => {
    const client = connect("slow_stream");
    client.keepsNothing = true;
    client.pause();
    client.send("GET /endless HTTP/1.1\r\nHost: h\r\n\r\n");
    await statReaches("rq_active", 1, "slow_stream");
    await statReaches("cx_active", 0, "slow_stream");
    expect(await stat("cx_tx_bytes_buffered", "slow_stream")).toBe(0);
    // The kernel's buffers of two connections, not more and more.
    expect(upstream.interimBytes).toBeLessThan(100 * 1024 * 1024);
    client.close();
  });
});

test("connections that come and go leave nothing behind", async () => {
  const before = await stat("cx_total");
  const count = 1500;
  for (let i = 0; i < count; i += 100) {
    const clients = Array.from({ length: 100 }, () => connect());
    for (const client of clients.slice(0, 50)) client.send("GET / HTTP/1.1\r\nHo", true);
    await Promise.all(clients.slice(0, 50).map((client) => client.until(() => false)));
    for (const client of clients) client.close();
  }
  expect(await othersAreServed()).toBe(true);
  await statReaches("cx_active", 0);
  expect((await stat("cx_total")) - before).toBeGreaterThan(count * 0.9);
  expect(await stat("rq_active")).toBe(0);
});

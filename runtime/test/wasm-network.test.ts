// Wasm as a network filter in a real process, with real sockets: in front of a TCP proxy and of a
// connection manager.
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listener, socketAddress, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { get } from "./http-clients.ts";
import { useProcesses } from "./process-rig.ts";
import { HttpUpstream } from "./upstreams.ts";

const TYPES = "type.googleapis.com/envoy.extensions.filters.network";
const processes = useProcesses({ concurrency: 1 });
const upstream = new HttpUpstream((request, response) => {
  response.end(`hello ${request.method} ${request.url}`);
});
let guest: Uint8Array;

beforeAll(async () => {
  guest = await compileGuest("script");
  await upstream.listen();
});
afterAll(() => upstream.close());

/** As wasmFilter, for the other kind of chain. */
function networkFilter(script: readonly string[], more: object = {}): object {
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, guest);
  const http = wasmFilter(module, "guest", script.join("\n")) as {
    name: string;
    typed_config: { config: object };
  };
  const config = { ...http.typed_config.config, ...more };
  return { name: http.name, typed_config: { "@type": `${TYPES}.wasm.v3.Wasm`, config } };
}

function tcpProxy(): object {
  const type = `${TYPES}.tcp_proxy.v3.TcpProxy`;
  return { name: "tcp", typed_config: { "@type": type, stat_prefix: "t", cluster: "up" } };
}

async function start(filters: readonly object[]): Promise<HeadgateProcess> {
  const lb_endpoints = [{ endpoint: { address: socketAddress(upstream.port) } }];
  const load_assignment = { cluster_name: "up", endpoints: [{ lb_endpoints }] };
  const main = { name: "main", address: socketAddress(0), filter_chains: [{ filters }] };
  return await processes.start({
    admin: { address: socketAddress(0) },
    static_resources: {
      listeners: [main],
      clusters: [{ name: "up", type: "STATIC", load_assignment }],
    },
  });
}

/** What comes back for these bytes until the connection ends. */
async function exchange(headgate: HeadgateProcess, text: string): Promise<string> {
  const [host, port] = (await headgate.listener()).split(":") as [string, string];
  const socket = connect({ host, port: Number(port) });
  let received = "";
  socket.setEncoding("latin1").on("data", (data: string) => (received += data));
  socket.on("error", () => {});
  socket.write(text);
  await once(socket, "close");
  return received;
}

const REQUEST = "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n";

test("bytes of both directions are seen and changed in front of a TCP proxy", async () => {
  const headgate = await start([
    networkFilter([
      "downstream_data set_buffer_bytes 2 0 3 PUT",
      "upstream_data get_property connection%00id",
      "log get_property source%00address",
    ]),
    tcpProxy(),
  ]);
  const received = await exchange(headgate, REQUEST);
  expect(received).toMatch(/^HTTP\/1.1 200 OK/);
  expect(received).toContain("hello PUT /a");
  await headgate.says("delete(2)");
  const order = [...headgate.output.matchAll(/wasm log[^:]*: (\w+)\(2,?/g)].map((m) => m[1]);
  expect(order.slice(0, 3)).toEqual(["create", "new_connection", "downstream_data"]);
  expect(order.slice(-4)).toEqual(["downstream_close", "done", "log", "delete"]);
  expect(order).toContain("upstream_data");
  expect(headgate.output).toMatch(/source%00address -> 0 \[127\.0\.0\.1:\d+\]/);
});

test("a guest closes a connection, and answers nothing for it", async () => {
  const headgate = await start([networkFilter(["downstream_data close_stream 2"]), tcpProxy()]);
  expect(await exchange(headgate, REQUEST)).toBe("");
  await headgate.says("downstream_close(2,1)");
});

test.each(["downstream_data trap", "downstream_data loop"])(
  "%s closes the connection; with fail_open later ones pass",
  async (script) => {
    const open = { failure_policy: "FAIL_OPEN" };
    const headgate = await start([networkFilter([script], open), tcpProxy()]);
    expect(await exchange(headgate, REQUEST)).toBe("");
    expect(await exchange(headgate, REQUEST)).toContain("hello");
  },
);

test("it may stand in front of a connection manager", async () => {
  const main = listener() as { filter_chains: { filters: object[] }[] };
  const hcm = main.filter_chains[0]?.filters[0] as object;
  const headgate = await start([networkFilter(["downstream_data set_buffer_bytes 2 5 1 b"]), hcm]);
  const answer = await get(await headgate.listener(), "/a");
  expect(answer.body).toBe("hello GET /b");
});

// Guests that make gRPC calls and streams to a cluster of HTTP/2, in a real process.
import { createServer } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { Server } from "node:net";
import { writeFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bootstrap, socketAddress, wasmFilter } from "./bootstrap.ts";
import { compileGuest } from "./guests/compile.ts";
import { useProcesses } from "./process-rig.ts";
import { LocalServer } from "./upstreams.ts";

const processes = useProcesses({ concurrency: 1 });
const TYPE = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
let port = 0;
let guest: Uint8Array;

const grpc = createServer();
grpc.on("stream", (stream: ServerHttp2Stream, headers) => {
  const method = String(headers[":path"]).split("/")[2];
  stream.on("error", () => {});
  const answer = (): void => {
    const more = { "content-type": "application/grpc", "x-init": String(headers["x-m"]) };
    stream.respond({ ":status": 200, ...more }, { waitForTrailers: true });
    const status = method === "Fail" ? "7" : "0";
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
  };
  if (method === "Echo") answer();
  stream.on("data", (chunk: Buffer) => {
    if (method === "Echo") stream.write(chunk);
  });
  stream.on("end", () => {
    if (method !== "Echo") answer();
    // A message "pong" in its frame.
    stream.end(method === "Unary" ? Buffer.from("0000000004706f6e67", "hex") : undefined);
  });
});
const local = new LocalServer(grpc as unknown as Server);

beforeAll(async () => {
  port = await local.listen();
  guest = await compileGuest("script");
});
afterAll(() => local.close());

test("calls and streams: metadata, messages, status, half-close", async () => {
  const module = processes.scratch.path("guest.wasm");
  writeFileSync(module, guest);
  // "h2" as a name, and as a serialised GrpcService with metadata of its own.
  const service = "%0a%04%0a%02h2%2a%08%0a%03x-m%12%01s";
  const script = [
    "request_headers grpc_call h2 a.B Unary x-m=1 ping 5000",
    "request_headers grpc_call h2 a.B Fail x-m=1 ping 5000",
    `request_headers grpc_stream ${service} a.B Echo ~`,
    "request_headers grpc_send 6 one 0",
    "request_headers grpc_send 6 two 1",
    "request_headers grpc_stream h2 a.B Echo ~",
    "request_headers grpc_cancel 10",
    "request_headers grpc_send 10 x 0",
    "request_headers grpc_send 5 x 0",
    "request_headers grpc_call nowhere a.B C ~ x 100",
    "grpc_receive get_buffer_bytes 5 0 max",
    "grpc_receive_trailing_metadata get_header_map_pairs 5",
    "grpc_close get_status",
  ];
  const filter = wasmFilter(module, "guest", script.join("\n"));
  const config = bootstrap({ filters: [filter] }) as { static_resources: { clusters: object[] } };
  const lb_endpoints = [{ endpoint: { address: socketAddress(port) } }];
  config.static_resources.clusters.push({
    name: "h2",
    type: "STATIC",
    load_assignment: { cluster_name: "h2", endpoints: [{ lb_endpoints }] },
    typed_extension_protocol_options: {
      [TYPE]: {
        "@type": `type.googleapis.com/${TYPE}`,
        explicit_http_config: { http2_protocol_options: {} },
      },
    },
  });
  const headgate = await processes.start(config);
  await fetch(`http://${await headgate.listener()}/`).catch(() => {});
  await headgate.says("grpc_close(1,6,0)");
  await headgate.says("grpc_close(1,9,7)");
  await headgate.says("grpc_receive(1,5,4)");
  const { output } = headgate;
  expect(output).toContain("grpc_send 10 x 0 -> 1");
  expect(output).toContain("grpc_send 5 x 0 -> 2");
  expect(output).toContain("grpc_call nowhere a.B C ~ x 100 -> 4");
  expect(output).toContain("grpc_receive_initial_metadata(1,6,");
  expect(output).toContain("get_buffer_bytes 5 0 max -> 0 [one]");
  expect(output).toContain("get_buffer_bytes 5 0 max -> 0 [two]");
  expect(output).toContain("get_buffer_bytes 5 0 max -> 0 [pong]");
  expect(output).toContain("get_status -> 0 7 [via_upstream]");
  expect(output).not.toContain("grpc_close(1,10,");
  expect(await headgate.stat("cluster.h2.upstream_cx_http2_total")).toBe(1);
  expect(await headgate.stat("cluster.h2.upstream_rq_200")).toBe(3);
});

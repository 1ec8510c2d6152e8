// gRPC of filters and plugins: answers and streams in the proxy's own wasm host; failures, cancelling
// and what is passed to the host in the small one.
import { createFilterHost, type FilterHost } from "@headgate/runtime/testing";
import { afterEach, beforeAll, expect, test } from "vitest";
import { compileGuest, guestPath, MiniHost } from "./mini-host.ts";

let module: string;
let compiled: WebAssembly.Module;
let host: FilterHost | undefined;

beforeAll(async () => {
  module = await guestPath("grpc", "debug");
  compiled = await compileGuest("grpc", "debug");
});

afterEach(() => {
  host?.close();
  host = undefined;
});

async function start(config = ""): Promise<FilterHost> {
  host = await createFilterHost({
    module,
    config,
    clusters: {
      // Messages come back, then this status of gRPC with its text.
      users: { status: 0, headers: { "x-init": "i" }, trailers: { "x-sum": "t" }, body: "fine" },
      silent: "never",
      refusing: "refuse",
    },
  });
  return host;
}

function startMini(): MiniHost {
  const mini = new MiniHost(compiled);
  mini.start("");
  return mini;
}

test("a unary answer resumes the request", async () => {
  const exchange = (await start()).request({ path: "/users" });
  expect(exchange.upstreamRequest?.headers["x-answer"]).toBe(
    Buffer.from("pïng").toString("latin1"),
  );
});

test.each([
  ["/nowhere", "14 refused by the host 0"],
  ["/refusing", "14 refused by the host 0"],
  ["/bad", "14 refused by the host 0"],
])("what the host refuses reaches the callback: %s", async (path, expected) => {
  expect((await start()).request({ path })).toMatchObject({ status: 503, text: expected });
});

test("a stream sends and gets messages, both kinds of metadata and a status", async () => {
  const exchange = (await start()).request({ path: "/stream" });
  expect(exchange.upstreamRequest?.headers["x-message"]).toBe("one, two");
  expect(exchange.messages).toEqual([
    "initial i",
    "trailing t",
    expect.stringMatching(/^closed 0 fine.* false false$/),
  ]);
});

test("a stream that the host does not open is closed, after the hook", async () => {
  const exchange = (await start()).request({ path: "/nostream" });
  expect(exchange.status).toBe(200);
  expect(exchange.messages.at(-1)).toBe("closed 14 refused by the host false false");
});

test("a plugin calls from a tick", async () => {
  (await start("tick")).tick(300);
  expect(host?.logs.filter((line) => line.isGuests).map((line) => line.message)).toEqual([
    "tick true tick",
  ]);
});

test("what a stream has begun is cancelled with it, and leaves nothing behind", async () => {
  await start();
  const run = (count: number): number => {
    for (let i = 0; i < count; i += 1) {
      host?.request({ path: "/silent" }).abort();
      host?.request({ path: "/users" });
    }
    return host?.guestMemoryBytes ?? 0;
  };
  const bytes = run(300);
  expect(run(2000)).toBe(bytes);
  expect(host?.contexts).toBe(1);
  // None waits any more: 4096 would be refused.
  expect(host?.request({ path: "/users" }).status).toBe(200);
});

test("calls and streams reach the host with all their parts", () => {
  const mini = startMini();
  mini.request(2, [[":path", "/users"]]);
  mini.request(3, [[":path", "/stream"]]);
  mini.request(4, [[":path", "/through"]]);
  expect(mini.grpc).toEqual([
    // A serialised GrpcService: the name alone makes Envoy abort.
    '\n\x07\n\x05users a.B Get [["x-m","1"],["x-m","2"]] pïng 3000',
    '\n\x07\n\x05users a.B Watch [["x-m","1"]]',
    "proto a.B Get [] x 5000",
  ]);
  expect(mini.grpcActions).toEqual(["send 6 one false", "send 6 two false", "close 6"]);
});

test("a cluster's name of any length is told", () => {
  const mini = startMini();
  const name = "n".repeat(300);
  mini.request(2, [[":path", `/${name}`]]);
  // 300 is ac 02 as a varint, and 303 af 02: neither is UTF-8.
  expect(mini.grpc[0]).toBe(
    `\n\ufffd\x02\n\ufffd\x02${name} a.B Get [["x-m","1"],["x-m","2"]] pïng 3000`,
  );
});

test("a unary call that fails has the status and its text", () => {
  const mini = startMini();
  mini.request(2, [[":path", "/users"]]);
  mini.call("proxy_on_grpc_close", 1, 5, 5);
  expect(mini.reply).toMatchObject({ status: 503, body: "5 no such user 0" });
  mini.request(3, [[":path", "/users"]]);
  mini.call("proxy_on_grpc_close", 1, 6, 0);
  expect(mini.reply?.body).toBe("2 no such user 0");
});

test("a cancelled stream hears nothing, and another of the same filter ends with it", () => {
  const mini = startMini();
  mini.request(2, [[":path", "/cancel"]]);
  expect(mini.reply?.body).toBe("true false false true");
  expect(mini.grpcActions).toEqual(["cancel 5"]);
  mini.call("proxy_on_grpc_close", 1, 5, 0);
  expect(mini.logs).toEqual(["3 end ignored: nobody waits for gRPC call 5"]);
  mini.call("proxy_on_delete", 2);
  expect(mini.grpcActions).toEqual(["cancel 5", "cancel 6"]);
  mini.call("proxy_on_grpc_receive", 1, 6, 3);
  expect(mini.logs[1]).toBe("3 message ignored: nobody waits for gRPC call 6");
});

test("what comes for a context that the host has forgotten ends the stream", () => {
  const mini = startMini();
  mini.request(2, [[":path", "/stream"]]);
  mini.gone = 2;
  mini.call("proxy_on_grpc_receive", 1, 5, 3);
  expect(mini.grpcActions.at(-1)).toBe("cancel 5");
  mini.call("proxy_on_grpc_receive", 1, 5, 3);
  expect(mini.logs.at(-1)).toBe("3 message ignored: nobody waits for gRPC call 5");
});

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { Agent, get } from "node:http";
import { connect, type Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { silentLogger } from "../core/logger.ts";
import { adminCommands, ownCommands } from "./admin-commands.ts";
import { adminForTest, type Answer, postRequired } from "./admin-for-test.ts";
import { AdminHandlers } from "./admin-handlers.ts";
import { createAdminServer } from "./admin-server.ts";

const help = readFileSync(new URL("./fixtures/envoy-help.txt", import.meta.url), "utf8");
const admin = adminForTest();

test("every command of the help is answered, and nothing else is", () => {
  const commands = adminCommands.map((command) => command.path);
  expect(new AdminHandlers(admin.fake).paths).toEqual([...commands].sort());
});

test("help is Envoy's, byte for byte, and follows a wrong path", async () => {
  expect(await admin.answerOf("GET", "/help")).toBe(`200 ${help}`);
  for (const path of ["/nope", "/stats/", "/Stats", "/server_info/"]) {
    expect(await admin.answerOf("GET", path)).toBe(`404 invalid path. ${help}`);
  }
});

const post = (method: string): string => `405 ${postRequired(method)}`;
const formats = "(html|active-html|json|prometheus|text)";
const buckets = "(cumulative|disjoint|detailed|summary|prometheusnative)";

test.each([
  ["GET", "/ready", "200 LIVE\n"],
  ["POST", "/ready", "200 LIVE\n"],
  ["PUT", "/ready", "200 LIVE\n"],
  ["HEAD", "/ready", "200 "],
  ["GET", "/logging", post("GET")],
  ["GET", "/quitquitquit", post("GET")],
  ["GET", "/healthcheck/fail", post("GET")],
  ["GET", "/drain_listeners", post("GET")],
  ["GET", "/reopen_logs", post("GET")],
  ["GET", "/stats/recentlookups/enable", post("GET")],
  ["DELETE", "/reset_counters", post("DELETE")],
  ["POST", "/reset_counters", "200 OK\n"],
  ["GET", "/certs", '200 {\n "certificates": []\n}\n'],
  ["GET", "/runtime", '200 {\n "entries": {},\n "layers": []\n}\n'],
  ["GET", "/init_dump", "200 {}\n"],
  ["GET", "/init_dump?mask=listener", "200 {}\n"],
  ["GET", "/hot_restart_version", "200 disabled"],
  ["POST", "/runtime_modify?a=b", "503 No admin layer specified"],
  ["POST", "/cpuprofiler", "400 ?enable=<y|n>\n"],
  ["POST", "/cpuprofiler?enable=y", "500 failure to start the profiler"],
  ["POST", "/cpuprofiler?enable=n", "200 OK\n"],
  ["POST", "/heapprofiler?enable=y", "501 The current build does not support heap profiler"],
  ["POST", "/stats/recentlookups/clear", "200 OK\n"],
  ["GET", "/stats?filter=server.live", "200 server.live: 1\n"],
  ["POST", "/stats?filter=server.live", "200 server.live: 1\n"],
  ["GET", "/stats?filter=server%2elive", "200 server.live: 1\n"],
  ["GET", "/stats?filter=a+b|server.live", "200 server.live: 1\n"],
  ["GET", "/stats?filter=server.live&type=Counters", "200 "],
  ["GET", "/stats?filter=server.live&type=counters", "400 invalid &type= param"],
  ["GET", "/stats?format=bad", `400 usage: /stats?format=${formats}\n\n`],
  ["GET", "/stats?hidden=bad", "400 usage: /stats?hidden=(include|only|exclude)\n\n"],
  ["GET", "/stats?hidden=only", "200 "],
  ["GET", "/stats?histogram_buckets=bad", `400 usage: /stats?histogram_buckets=${buckets}\n`],
  ["GET", "/stats?type=TextReadouts&format=json", '200 {"stats":[]}'],
  [
    "GET",
    "/stats?filter=server.live&format=json",
    '200 {"stats":[{"name":"server.live","value":1}]}',
  ],
  [
    "GET",
    "/stats?filter=server.live&format=prometheus",
    "200 # TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n",
  ],
  [
    "GET",
    "/stats/prometheus?type=Counters&filter=server.l",
    "200 # TYPE envoy_server_live gauge\nenvoy_server_live{} 1\n",
  ],
  ["GET", "/stats/prometheus?filter=server_live", "200 "],
  [
    "GET",
    "/stats/prometheus?histogram_buckets=detailed",
    "400 unsupported prometheus histogram bucket mode",
  ],
  ["GET", "/clusters?filter=zz", "200 "],
  ["GET", "/clusters?filter=(", "400 Invalid re2 regex"],
  ["GET", "/listeners", "200 l::127.0.0.1:28100\nsix::[::1]:80\npipe::/run/x.sock\n"],
  ["GET", "/config_dump?resource=nope", "404 nope not found in config dump"],
  ["GET", "/config_dump?resource=dynamic_active_clusters", "200 {}\n"],
  ["GET", "/config_dump?resource=static_clusters&name_regex=zz", "200 {}\n"],
  [
    "GET",
    "/config_dump?resource=bootstrap",
    "400 bootstrap is not a repeated field. Use ?mask=bootstrap to get only this field",
  ],
  [
    "GET",
    "/config_dump?mask=nope",
    "400 FieldMask nope could not be successfully applied to any configs.",
  ],
  [
    "GET",
    "/config_dump?mask=static_clusters.cluster.name",
    "400 FieldMask static_clusters.cluster.name could not be successfully applied to any configs.",
  ],
  [
    "GET",
    "/config_dump?resource=static_clusters&mask=cluster.nope",
    '400 FieldMask paths: "cluster.nope"\n could not be successfully used.',
  ],
])("%s %s", async (method, path, expected) => {
  expect(await admin.answerOf(method, path)).toBe(expected);
});

test("a wrong expression is refused with RE2's words", async () => {
  for (const path of ["/stats?filter=(", "/stats/prometheus?filter=("]) {
    const { status, body } = await admin.call("GET", path);
    expect(status).toBe(400);
    expect(body).toMatch(/^Invalid re2 regex: .*missing closing \)/);
  }
  const dump = await admin.call("GET", "/config_dump?name_regex=(");
  expect(dump.status).toBe(400);
  expect(dump.body).toMatch(/^INVALID_ARGUMENT: Error while parsing name_regex from \(: /);
});

test("headers are Envoy's, in its order and spelling", async () => {
  const { rawHeaders } = await admin.call("GET", "/ready");
  const names = rawHeaders.filter((_, i) => i % 2 === 0);
  expect(names).toEqual([
    "content-type",
    "cache-control",
    "x-content-type-options",
    "date",
    "server",
    "content-length",
  ]);
  const { headers } = await admin.call("GET", "/server_info");
  expect(headers["content-type"]).toBe("application/json");
  expect(headers["cache-control"]).toBe("no-cache, max-age=0");
  expect(headers["x-content-type-options"]).toBe("nosniff");
  expect(headers["server"]).toBe("envoy");
});

test("a state that is not LIVE is 503", async () => {
  for (const state of ["DRAINING", "INITIALIZING", "PRE_INITIALIZING"] as const) {
    admin.fake.stateName = state;
    expect(await admin.answerOf("GET", "/ready")).toBe(`503 ${state}\n`);
  }
});

test("commands reach the process", async () => {
  for (const path of [
    "/healthcheck/fail",
    "/healthcheck/ok",
    "/reopen_logs",
    "/drain_listeners?skip_exit",
    "/drain_listeners?graceful&inboundonly",
  ]) {
    expect(await admin.answerOf("POST", path)).toBe("200 OK\n");
  }
  expect(admin.fake.calls).toEqual([
    "healthcheck fail",
    "healthcheck ok",
    "reopen",
    'drain {"graceful":false,"skipExit":true,"inboundOnly":false}',
    'drain {"graceful":true,"skipExit":false,"inboundOnly":true}',
  ]);
});

test("quitting waits until the answer is sent", async () => {
  const quit = new Promise<void>((resolve) => {
    admin.fake.onQuit = resolve;
  });
  expect(await admin.answerOf("POST", "/quitquitquit")).toBe("200 OK\n");
  await quit;
  expect(admin.fake.calls).toEqual(["quit"]);
});

test("large pages are compressed for those who accept it", async () => {
  const accepting = async (value: string): Promise<Answer> =>
    admin.call("GET", "/help", { headers: { "accept-encoding": value } });
  const packed = await accepting("br, gzip;q=0.5");
  expect(packed.headers["content-encoding"]).toBe("gzip");
  expect(gunzipSync(packed.bytes).toString()).toBe(help);
  for (const value of ["br", "gzip;q=0", "identity"]) {
    expect((await accepting(value)).body).toBe(help);
  }
  const small = await admin.call("GET", "/ready", { headers: { "accept-encoding": "gzip" } });
  expect(small.headers["content-encoding"]).toBeUndefined();
});

test("what is too long or too large is refused", async () => {
  const long = await admin.call("GET", `/stats?filter=${"a".repeat(17_000)}`);
  expect([long.status, long.body]).toEqual([414, "request target is too long\n"]);
  const large = await admin.call("POST", "/logging", { body: "x".repeat(70_000) });
  expect([large.status, large.body]).toEqual([413, "request body is too large\n"]);
  const fits = await admin.call("POST", "/logging", { body: "x".repeat(65_536) });
  expect(fits.status).toBe(200);
});

test("each answer is a line of the access log, in Envoy's default format", async () => {
  const headers = { "user-agent": "ua", host: "h", "x-request-id": "id" };
  await admin.call("POST", "/reset_counters", { headers, body: "abc" });
  expect(admin.lines.length).toBe(1);
  expect(admin.lines[0]).toMatch(
    /^\[20\S+Z\] "POST \/reset_counters HTTP\/1\.1" 200 - 3 3 \d+ - "\S+" "ua" "id" "h" "-"\n$/,
  );
});

test("the interface counts itself under Envoy's names", async () => {
  await admin.call("GET", "/nope");
  const { body } = await admin.call(
    "GET",
    "/stats?filter=admin.*(cx_total|rq_4xx|rq_active|rq_total)",
  );
  expect(body).toContain("http.admin.downstream_cx_total: 2\n");
  expect(body).toContain("http.admin.downstream_rq_4xx: 1\n");
  expect(body).toContain("http.admin.downstream_rq_active: 1\n");
  expect(body).toContain("http.admin.downstream_rq_total: 2\n");
  expect(body).toContain("listener.admin.http.admin.downstream_rq_4xx: 1\n");
});

test("the process' own metrics follow a whole scrape only", async () => {
  const whole = await admin.call("GET", "/stats/prometheus");
  expect(whole.body).toMatch(/^envoy_server_live\{\} 1$/m);
  expect(whole.body).toMatch(/^headgate_process_resident_memory_bytes \d+/m);
  const filtered = await admin.call("GET", "/stats/prometheus?filter=live");
  expect(filtered.body).not.toContain("headgate_");
});

test("the home page shows the state and every command, with nothing unescaped", async () => {
  admin.fake.serverInfo = () => ({ version: "<b>&", state: "LIVE", uptime_current_epoch: "3s" });
  const { headers, body } = await admin.call("GET", "/?x=1");
  expect(headers["content-type"]).toBe("text/html; charset=UTF-8");
  const links = [...adminCommands, ...ownCommands]
    .filter(({ path }) => path !== "/")
    .map(({ path, mutates }) => (mutates ? `form="${path}"` : `href="${path}"`));
  expect(links.filter((link) => !body.includes(link))).toEqual([]);
  expect(body).toContain("&lt;b&gt;&amp;");
  expect(body).not.toContain("<b>");
});

test("a fault of a handler is 500, and the next request is served", async () => {
  admin.fake.serverInfo = () => {
    throw new Error("boom");
  };
  expect(await admin.answerOf("GET", "/server_info")).toBe("500 internal error\n");
  expect(await admin.answerOf("GET", "/ready")).toBe("200 LIVE\n");
});

test("a connection is kept for further requests", async () => {
  const socket = connect(admin.port, "127.0.0.1");
  let text = "";
  const closed = new Promise<void>((resolve) => socket.on("close", () => resolve()));
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const get = "GET /ready HTTP/1.1\r\nhost: h\r\n";
  socket.write(`${get}\r\n${get}connection: close\r\n\r\n`);
  await closed;
  expect(text.match(/LIVE\n/g)?.length).toBe(2);
});

test("an idle connection is kept for longer than clients keep it", async () => {
  const accepted: Socket[] = [];
  const note = (message: unknown): void => {
    accepted.push((message as { socket: Socket }).socket);
  };
  subscribe("net.server.socket", note);
  const agent = new Agent({ keepAlive: true });
  await new Promise<void>((resolve) => {
    get({ port: admin.port, path: "/ready", agent }, (response) => {
      response.resume();
      response.on("end", resolve);
    });
  });
  unsubscribe("net.server.socket", note);
  // Clients of Go keep them for up to five minutes: a push must not meet the end of its connection.
  expect(accepted.map(({ timeout }) => (timeout ?? 0) > 300_000)).toEqual([true]);
  agent.destroy();
});

test("a client that leaves in the middle of its body does no harm", async () => {
  const socket = connect(admin.port, "127.0.0.1");
  socket.write("POST /logging HTTP/1.1\r\nhost: h\r\ncontent-length: 10\r\n\r\nabc");
  await new Promise((resolve) => socket.once("connect", resolve));
  socket.destroy();
  expect(await admin.answerOf("GET", "/ready")).toBe("200 LIVE\n");
});

test("an address in use is an error of listen", async () => {
  const second = createAdminServer(admin.fake, {
    address: { address: "127.0.0.1", port: admin.port },
    accessLogs: [],
    logger: silentLogger,
    wasmAccess: { from: "off", token: "" },
    pushBytesMax: 1,
  });
  await expect(second.listen()).rejects.toThrow("EADDRINUSE");
});

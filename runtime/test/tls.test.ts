// TLS of listeners in a real process: requests, sessions that any worker resumes, reloads and a drain
// under load, and clients that waste its time.
import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { beforeAll, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import { makeCertificate, type TestCertificate } from "./certificates.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { Load } from "./load-client.ts";
import { useProcesses, useUpstream } from "./process-rig.ts";

const upstream = useUpstream("ok");
const processes = useProcesses({ concurrency: 2 });

let authority: TestCertificate;
let server: TestCertificate;

beforeAll(async () => {
  authority = await makeCertificate("CA", { isAuthority: true });
  server = await makeCertificate("a.example", { issuer: authority, dnsNames: ["a.example"] });
});

interface ChainParts {
  /** Merged into the listener's only chain. */
  readonly chain?: object;
  /** Merged into DownstreamTlsContext. */
  readonly tls?: object;
  readonly common?: object;
  readonly hcm?: object;
}

/** One listener with TLS; the certificate stands in the configuration. */
function secure({ chain, tls, common, hcm }: ChainParts = {}): object {
  const config = bootstrap({ upstreamPort: upstream.port, ...(hcm ? { hcm } : {}) });
  const { static_resources } = config as { static_resources: { listeners: Chains[] } };
  for (const one of static_resources.listeners) {
    one.filter_chains = one.filter_chains.map((filters) => ({
      ...filters,
      transport_socket: transportSocket(tls, common),
      ...chain,
    }));
  }
  return config;
}

interface Chains {
  filter_chains: object[];
}

function transportSocket(tls: object = {}, common: object = {}): object {
  const certificate = {
    certificate_chain: { inline_string: server.chainPem },
    private_key: { inline_string: server.keyPem },
  };
  return {
    name: "tls",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
      common_tls_context: { tls_certificates: [certificate], ...common },
      ...tls,
    },
  };
}

const REQUEST = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

interface Exchange {
  readonly answer: string;
  readonly error: string;
  readonly isResumed: boolean;
  readonly protocol: string;
  /** The last that came. */
  readonly session: Buffer | null;
}

/** One request on a connection of its own. */
function exchange(target: string, options: ConnectionOptions = {}): Promise<Exchange> {
  const socket = secureSocket(target, options);
  let answer = "";
  let error = "";
  let session: Buffer | null = null;
  let isResumed = false;
  let protocol = "";
  socket.setEncoding("latin1");
  socket.on("session", (given) => {
    session = given;
  });
  socket.on("secureConnect", () => {
    isResumed = socket.isSessionReused();
    protocol = socket.getProtocol() ?? "";
    socket.write(REQUEST);
  });
  socket.on("data", (text: string) => {
    answer += text;
  });
  socket.on("error", (failure) => {
    error = String(Reflect.get(failure, "code"));
  });
  return new Promise((resolve) => {
    socket.on("close", () => resolve({ answer, error, isResumed, protocol, session }));
  });
}

function trust(): ConnectionOptions {
  return { ca: authority.pem, servername: "a.example" };
}

function secureSocket(target: string, options: ConnectionOptions): TLSSocket {
  const [host = "", port] = target.split(":");
  return connectTls({
    host,
    port: Number(port),
    ...trust(),
    ...options,
  });
}

/** The stat of the only listener. */
async function stat(headgate: HeadgateProcess, name: string): Promise<number> {
  return await headgate.stat(`listener.127.0.0.1_0.${name}`);
}

test("answers https requests, logs what was agreed on, and counts", async () => {
  const path = processes.scratch.path("access.log");
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const line = "%DOWNSTREAM_TLS_VERSION% %DOWNSTREAM_TLS_CIPHER% %REQ(X-FORWARDED-PROTO)%\n";
  const log_format = { text_format_source: { inline_string: line } };
  const access_log = [{ name: "file", typed_config: { "@type": type, path, log_format } }];
  const headgate = await processes.start(secure({ hcm: { access_log } }));
  const target = await headgate.listener();
  const { answer, protocol } = await exchange(target);
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n.*ok$/s);
  expect(protocol).toBe("TLSv1.3");
  const older = await exchange(target, {
    maxVersion: "TLSv1.2",
    ciphers: "ECDHE-ECDSA-AES128-GCM-SHA256",
  });
  expect(older.answer).toMatch(/ok$/);
  await headgate.waitFor(async () => (await stat(headgate, "ssl.handshake")) === 2, "counts");
  expect(await stat(headgate, "ssl.versions.TLSv1.2")).toBe(1);
  expect(await stat(headgate, "ssl.ciphers.ECDHE-ECDSA-AES128-GCM-SHA256")).toBe(1);
  expect(await headgate.stat("http.main.downstream_cx_ssl_total")).toBe(2);
  headgate.kill("SIGTERM");
  await headgate.exited;
  // Two workers write: in whichever order.
  expect(readFileSync(path, "utf8").trimEnd().split("\n").toSorted()).toEqual([
    "TLSv1.2 ECDHE-ECDSA-AES128-GCM-SHA256 https",
    expect.stringMatching(/^TLSv1\.3 TLS_\S+ https$/),
  ]);
});

test("a session is resumed by each of the workers", async () => {
  const headgate = await processes.start(secure());
  const target = await headgate.listener();
  for (const maxVersion of ["TLSv1.2", "TLSv1.3"] as const) {
    const { session } = await exchange(target, { maxVersion });
    if (session === null) throw new Error("no session came");
    const before = await perWorker(headgate);
    await headgate.waitFor(async () => {
      const { isResumed, answer } = await exchange(target, { maxVersion, session });
      expect([isResumed, answer.endsWith("ok")]).toEqual([true, true]);
      const now = await perWorker(headgate);
      return now.every((count, index) => count > (before[index] ?? 0));
    }, "connections to both workers");
  }
});

async function perWorker(headgate: HeadgateProcess): Promise<number[]> {
  const name = (index: number): string => `worker_${index}.downstream_cx_total`;
  return [await stat(headgate, name(0)), await stat(headgate, name(1))];
}

test("reloads under TLS load fail no request, nor does a drain", async () => {
  const config = (i: number): object =>
    secure({ hcm: { server_name: `round-${i}` }, common: { alpn_protocols: ["http/1.1"] } });
  const headgate = await processes.start(config(0), { flags: ["--drain-time-s", "2"] });
  const target = await headgate.listener();
  const load = new Load({ target, keepAlive: 6, single: 2, tls: trust(), body: "ok" });
  await headgate.waitFor(() => load.answered > 20, "traffic");
  for (let i = 1; i <= 3; i += 1) {
    const seen = load.answered;
    processes.scratch.write("envoy.yaml", config(i));
    headgate.kill("SIGHUP");
    await headgate.waitFor(
      async () => (await headgate.stat("server.reload_success")) === i,
      "a reload",
    );
    await headgate.waitFor(() => load.answered > seen + 20, "traffic");
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  const leaving = new Load({
    target,
    keepAlive: 6,
    tls: trust(),
    body: "ok",
    leavesWhenAsked: true,
  });
  await headgate.waitFor(() => leaving.answered > 20, "traffic");
  await headgate.admin("/drain_listeners?graceful&skip_exit", "POST");
  await leaving.left();
  expect(leaving.failures).toEqual([]);
  expect(leaving.askedToLeave).toBe(6);
});

test("clients that send nothing, garbage, or a byte at a time leave the others alone", async () => {
  const timeout = { transport_socket_connect_timeout: "1s" };
  const headgate = await processes.start(secure({ chain: timeout }));
  const target = await headgate.listener();
  const [host, port] = target.split(":");
  const hello = Buffer.from("160301020001000201", "hex");
  const gone: Promise<void>[] = [];
  const sockets: Socket[] = [];
  for (let i = 0; i < 300; i += 1) {
    const socket = connect(Number(port), host);
    sockets.push(socket);
    socket.on("error", () => {});
    socket.resume();
    gone.push(new Promise((resolve) => socket.once("close", () => resolve())));
    if (i % 3 === 1) socket.write("\x00garbage\r\n\r\n");
    if (i % 3 === 2) socket.write(hello.subarray(0, (i % hello.length) + 1));
  }
  expect((await exchange(target)).answer).toMatch(/ok$/);
  const drip = setInterval(() => {
    for (const [i, socket] of sockets.entries()) if (i % 3 === 2) socket.write("\x01");
  }, 200);
  await Promise.all(gone);
  clearInterval(drip);
  expect((await exchange(target)).answer).toMatch(/ok$/);
  expect(await stat(headgate, "downstream_cx_active")).toBe(0);
  const cut = await stat(headgate, "downstream_cx_transport_socket_connect_timeout");
  const broken = await stat(headgate, "ssl.connection_error");
  expect(broken).toBeGreaterThanOrEqual(100);
  expect(cut + broken).toBe(300);
  expect(await stat(headgate, "ssl.handshake")).toBe(2);
  // One line a worker, whoever came.
  const lines = headgate.output.split("\n").filter((line) => line.includes("early: a failed TLS"));
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.length).toBeLessThanOrEqual(2);
  const reason = "OPENSSL_internal:[A-Z_]+:TLS_error_end; more are counted in listener.*ssl";
  for (const line of lines) expect(line).toMatch(new RegExp(reason));
});

test("a flood of handshakes is served in its turn, and leaves nothing behind", async () => {
  const headgate = await processes.start(secure());
  const target = await headgate.listener();
  const [host, port] = target.split(":");
  // Half of them go as soon as the server has had the work of its signature.
  const flood = (count: number): Promise<void[]> =>
    Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const carrier = connect(Number(port), host).on("error", () => {});
        const socket = connectTls({ socket: carrier, rejectUnauthorized: false });
        socket.on("error", () => {});
        await new Promise((resolve) => socket.once("secureConnect", resolve));
        if (i % 2 === 0) carrier.resetAndDestroy();
        else socket.end();
      }),
    );
  const floods = [flood(200), flood(200)];
  expect((await exchange(target)).answer).toMatch(/ok$/);
  await Promise.all(floods);
  await headgate.waitFor(
    async () => (await stat(headgate, "downstream_cx_active")) === 0,
    "an end",
  );
  // A reset may take the client's last words with it.
  expect(await stat(headgate, "ssl.handshake")).toBeGreaterThanOrEqual(201);
  expect(await stat(headgate, "downstream_cx_destroy")).toBe(401);
});

test("TCP proxies get what was encrypted, and close_notify is their FIN", async () => {
  const chain = {
    filters: [
      {
        name: "tcp",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
          stat_prefix: "tcp",
          cluster: "up",
        },
      },
    ],
  };
  const headgate = await processes.start(secure({ chain }));
  const { answer } = await exchange(await headgate.listener());
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n.*ok$/s);
});

function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test.runIf(hasOpenssl())("openssl's client is served, and may not renegotiate", async () => {
  const headgate = await processes.start(secure());
  const target = await headgate.listener();
  const args = ["s_client", "-connect", target, "-tls1_2", "-servername", "a.example"];
  const output = await new Promise<string>((resolve) => {
    const child = execFile("openssl", args, { timeout: 60_000 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
    // "R" alone on a line asks for a renegotiation.
    child.stdin?.write("R\n");
    child.stdout?.on("data", (text: string) => {
      if (text.includes("Verify return code")) child.stdin?.write("R\n");
    });
    child.stderr?.on("data", (text: string) => {
      if (text.includes("renegotiation")) child.stdin?.end();
    });
  });
  expect(output).toMatch(/subject=CN ?= ?a\.example/);
  expect(output).toMatch(/no renegotiation/i);
  expect((await exchange(target)).answer).toMatch(/ok$/);
});

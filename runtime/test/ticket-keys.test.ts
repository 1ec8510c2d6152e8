// Keys of session tickets in a worker: those that it is born with, those that main sends later.
import { once } from "node:events";
import { connect, type ConnectionOptions } from "node:tls";
import { expect, onTestFinished, test } from "vitest";
import { silentLogger } from "../src/core/logger.ts";
import { PluginModuleLoader } from "../src/server/plugin-modules.ts";
import type { FromWorker } from "../src/server/protocol.ts";
import { WorkerServer } from "../src/server/worker.ts";
import { TICKET_KEY_BYTES } from "../src/tls/ticket-keys.ts";
import { bootstrap } from "./bootstrap.ts";
import { makeCertificate } from "./certificates.ts";
import { loadWorkerConfig, newBirth } from "./worker-for-test.ts";

const TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
const ECHO = "type.googleapis.com/envoy.extensions.filters.network.echo.v3.Echo";
const options: ConnectionOptions = { rejectUnauthorized: false, maxVersion: "TLSv1.2" };

async function tlsConfig(): Promise<string> {
  const { chainPem, keyPem } = await makeCertificate("a.example");
  const pair = {
    certificate_chain: { inline_string: chainPem },
    private_key: { inline_string: keyPem },
  };
  const common_tls_context = { tls_certificates: [pair] };
  const transport_socket = {
    name: "tls",
    typed_config: { "@type": TLS, common_tls_context },
  };
  const filters = [{ name: "echo", typed_config: { "@type": ECHO } }];
  return JSON.stringify(
    bootstrap({ listener: { filter_chains: [{ transport_socket, filters }] } }),
  );
}

/** Answers with its port. */
async function serve(): Promise<{ worker: WorkerServer; port: number }> {
  const loader = new PluginModuleLoader(silentLogger);
  const { snapshot, modules } = await loadWorkerConfig(await tlsConfig(), loader);
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const worker = new WorkerServer(newBirth(), (message: FromWorker) => {
    if (message.type === "prepared") resolve(message.addresses[0]?.port ?? 0);
    if (message.type === "refused") reject(new Error(message.problems.join()));
  });
  onTestFinished(() => {
    worker.onMessage({ type: "stop" });
    worker.onMessage({ type: "cut" });
  });
  const prepare = { snapshot, modules, memberships: [], bound: [] };
  worker.onMessage({ type: "prepare", version: 1, ...prepare });
  const port = await promise;
  worker.onMessage({ type: "commit", version: 1 });
  return { worker, port };
}

async function handshake(
  port: number,
  session?: Buffer,
): Promise<{ session: Buffer; isResumed: boolean }> {
  const socket = connect({ port, ...options, ...(session === undefined ? {} : { session }) });
  await once(socket, "secureConnect");
  const given = socket.getSession();
  const isResumed = socket.isSessionReused();
  socket.destroy();
  if (given === undefined) throw new Error("no session came");
  return { session: given, isResumed };
}

test("sessions of the key before are resumed, those of keys before that are not", async () => {
  const { worker, port } = await serve();
  const key = (byte: number): Uint8Array => new Uint8Array(TICKET_KEY_BYTES).fill(byte);
  const [bornWith = key(0)] = newBirth().ticketKeys;
  const { session } = await handshake(port);
  expect((await handshake(port, session)).isResumed).toBe(true);
  worker.onMessage({ type: "ticket_keys", keys: [key(1), bornWith] });
  expect((await handshake(port, session)).isResumed).toBe(true);
  const newer = await handshake(port);
  worker.onMessage({ type: "ticket_keys", keys: [key(2), key(1)] });
  expect((await handshake(port, session)).isResumed).toBe(false);
  expect((await handshake(port, newer.session)).isResumed).toBe(true);
});

// Clients with certificates in a real process, as curl and openssl are: who is let in, what the
// upstream, the response and the access log hear of them.
import { execFile, execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { beforeAll, expect, test } from "vitest";
import { bootstrap } from "./bootstrap.ts";
import { fingerprint256, makeCertificate, type TestCertificate } from "./certificates.ts";
import type { HeadgateProcess } from "./headgate-process.ts";
import { useProcesses } from "./process-rig.ts";

const processes = useProcesses();

let authority: TestCertificate;
let server: TestCertificate;
let client: TestCertificate;
let stranger: TestCertificate;

beforeAll(async () => {
  authority = await makeCertificate("CA", { isAuthority: true });
  server = await makeCertificate("server", {
    issuer: authority,
    dnsNames: ["a.example"],
    uris: ["spiffe://test/server"],
  });
  client = await makeCertificate("client", {
    issuer: authority,
    subject: "CN=client, O=Test",
    uris: ["spiffe://test/client"],
  });
  stranger = await makeCertificate("stranger", {});
});

const FACTS = "%DOWNSTREAM_PEER_SUBJECT% %DOWNSTREAM_TLS_VERSION% %RESPONSE_CODE%\n";

function fileLog(path: string, text: string): object[] {
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const log_format = { text_format_source: { inline_string: text } };
  return [{ name: "file", typed_config: { "@type": type, path, log_format } }];
}

/** Answers with the x-forwarded-client-cert that it made; refuses who has no good certificate. */
function config(log: string): object {
  const forwarded = "%REQ(X-FORWARDED-CLIENT-CERT)%";
  const route = {
    match: { prefix: "/", tls_context: { presented: true, validated: true } },
    direct_response: { status: 200, body: { inline_string: "welcome" } },
    response_headers_to_add: [{ header: { key: "x-seen", value: forwarded } }],
  };
  const hcm = {
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: [route] }] },
    forward_client_cert_details: "SANITIZE_SET",
    set_current_client_cert_details: { subject: true, uri: true },
    access_log: fileLog(log, FACTS),
  };
  const boot = bootstrap({ hcm }) as {
    static_resources: { listeners: { filter_chains: object[] }[] };
  };
  for (const one of boot.static_resources.listeners) {
    one.filter_chains = one.filter_chains.map((chain) => ({
      ...chain,
      transport_socket: socket(),
    }));
  }
  return boot;
}

function socket(): object {
  const tls_certificates = [
    {
      certificate_chain: { inline_string: server.chainPem },
      private_key: { inline_string: server.keyPem },
    },
  ];
  const validation_context = {
    trusted_ca: { inline_string: authority.pem },
    match_typed_subject_alt_names: [{ san_type: "URI", matcher: { prefix: "spiffe://test/" } }],
  };
  const type = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext";
  return {
    name: "tls",
    typed_config: {
      "@type": type,
      common_tls_context: { tls_certificates, validation_context },
      require_client_certificate: true,
    },
  };
}

interface Rig {
  readonly headgate: HeadgateProcess;
  readonly target: string;
  readonly requests: string;
}

async function rig(): Promise<Rig> {
  const requests = processes.scratch.path("requests.log");
  const flags = ["--file-flush-interval-msec", "10"];
  const headgate = await processes.start(config(requests), { flags });
  return { headgate, target: await headgate.listener(), requests };
}

/** Files of a certificate as tools want them. */
function files(certificate: TestCertificate): { readonly cert: string; readonly key: string } {
  const cert = processes.scratch.path(`${certificate.name}.pem`);
  const key = processes.scratch.path(`${certificate.name}-key.pem`);
  writeFileSync(cert, certificate.chainPem);
  writeFileSync(key, certificate.keyPem);
  return { cert, key };
}

function run(command: string, args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { timeout: 60_000 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    );
    child.stdin?.end(input);
  });
}

function has(tool: string, flag: string): boolean {
  try {
    execFileSync(tool, [flag], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

test.runIf(has("curl", "--version"))("curl is known by its certificate, or refused", async () => {
  const { headgate, target, requests } = await rig();
  const { cert, key } = files(client);
  const ca = files(authority).cert;
  const [host = "", port = ""] = target.split(":");
  const url = `https://a.example:${port}/`;
  const common = ["-sS", "-i", "--cacert", ca, "--connect-to", `a.example:${port}:${host}:${port}`];
  const forged = ["-H", "x-forwarded-client-cert: By=me;Hash=00"];
  const known = await run("curl", [...common, ...forged, "--cert", cert, "--key", key, url]);
  expect(known).toMatch(/^HTTP\/1\.1 200 OK\r\n.*welcome$/s);
  expect(/x-seen: (.*)\r/.exec(known)?.[1]).toBe(
    `By=spiffe://test/server;Hash=${fingerprint256(client)};` +
      'Subject="O=Test,CN=client";URI=spiffe://test/client',
  );
  const other = files(stranger);
  const refused = await run("curl", [...common, "--cert", other.cert, "--key", other.key, url]);
  expect(refused).toMatch(/^curl: \(\d+\) /);
  expect(await run("curl", [...common, url])).toMatch(/^curl: \(\d+\) .*certificate required/i);
  await expect.poll(() => readFileSync(requests, "latin1")).toBe("O=Test,CN=client TLSv1.3 200\n");
  const ssl = async (name: string): Promise<number> => {
    const text = await headgate.admin("/stats?filter=listener.*ssl");
    return Number(new RegExp(`\\.ssl\\.${name}: (\\d+)`).exec(text)?.[1]);
  };
  expect(await ssl("handshake")).toBe(1);
  expect(await ssl("fail_verify_error")).toBe(1);
  expect(await ssl("fail_verify_no_cert")).toBe(1);
});

test.runIf(has("openssl", "version"))("openssl's client is served over TLS 1.2", async () => {
  const { target, requests } = await rig();
  const { cert, key } = files(client);
  const known = ["-cert", cert, "-key", key, "-CAfile", files(authority).cert];
  const args = ["s_client", "-connect", target, "-tls1_2", "-quiet", "-ign_eof", ...known];
  const request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
  expect(await run("openssl", args, request)).toMatch(/HTTP\/1\.1 200 OK\r\n.*welcome/s);
  await expect.poll(() => readFileSync(requests, "latin1")).toBe("O=Test,CN=client TLSv1.2 200\n");
});

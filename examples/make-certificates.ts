// Writes certificates for an example: an authority, servers and clients that it vouches for, with keys.
// For trying things out only: nobody guards this authority.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../runtime/test/certificates.ts";

/** `NAME.pem` (with its authority's, where it is needed) and `NAME-key.pem` of all four. */
export async function makeCertificates(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const issuer = await makeCertificate("authority", { isAuthority: true });
  const one = await makeCertificate("server", {
    issuer,
    dnsNames: ["one.test", "*.one.test"],
    ipAddresses: ["127.0.0.1"],
  });
  const two = await makeCertificate("other", { issuer, dnsNames: ["two.test"] });
  const client = await makeCertificate("client", {
    issuer,
    subject: "CN=client, O=Example",
    uris: ["spiffe://example/client"],
  });
  for (const { name, chainPem, keyPem } of [issuer, one, two, client]) {
    writeFileSync(join(folder, `${name}.pem`), chainPem);
    writeFileSync(join(folder, `${name}-key.pem`), keyPem, { mode: 0o600 });
  }
}

if (import.meta.main) {
  const folder = process.argv[2];
  if (folder === undefined) throw new Error("usage: npx node examples/make-certificates.ts FOLDER");
  await makeCertificates(folder);
  console.log(`certificates and keys are in ${folder}`);
}

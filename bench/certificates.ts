// The certificates of the TLS cases: one with an RSA key of 2048 bits, one with P-256.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeCertificate } from "../runtime/test/certificates.ts";

export interface BenchCertificate {
  readonly chainFile: string;
  readonly keyFile: string;
}

export interface BenchCertificates {
  readonly rsa: BenchCertificate;
  readonly ec: BenchCertificate;
  /** HAProxy's form: it finds the two files that begin with this name. */
  readonly bundle: string;
}

/** Makes both and writes them into `folder`. */
export async function makeCertificates(folder: string): Promise<BenchCertificates> {
  const bundle = join(folder, "bench.pem");
  return {
    rsa: await write(folder, "rsa", `${bundle}.rsa`),
    ec: await write(folder, "ec", `${bundle}.ecdsa`),
    bundle,
  };
}

async function write(
  folder: string,
  keyType: "rsa" | "ec",
  bundleFile: string,
): Promise<BenchCertificate> {
  const names = { dnsNames: ["localhost"], ipAddresses: ["127.0.0.1"] };
  const { pem, keyPem } = await makeCertificate("localhost", { keyType, ...names });
  const chainFile = join(folder, `${keyType}.crt`);
  const keyFile = join(folder, `${keyType}.key`);
  writeFileSync(chainFile, pem);
  writeFileSync(keyFile, keyPem, { mode: 0o600 });
  writeFileSync(bundleFile, pem + keyPem, { mode: 0o600 });
  return { chainFile, keyFile };
}

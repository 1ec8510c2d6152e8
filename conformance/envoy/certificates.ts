// The certificates that cases name. They are made once a process and are new in each, so goldens
// hold names in their place (normalise.ts): what is fixed is what they say, and for how long.
import { createHash, X509Certificate } from "node:crypto";
import {
  type CertificateRequest,
  fingerprint256,
  makeCertificate,
  makeRevocationList,
  type TestCertificate,
} from "../../runtime/test/certificates.ts";

/** All of them by name. */
export interface CertificateSet {
  readonly byName: ReadonlyMap<string, TestCertificate>;
  /** Text for the run's folder by file name: `NAME.pem`, `NAME-chain.pem`, `NAME-key.pem`. */
  readonly files: ReadonlyMap<string, string>;
  /** What a golden must not hold, and the name that stands for it. */
  readonly masks: readonly (readonly [string, string])[];
}

type Recipe = CertificateRequest & { readonly signedBy?: string };

/** In an order in which every signer comes before what it signs. */
const RECIPES: Readonly<Record<string, Recipe>> = {
  authority: { isAuthority: true, subject: "CN=authority, O=Test" },
  middle: { isAuthority: true, signedBy: "authority" },
  stranger: { isAuthority: true },
  server: {
    signedBy: "authority",
    keyType: "rsa",
    dnsNames: ["server.test", "*.wild.test"],
    ipAddresses: ["127.0.0.1"],
  },
  server_ec: { signedBy: "authority", dnsNames: ["server.test", "*.wild.test"] },
  second: { signedBy: "middle", dnsNames: ["second.test"], uris: ["spiffe://test/second"] },
  client: {
    signedBy: "authority",
    subject: "CN=client, O=Test, C=DE",
    dnsNames: ["client.test"],
    uris: ["spiffe://test/client"],
    emails: ["client@test"],
    ipAddresses: ["10.1.2.3"],
  },
  client_middle: { signedBy: "middle", uris: ["spiffe://test/middle"] },
  client_bare: { signedBy: "authority" },
  client_stranger: { signedBy: "stranger", uris: ["spiffe://test/client"] },
  client_expired: { signedBy: "authority", notAfter: new Date("2021-01-01T00:00:00Z") },
  client_revoked: { signedBy: "authority" },
};

let made: Promise<CertificateSet> | undefined;

/** The set of this process. */
export function certificateSet(): Promise<CertificateSet> {
  made ??= makeSet();
  return made;
}

async function makeSet(): Promise<CertificateSet> {
  const byName = new Map<string, TestCertificate>();
  for (const [name, { signedBy, ...request }] of Object.entries(RECIPES)) {
    const issuer = signedBy === undefined ? undefined : byName.get(signedBy);
    byName.set(name, await makeCertificate(name, issuer ? { ...request, issuer } : request));
  }
  const files = new Map<string, string>();
  const masks: (readonly [string, string])[] = [];
  for (const [name, certificate] of byName) {
    files.set(`${name}.pem`, certificate.pem);
    files.set(`${name}-chain.pem`, certificate.chainPem);
    files.set(`${name}-key.pem`, certificate.keyPem);
    masks.push(...masksOf(name, certificate));
  }
  const revoked = [the(byName, "client_revoked")];
  files.set("revoked.pem", await makeRevocationList(the(byName, "authority"), revoked));
  return { byName, files, masks };
}

/** A certificate of the set. Throws when there is none of that name. */
export function the(byName: ReadonlyMap<string, TestCertificate>, name: string): TestCertificate {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`no certificate is called ${name}`);
  return found;
}

/** SHA-256 of a certificate, hex, as `verify_certificate_hash` wants it. */
export function fingerprintOf(set: CertificateSet, name: string): string {
  return fingerprint256(the(set.byName, name));
}

/** SHA-256 of its public key, base64, as `verify_certificate_spki` wants it. */
export function spkiHashOf(set: CertificateSet, name: string): string {
  return spkiHash(the(set.byName, name));
}

function spkiHash(certificate: TestCertificate): string {
  const key = new X509Certificate(certificate.pem).publicKey;
  return createHash("sha256")
    .update(key.export({ type: "spki", format: "der" }))
    .digest("base64");
}

function masksOf(name: string, certificate: TestCertificate): (readonly [string, string])[] {
  const { fingerprint } = new X509Certificate(certificate.pem);
  return [
    [fingerprint256(certificate), `{sha256 of ${name}}`],
    [fingerprint.replaceAll(":", "").toLowerCase(), `{sha1 of ${name}}`],
    [spkiHash(certificate), `{spki of ${name}}`],
    [encodeURIComponent(certificate.pem), `{pem of ${name}}`],
    [certificate.pem, `{pem of ${name}}`],
  ];
}

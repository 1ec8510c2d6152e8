// Certificates, keys and revocation lists for tests: made when they run, valid from 2020 to 2099, so
// that nothing secret is committed and nothing expires.
import { createHash, webcrypto, X509Certificate } from "node:crypto";
import "./reflect-metadata.ts";
import * as x509 from "@peculiar/x509";

/** What a certificate says; what is left out stands in none of its fields. */
export interface CertificateRequest {
  /** "CN=client, O=Test"; default `CN=` and `name`. */
  readonly subject?: string;
  readonly dnsNames?: readonly string[];
  readonly uris?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly emails?: readonly string[];
  /** [object identifier, UTF-8 text]; they stand behind the other names. */
  readonly otherNames?: readonly (readonly [string, string])[];
  /** Who signs it; default itself. */
  readonly issuer?: TestCertificate;
  /** May sign others. */
  readonly isAuthority?: boolean;
  /** Default "ec" (P-256); "rsa" has 2048 bits and takes a tenth of a second or more. */
  readonly keyType?: "ec" | "rsa";
  /** Default: for servers and clients; an empty list leaves the extension out. */
  readonly usages?: readonly ("server" | "client")[];
  /** Must come with an OCSP response (RFC 7633). */
  readonly isMustStaple?: boolean;
  /** Hex; default comes of the name, and so is the same in each run. */
  readonly serial?: string;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
}

/** A certificate with its key. */
export interface TestCertificate {
  readonly name: string;
  readonly pem: string;
  /** PKCS #8. */
  readonly keyPem: string;
  /** The leaf and those who signed it, without the root: what a server sends. */
  readonly chainPem: string;
  readonly keys: CryptoKeyPair;
}

type CryptoKeyPair = webcrypto.CryptoKeyPair;

const NOT_BEFORE = new Date("2020-01-01T00:00:00Z");
const NOT_AFTER = new Date("2099-01-01T00:00:00Z");
const ALGORITHMS = {
  ec: { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" },
  rsa: {
    name: "RSASSA-PKCS1-v1_5",
    hash: "SHA-256",
    publicExponent: new Uint8Array([1, 0, 1]),
    modulusLength: 2048,
  },
} as const;

x509.cryptoProvider.set(webcrypto as unknown as Crypto);

/** Makes a certificate and a new key for it. */
export async function makeCertificate(
  name: string,
  request: CertificateRequest = {},
): Promise<TestCertificate> {
  const { issuer } = request;
  const algorithm = ALGORITHMS[request.keyType ?? "ec"];
  const keys: CryptoKeyPair = await webcrypto.subtle.generateKey(algorithm, true, [
    "sign",
    "verify",
  ]);
  const subject = request.subject ?? `CN=${name}`;
  const signer = issuer?.keys.privateKey ?? keys.privateKey;
  const issuerName =
    issuer === undefined ? subject : new x509.X509Certificate(issuer.pem).subjectName;
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: request.serial ?? serialOf(name),
    subject,
    issuer: issuerName,
    notBefore: request.notBefore ?? NOT_BEFORE,
    notAfter: request.notAfter ?? NOT_AFTER,
    signingAlgorithm: { name: signer.algorithm.name, hash: "SHA-256" },
    publicKey: keys.publicKey as unknown as x509.PublicKeyType,
    signingKey: signer as unknown as CryptoKey,
    extensions: await extensionsOf(request, keys),
  });
  const pem = pemOf("CERTIFICATE", certificate.rawData);
  const keyBytes = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    name,
    pem,
    keyPem: pemOf("PRIVATE KEY", keyBytes),
    chainPem: issuer === undefined || isRoot(issuer) ? pem : pem + issuer.chainPem,
    keys,
  };
}

/** A revocation list of `issuer`, as PEM. */
export async function makeRevocationList(
  issuer: TestCertificate,
  revoked: readonly TestCertificate[],
): Promise<string> {
  const list = await x509.X509CrlGenerator.create({
    issuer: new x509.X509Certificate(issuer.pem).subjectName,
    thisUpdate: NOT_BEFORE,
    nextUpdate: NOT_AFTER,
    signingAlgorithm: { name: issuer.keys.privateKey.algorithm.name, hash: "SHA-256" },
    signingKey: issuer.keys.privateKey as unknown as CryptoKey,
    entries: revoked.map((one) => ({
      serialNumber: new X509Certificate(one.pem).serialNumber,
      revocationDate: NOT_BEFORE,
      // Without any the package writes an empty list of extensions, which BoringSSL refuses.
      reason: x509.X509CrlReason.keyCompromise,
    })),
  });
  return pemOf("X509 CRL", list.rawData);
}

/** SHA-256 of the certificate, lower-case hex, as Envoy prints it. */
export function fingerprint256(certificate: TestCertificate): string {
  return createHash("sha256").update(new X509Certificate(certificate.pem).raw).digest("hex");
}

async function extensionsOf(
  request: CertificateRequest,
  keys: CryptoKeyPair,
): Promise<x509.Extension[]> {
  const publicKey = keys.publicKey as unknown as CryptoKey;
  const extensions: x509.Extension[] = [
    new x509.BasicConstraintsExtension(request.isAuthority === true, undefined, true),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
  if (request.issuer !== undefined) {
    const issuerKey = request.issuer.keys.publicKey as unknown as CryptoKey;
    extensions.push(await x509.AuthorityKeyIdentifierExtension.create(issuerKey));
  }
  if (request.isAuthority === true) {
    const flags = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
    extensions.push(new x509.KeyUsagesExtension(flags, true));
  } else {
    const usages = (request.usages ?? ["server", "client"]).map((one) =>
      one === "server" ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth,
    );
    if (usages.length > 0) extensions.push(new x509.ExtendedKeyUsageExtension(usages));
  }
  if (request.isMustStaple === true) {
    const statusRequest = Uint8Array.of(0x30, 3, 2, 1, 5);
    extensions.push(new x509.Extension("1.3.6.1.5.5.7.1.24", false, statusRequest.buffer));
  }
  const names = namesOf(request);
  const others = (request.otherNames ?? []).map(([oid, text]) => otherNameOf(oid, text));
  if (names.length + others.length > 0) {
    // The package knows no otherName but Microsoft's two.
    const known = derContent(new x509.GeneralNames(names).rawData);
    const all = der(0x30, Buffer.concat([known, ...others]));
    extensions.push(new x509.Extension("2.5.29.17", false, all));
  }
  return extensions;
}

function namesOf(request: CertificateRequest): x509.JsonGeneralName[] {
  const named = (type: x509.GeneralNameType, values: readonly string[] = []) =>
    values.map((value) => ({ type, value }));
  return [
    ...named("dns", request.dnsNames),
    ...named("url", request.uris),
    ...named("ip", request.ipAddresses),
    ...named("email", request.emails),
  ];
}

function otherNameOf(oid: string, text: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split(".").map(Number);
  const octets = [first * 40 + second];
  for (const arc of rest) {
    const groups = [arc & 0x7f];
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80);
    octets.push(...groups);
  }
  const value = der(0xa0, der(0x0c, Buffer.from(text)));
  return der(0xa0, Buffer.concat([der(0x06, Buffer.from(octets)), value]));
}

/** One element of less than 64 KiB. */
function der(tag: number, content: Buffer): Buffer {
  const size = content.length;
  const length =
    size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

function derContent(element: ArrayBuffer): Buffer {
  const bytes = Buffer.from(element);
  const length = bytes[1] ?? 0;
  return bytes.subarray(length < 0x80 ? 2 : 2 + (length & 0x7f));
}

function isRoot(certificate: TestCertificate): boolean {
  const { issuer, subject } = new X509Certificate(certificate.pem);
  return issuer === subject;
}

/** 8 bytes, the first of them below 0x80: a positive number. */
function serialOf(name: string): string {
  return `1${createHash("sha256").update(name).digest("hex").slice(0, 15)}`;
}

function pemOf(label: string, bytes: ArrayBuffer): string {
  const lines =
    Buffer.from(bytes)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

// Reads TlsCertificate: chain, private key, PKCS#12 and OCSP response, and checks that they fit
// each other before any connection needs them. Private keys never get into a message.
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { ConfigNode } from "../config-node.ts";
import type { TlsCertificateConfig } from "../tls-config.ts";
import { isMustStaple, matchesCertificate, readOcspResponse } from "./ocsp-response.ts";
import { opensslReason, pemBlocks } from "./secret-data.ts";
import type { SecretData, SecretParts } from "./secret-data.ts";
import type { Translation } from "./translation.ts";

const RSA_BITS_MIN = 2048;
const CURVES: readonly string[] = ["prime256v1", "secp384r1", "secp521r1"];
const EXPECTED_KEYS = "RSA of 2048 bits or more, ECDSA on P-256, P-384 or P-521, or Ed25519";

type Pair = Pick<TlsCertificateConfig, "chainPem" | "privateKeyPem" | "pkcs12" | "passphrase">;

interface Loaded extends Pair {
  readonly path: string;
  readonly leaf: X509Certificate;
}

/** Null and problems when it cannot be used. */
export function readTlsCertificate(
  t: Translation,
  node: ConfigNode,
  parts: SecretParts,
): TlsCertificateConfig | null {
  acceptWhatNobodyHas(t, node);
  const password = parts.read(node, "password")?.bytes.toString("utf8") ?? "";
  const loaded = node.has("pkcs12")
    ? readPkcs12(t, node, parts, password)
    : readPair(t, node, parts, password);
  const staple = readStaple(t, node, parts, loaded?.leaf ?? null);
  if (loaded === null) return null;
  const { leaf, ...pair } = loaded;
  const keyType = readKeyType(t, node, leaf);
  if (keyType === null || !isTaken(t, node, pair)) return null;
  warnOfDates(t, node, leaf);
  const mustStaple = isMustStaple(leaf);
  if (mustStaple && staple.ocspStaple === null && !node.has("ocsp_staple")) {
    // Envoy says so whatever ocsp_staple_policy says.
    t.wrong(node, "not set: the certificate says that it must be stapled", "ocsp_staple");
  }
  return {
    name: parts.name,
    ...pair,
    ...staple,
    serverNames: serverNamesOf(leaf),
    keyType,
    isMustStaple: mustStaple,
  };
}

function acceptWhatNobodyHas(t: Translation, node: ConfigNode): void {
  node.accept("signed_certificate_timestamp", "Envoy does nothing with it, either");
  if (node.has("private_key_provider")) {
    node.accept("private_key_provider", "reported as a whole");
    const what = "private_key_provider (Node's TLS takes keys, not signers)";
    t.guarded(node, what, "there would be no key", "private_key_provider");
  }
}

function readPair(
  t: Translation,
  node: ConfigNode,
  parts: SecretParts,
  password: string,
): Loaded | null {
  const chain = parts.read(node, "certificate_chain");
  const key = parts.read(node, "private_key");
  for (const field of ["certificate_chain", "private_key"]) {
    const isElsewhere = field === "private_key" && node.has("private_key_provider");
    if (!node.has(field) && !isElsewhere) t.wrong(node, "not set: value is required", field);
  }
  const leaf = chain === null ? null : readChain(t, node, chain);
  const privateKey = key === null ? null : readPrivateKey(t, node, key, password);
  if (chain === null || leaf === null || privateKey === null) return null;
  if (!leaf.checkPrivateKey(privateKey)) {
    const found = `found the key of another certificate, expected that of ${subjectOf(leaf)}`;
    t.wrong(node, found, "private_key");
    return null;
  }
  const chainPem = pemBlocks(chain.bytes.toString("latin1"), ...CERTIFICATE_LABELS).join("");
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  return { path: chain.path, leaf, chainPem, privateKeyPem, pkcs12: null, passphrase: "" };
}

/** Workers shall never meet what OpenSSL does not take: an old signature, say. */
function isTaken(t: Translation, node: ConfigNode, pair: Pair): boolean {
  // PKCS#12 has been taken as a whole.
  if (pair.pkcs12 !== null) return true;
  try {
    createSecureContext({ cert: pair.chainPem, key: pair.privateKeyPem });
    return true;
  } catch (error) {
    t.wrong(node, `OpenSSL refuses it: ${opensslReason(error)}`, "certificate_chain");
    return false;
  }
}

export const CERTIFICATE_LABELS: readonly string[] = [
  "CERTIFICATE",
  "X509 CERTIFICATE",
  "TRUSTED CERTIFICATE",
];

/** The first certificate of a chain of which all can be read. */
function readChain(
  t: Translation,
  node: ConfigNode,
  { bytes }: SecretData,
): X509Certificate | null {
  const blocks = pemBlocks(bytes.toString("latin1"), ...CERTIFICATE_LABELS);
  const certificates: X509Certificate[] = [];
  for (const [at, block] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(block));
    } catch (error) {
      const which = `certificate ${at + 1} of ${blocks.length}`;
      t.wrong(node, `cannot read ${which}: ${opensslReason(error)}`, "certificate_chain");
      return null;
    }
  }
  if (certificates[0] !== undefined) return certificates[0];
  t.wrong(node, "found no certificate, expected PEM with the server's first", "certificate_chain");
  return null;
}

function readPrivateKey(
  t: Translation,
  node: ConfigNode,
  { bytes }: SecretData,
  password: string,
): KeyObject | null {
  const isEncrypted = /BEGIN ENCRYPTED|^Proc-Type: *4,ENCRYPTED/m.test(bytes.toString("latin1"));
  if (isEncrypted && password === "") {
    t.wrong(node, "found an encrypted private key, expected its password", "private_key");
    return null;
  }
  try {
    return createPrivateKey({ key: bytes, passphrase: password });
  } catch (error) {
    const isWrong = (error as NodeJS.ErrnoException).code === "ERR_OSSL_BAD_DECRYPT";
    const found = isWrong
      ? "the password does not open the private key"
      : `found no private key that can be read, expected PEM: ${opensslReason(error)}`;
    t.wrong(node, found, isWrong ? "password" : "private_key");
    return null;
  }
}

function readPkcs12(
  t: Translation,
  node: ConfigNode,
  parts: SecretParts,
  password: string,
): Loaded | null {
  for (const field of ["certificate_chain", "private_key", "private_key_provider"]) {
    if (!node.has(field)) continue;
    t.wrong(node, "found it beside pkcs12, expected one of both", field);
  }
  const data = parts.read(node, "pkcs12");
  if (data === null) return null;
  try {
    const { context } = createSecureContext({ pfx: data.bytes, passphrase: password });
    const leaf = new X509Certificate((context as NativeContext).getCertificate());
    const pair = { chainPem: leaf.toString(), privateKeyPem: "", passphrase: password };
    return { ...pair, pkcs12: data.bytes, path: data.path, leaf };
  } catch (error) {
    t.wrong(node, pkcs12Problem(error as NodeJS.ErrnoException), "pkcs12");
    return null;
  }
}

/** What node:tls has no public name for: the only way to a certificate in PKCS#12. */
interface NativeContext {
  /** DER of its own certificate. */
  getCertificate(): Buffer;
}

function pkcs12Problem(error: NodeJS.ErrnoException): string {
  if (error.message === "mac verify failure") return "the password does not open the PKCS#12 file";
  if (error.code === "ERR_CRYPTO_UNSUPPORTED_OPERATION") {
    return "found PKCS#12 with ciphers of the last century (RC2, 3DES), expected AES";
  }
  return `cannot read PKCS#12: ${opensslReason(error)}`;
}

function readKeyType(
  t: Translation,
  node: ConfigNode,
  leaf: X509Certificate,
): TlsCertificateConfig["keyType"] | null {
  const { asymmetricKeyType: type = "", asymmetricKeyDetails: details = {} } = leaf.publicKey;
  const bits = details.modulusLength ?? 0;
  const curve = details.namedCurve ?? "";
  if (type === "ed25519") return type;
  if (type === "rsa" && bits >= RSA_BITS_MIN) return type;
  if (type === "ec" && CURVES.includes(curve)) return type;
  const found = `${type} key${type === "rsa" ? ` of ${bits} bits` : ""}`;
  const on = curve === "" ? "" : ` on ${curve}`;
  const field = node.has("pkcs12") ? "pkcs12" : "certificate_chain";
  t.wrong(node, `found a certificate with an ${found}${on}, expected ${EXPECTED_KEYS}`, field);
  return null;
}

/** Envoy takes both, and peers refuse them. */
function warnOfDates(t: Translation, node: ConfigNode, leaf: X509Certificate): void {
  const field = node.has("pkcs12") ? "pkcs12" : "certificate_chain";
  const { validFromDate, validToDate } = leaf;
  if (validToDate.getTime() < Date.now()) {
    const since = validToDate.toISOString();
    t.warn(node, `the certificate of ${subjectOf(leaf)} has expired at ${since}`, field);
  } else if (validFromDate.getTime() > Date.now()) {
    const from = validFromDate.toISOString();
    t.warn(node, `the certificate of ${subjectOf(leaf)} is not valid before ${from}`, field);
  }
}

type Staple = Pick<TlsCertificateConfig, "ocspStaple" | "ocspExpiresMs">;
const noStaple: Staple = { ocspStaple: null, ocspExpiresMs: 0 };

function readStaple(
  t: Translation,
  node: ConfigNode,
  parts: SecretParts,
  leaf: X509Certificate | null,
): Staple {
  const source = node.node("ocsp_staple");
  if (source === undefined) return noStaple;
  if (source.has("inline_string")) {
    t.wrong(source, "found text, expected inline_bytes or filename", "inline_string");
  }
  const data = parts.readSource(source);
  if (data === null) return noStaple;
  const response = readOcspResponse(data.bytes);
  if (typeof response === "string") t.wrong(node, response, "ocsp_staple");
  else if (leaf !== null && !matchesCertificate(response, leaf)) {
    t.wrong(node, "found an OCSP response for another certificate", "ocsp_staple");
  } else return { ocspStaple: data.bytes, ocspExpiresMs: response.expiresMs };
  return noStaple;
}

/** DNS names, else the common name: what Envoy compares an SNI with. */
function serverNamesOf(leaf: X509Certificate): string[] {
  const alternatives = leaf.subjectAltName?.split(", ") ?? [];
  const names = alternatives.filter((text) => text.startsWith("DNS:")).map((text) => text.slice(4));
  if (names.length > 0) return names.map((name) => name.toLowerCase());
  const common = /^CN=(.+)$/m.exec(leaf.subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

function subjectOf(leaf: X509Certificate): string {
  const subject = leaf.subject?.replaceAll("\n", ",") ?? "";
  return subject === "" ? `serial number ${leaf.serialNumber}` : subject;
}

// Reads CertificateValidationContext: what is asked of a peer's certificate.
import { X509Certificate } from "node:crypto";
import { createSecureContext, getCACertificates } from "node:tls";
import type { ConfigNode } from "../config-node.ts";
import type { SubjectAltNameMatchConfig, TlsValidationConfig } from "../tls-config.ts";
import { INLINE, opensslReason, pemBlocks } from "./secret-data.ts";
import type { SecretParts } from "./secret-data.ts";
import { readStringMatch } from "./string-reader.ts";
import { CERTIFICATE_LABELS } from "./tls-certificate-reader.ts";
import type { Translation } from "./translation.ts";

const VERIFY_DEPTH = 100;
const HASH = /^(?:[0-9a-f]{64}|[0-9a-f]{2}(?::[0-9a-f]{2}){31})$/i;
const OID = /^[0-2](?:\.(?:0|[1-9]\d*))+$/;

const sanKinds: Readonly<Record<string, SubjectAltNameMatchConfig["kind"]>> = {
  DNS: "dns",
  URI: "uri",
  EMAIL: "email",
  IP_ADDRESS: "ip_address",
  OTHER_NAME: "other_name",
};
/** What a matcher without a type tries, as in Envoy. */
const UNTYPED: readonly SubjectAltNameMatchConfig["kind"][] = ["dns", "uri", "email", "ip_address"];

/** Null and problems when it cannot be used. */
export function readTlsValidation(
  t: Translation,
  node: ConfigNode,
  parts: SecretParts,
): TlsValidationConfig | null {
  acceptWhatNobodyHas(t, node);
  const authorities = readAuthorities(t, node, parts);
  const crlPem = readCrl(t, node, parts, authorities);
  const subjectAltNames = readSubjectAltNames(t, node);
  const allowsExpired = node.bool("allow_expired_certificate", false);
  const hasAuthority = authorities !== null && authorities.trustedCaPem !== "";
  if (!hasAuthority && authorities !== null) {
    // The words are Envoy's.
    if (subjectAltNames.length > 0) {
      const message = "SAN-based verification of peer certificates without trusted CA is insecure";
      t.wrong(node, `${message} and not allowed`, namesField(node));
    }
    if (allowsExpired) {
      const message = "Certificate validity period is always ignored without trusted CA";
      t.wrong(node, message, "allow_expired_certificate");
    }
  }
  if (authorities === null) return null;
  return {
    name: parts.name,
    path: authorities.path,
    trustedCaPem: authorities.trustedCaPem,
    crlPem,
    onlyVerifiesLeafCrl: node.bool("only_verify_leaf_cert_crl", false),
    allowsExpired,
    acceptsUntrusted: node.enum("trust_chain_verification") === "ACCEPT_UNTRUSTED",
    certificateHashes: readHashes(t, node),
    spkiHashes: readSpkiHashes(t, node),
    subjectAltNames,
    verifyDepthMax: node.uint("max_verify_depth", VERIFY_DEPTH),
    hidesAuthorities: node.bool("suppress_client_ca_list", false),
  };
}

function acceptWhatNobodyHas(t: Translation, node: ConfigNode): void {
  node.accept("require_signed_certificate_timestamp", "Envoy does nothing with it, either");
  const refused: Readonly<Record<string, string>> = {
    custom_validator_config: "the certificate validator",
    ca_certificate_provider_instance: "the certificate provider",
  };
  for (const [field, what] of Object.entries(refused)) {
    const inner = node.node(field);
    if (inner === undefined) continue;
    const name = field === "custom_validator_config" ? inner.string("name", "") : "";
    inner.acceptRest("reported as a whole");
    t.guarded(node, `${what} ${name}`.trimEnd(), "peers would not be checked", field);
  }
}

interface Authorities {
  readonly trustedCaPem: string;
  /** Lists that stand among the certificates. */
  readonly crlPem: string;
  readonly path: string;
}

/** Null and a problem when they cannot be read. */
function readAuthorities(t: Translation, node: ConfigNode, parts: SecretParts): Authorities | null {
  const system = node.node("system_root_certs");
  const data = parts.read(node, "trusted_ca");
  if (data !== null) {
    const text = data.bytes.toString("latin1");
    const blocks = pemBlocks(text, ...CERTIFICATE_LABELS);
    const bad = blocks.map(whyNoCertificate).find((why) => why !== "");
    if (blocks.length > 0 && bad === undefined) {
      const crlPem = pemBlocks(text, "X509 CRL").join("");
      return { trustedCaPem: blocks.join(""), crlPem, path: data.path };
    }
    const found =
      bad === undefined ? "found no certificate, expected PEM" : `cannot read it: ${bad}`;
    t.wrong(node, found, "trusted_ca");
    return null;
  }
  if (node.has("trusted_ca")) return null;
  if (system === undefined) return { trustedCaPem: "", crlPem: "", path: INLINE };
  const roots = getCACertificates("system");
  if (roots.length === 0) t.wrong(node, "the system has no certificates", "system_root_certs");
  return { trustedCaPem: roots.join("\n"), crlPem: "", path: INLINE };
}

function whyNoCertificate(pem: string): string {
  try {
    new X509Certificate(pem);
    return "";
  } catch (error) {
    return opensslReason(error);
  }
}

function readCrl(
  t: Translation,
  node: ConfigNode,
  parts: SecretParts,
  authorities: Authorities | null,
): string {
  const data = parts.read(node, "crl");
  const besideCa = authorities?.crlPem ?? "";
  if (data === null) return besideCa;
  if (authorities?.trustedCaPem === "") {
    t.wrong(node, "found it without trusted_ca, expected both", "crl");
    return "";
  }
  const blocks = pemBlocks(data.bytes.toString("latin1"), "X509 CRL");
  // Envoy takes a file without lists, and then nothing is revoked.
  if (blocks.length === 0) t.wrong(node, "found no revocation list, expected PEM", "crl");
  for (const block of blocks) {
    try {
      createSecureContext({ crl: block });
    } catch (error) {
      t.wrong(node, `cannot read the revocation list: ${opensslReason(error)}`, "crl");
    }
  }
  return besideCa + blocks.join("");
}

function namesField(node: ConfigNode): string {
  const typed = "match_typed_subject_alt_names";
  return node.has(typed) ? typed : "match_subject_alt_names";
}

function readSubjectAltNames(t: Translation, node: ConfigNode): SubjectAltNameMatchConfig[] {
  const typed = node.nodes("match_typed_subject_alt_names");
  const untyped = node.nodes("match_subject_alt_names");
  if (typed.length === 0) {
    return untyped.flatMap((one) => {
      const match = readStringMatch(t, one);
      return UNTYPED.map((kind) => ({ kind, oid: "", match }));
    });
  }
  for (const one of untyped) one.acceptRest("match_typed_subject_alt_names wins");
  return typed.map((one) => readTyped(t, one)).filter((one) => one !== null);
}

function readTyped(t: Translation, node: ConfigNode): SubjectAltNameMatchConfig | null {
  const kind = sanKinds[node.enum("san_type")];
  const oid = node.string("oid", "");
  const match = readStringMatch(t, node.node("matcher"));
  // The field rules have refused a type that is not there.
  if (kind === undefined) return null;
  if (kind !== "other_name") return { kind, oid: "", match };
  if (!OID.test(oid)) t.wrong(node, `found "${oid}", expected an object identifier`, "oid");
  return { kind, oid, match };
}

function readHashes(t: Translation, node: ConfigNode): string[] {
  const field = "verify_certificate_hash";
  return node.strings(field).map((text) => {
    if (!HASH.test(text)) t.wrong(node, `found "${text}", expected SHA-256 as hex`, field);
    return text.replaceAll(":", "").toLowerCase();
  });
}

function readSpkiHashes(t: Translation, node: ConfigNode): string[] {
  const field = "verify_certificate_spki";
  return node.strings(field).map((text) => {
    const bytes = Buffer.from(text, "base64");
    if (bytes.length !== 32 || bytes.toString("base64") !== text) {
      t.wrong(node, `found "${text}", expected SHA-256 as base64`, field);
    }
    return text;
  });
}

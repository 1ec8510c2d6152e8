// Reads TlsParameters: versions, ciphers, curves and signature algorithms, from BoringSSL's names
// to OpenSSL's. What OpenSSL does not have is refused by name.
import type { ConfigNode } from "../config-node.ts";
import type { TlsContextConfig, TlsVersion } from "../tls-config.ts";
import { chooseCiphers } from "./cipher-suites.ts";
import type { CipherProblem } from "./cipher-suites.ts";
import type { Translation } from "./translation.ts";

export type TlsSide = "downstream" | "upstream";

export type TlsParameters = Pick<
  TlsContextConfig,
  | "minVersion"
  | "maxVersion"
  | "cipherSuites"
  | "prefersClientChaCha"
  | "curves"
  | "signatureAlgorithms"
>;

/** Envoy's, for both sides. */
const CIPHERS = [
  "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-CHACHA20-POLY1305]",
  "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-CHACHA20-POLY1305]",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
].join(":");
/** Nobody can choose them in BoringSSL; most clients have them in this order. */
const CIPHERS_13 = "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256";
const CURVES = "X25519:P-256";
/** OpenSSL has no ciphers and hashes for TLS below 1.2 that it still takes for secure. */
const OLD_VERSIONS = ":@SECLEVEL=0";

const FIPS_202205: TlsParameters = {
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  cipherSuites: [
    "TLS_AES_128_GCM_SHA256",
    "TLS_AES_256_GCM_SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
  ].join(":"),
  prefersClientChaCha: false,
  curves: "P-256:P-384",
  signatureAlgorithms: [
    "rsa_pkcs1_sha256",
    "rsa_pkcs1_sha384",
    "rsa_pkcs1_sha512",
    "ecdsa_secp256r1_sha256",
    "ecdsa_secp384r1_sha384",
    "rsa_pss_rsae_sha256",
    "rsa_pss_rsae_sha384",
    "rsa_pss_rsae_sha512",
  ].join(":"),
};

const versions: Readonly<Record<string, TlsVersion>> = {
  TLSv1_0: "TLSv1",
  TLSv1_1: "TLSv1.1",
  TLSv1_2: "TLSv1.2",
  TLSv1_3: "TLSv1.3",
};

/** BoringSSL's names, each with OpenSSL's. */
const curvesByName: ReadonlyMap<string, string> = new Map([
  ["P-256", "P-256"],
  ["prime256v1", "P-256"],
  ["P-384", "P-384"],
  ["secp384r1", "P-384"],
  ["P-521", "P-521"],
  ["secp521r1", "P-521"],
  ["X25519", "X25519"],
  ["x25519", "X25519"],
  ["X25519MLKEM768", "X25519MLKEM768"],
  ["MLKEM1024", "MLKEM1024"],
]);

const SIGNATURE_ALGORITHMS: ReadonlySet<string> = new Set([
  "rsa_pkcs1_sha1",
  "rsa_pkcs1_sha256",
  "rsa_pkcs1_sha384",
  "rsa_pkcs1_sha512",
  "rsa_pss_rsae_sha256",
  "rsa_pss_rsae_sha384",
  "rsa_pss_rsae_sha512",
  "ecdsa_sha1",
  "ecdsa_secp256r1_sha256",
  "ecdsa_secp384r1_sha384",
  "ecdsa_secp521r1_sha512",
  "ed25519",
]);
const SIGNATURE_PAIR = /^(?:RSA|RSA-PSS|PSS|ECDSA)\+SHA(?:1|256|384|512)$/;

/** `node` undefined: Envoy's defaults, 1.2 to 1.3 downstream and 1.2 upstream. */
export function readTlsParameters(
  t: Translation,
  node: ConfigNode | undefined,
  side: TlsSide,
): TlsParameters {
  const policies = node?.strings("compliance_policies") ?? [];
  if (node !== undefined && policies.length > 0) return readPolicy(t, node, policies[0] as string);
  const minVersion = versions[node?.enum("tls_minimum_protocol_version") ?? ""] ?? "TLSv1.2";
  const latest = side === "downstream" ? "TLSv1.3" : "TLSv1.2";
  const maxVersion = versions[node?.enum("tls_maximum_protocol_version") ?? ""] ?? latest;
  if (node !== undefined && minVersion > maxVersion) {
    const found = `found ${minVersion} as the lowest and ${maxVersion} as the highest version`;
    t.warn(node, `${found}: no connection can be made, as in Envoy`);
  }
  const ciphers = readCiphers(t, node);
  const isOld = minVersion < "TLSv1.2";
  return {
    minVersion,
    maxVersion,
    cipherSuites: `${CIPHERS_13}:${ciphers.names.join(":")}${isOld ? OLD_VERSIONS : ""}`,
    prefersClientChaCha: ciphers.prefersClientChaCha,
    curves: readCurves(t, node),
    signatureAlgorithms: readSignatureAlgorithms(t, node),
  };
}

/** A policy wins over all other settings. */
function readPolicy(t: Translation, node: ConfigNode, policy: string): TlsParameters {
  node.acceptRest("the compliance policy wins");
  if (policy !== "FIPS_202205") {
    t.guarded(node, `the compliance policy ${policy}`, "weaker ciphers", "compliance_policies");
  } else {
    const message = "OpenSSL runs without its FIPS module: only its choices are followed";
    t.warn(node, message, "compliance_policies");
  }
  return FIPS_202205;
}

interface Ciphers {
  readonly names: readonly string[];
  readonly prefersClientChaCha: boolean;
}

function readCiphers(t: Translation, node: ConfigNode | undefined): Ciphers {
  const text = node?.strings("cipher_suites").join(":") ?? "";
  const chosen = chooseCiphers(text === "" ? CIPHERS : text);
  if ("names" in chosen) return chosen;
  t.wrong(node as ConfigNode, cipherProblem(chosen), "cipher_suites");
  return { names: [], prefersClientChaCha: false };
}

function cipherProblem({ rejected, syntax }: CipherProblem): string {
  if (rejected.length === 0) return syntax;
  const named = rejected.map(([name, why]) => (why === "" ? name : `${name} (${why})`));
  return `found ${named.join(", ")}, expected ciphers that BoringSSL and OpenSSL have`;
}

function readCurves(t: Translation, node: ConfigNode | undefined): string {
  const text = node?.strings("ecdh_curves").join(":") ?? "";
  if (text === "") return CURVES;
  const names: string[] = [];
  for (const word of text.split(":")) {
    const name = curvesByName.get(word);
    if (name !== undefined) names.push(name);
    else {
      const expected = [...new Set(curvesByName.values())].join(", ");
      t.wrong(node as ConfigNode, `found "${word}", expected ${expected}`, "ecdh_curves");
    }
  }
  return names.join(":");
}

function readSignatureAlgorithms(t: Translation, node: ConfigNode | undefined): string {
  const text = node?.strings("signature_algorithms").join(":") ?? "";
  if (text === "") return "";
  const seen = new Set<string>();
  for (const name of text.split(":")) {
    const isKnown = SIGNATURE_ALGORITHMS.has(name) || SIGNATURE_PAIR.test(name);
    if (seen.has(name) || !isKnown) {
      const what = seen.has(name) ? `"${name}" twice` : `"${name}"`;
      const expected = "expected each once, such as ecdsa_secp256r1_sha256 or RSA+SHA256";
      t.wrong(node as ConfigNode, `found ${what}, ${expected}`, "signature_algorithms");
    }
    seen.add(name);
  }
  return text;
}

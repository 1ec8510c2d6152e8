// Whether a peer's certificate is good enough: CertificateValidationContext, for clients of ours
// and for upstreams. A bad certificate is a verdict, with Envoy's stat and words. Asked by who gets
// onSecured; what is wrong with the handshake itself is told in failure-reason.ts.
import type { X509Certificate } from "node:crypto";
import type { SecureContextOptions } from "node:tls";
import type { TlsValidationConfig } from "../config/tls-config.ts";
import type { CertificateInfo } from "../core/tls-info.ts";
import type { TlsSession } from "../engine/tls.ts";
import { lookAtPath } from "./certificate-path.ts";
import type { CertificatePath } from "./certificate-path.ts";
import { reasonText } from "./failure-reason.ts";
import { compileSanMatch, dnsNameMatcher, hasOneOf } from "./san-matcher.ts";
import type { SanMatcher } from "./san-matcher.ts";
import type { VerifyFailure } from "./tls-stats.ts";
import { sentCertificates, TrustStore } from "./trust-store.ts";
import type { PathCertificate } from "./trust-store.ts";

export interface PeerVerdict {
  /** False = the connection must be closed. */
  readonly isAccepted: boolean;
  /** There was something to check, and it passed. */
  readonly isValidated: boolean;
  /** The stat to count, also of a certificate that is accepted in spite of it. */
  readonly failure: VerifyFailure | null;
  /** For %DOWNSTREAM_TRANSPORT_FAILURE_REASON% and its upstream kin; "" = no failure. */
  readonly reason: string;
}

/** What one connection asks for beyond the configuration. */
export interface PeerNames {
  /** auto_sni_san_validation: the SNI that was sent; "" = not asked. */
  readonly sniToMatch: string;
  /** auto_san_validation: one of them must be in the certificate; [] = not asked. */
  readonly sanList: readonly string[];
}

const noNames: PeerNames = { sniToMatch: "", sanList: [] };
const notLookedAt: PeerVerdict = {
  isAccepted: true,
  isValidated: false,
  failure: null,
  reason: "",
};
const validated: PeerVerdict = { isAccepted: true, isValidated: true, failure: null, reason: "" };

/**
 * What OpenSSL shall trust. It gets the revocation lists only where it may ask for one of each
 * authority, and takes any trusted certificate for an anchor, as Envoy does.
 */
export function trustOptions(
  config: TlsValidationConfig,
): Pick<SecureContextOptions, "ca" | "crl" | "allowPartialTrustChain"> {
  if (config.trustedCaPem === "") return {};
  const forOpenSsl = config.crlPem !== "" && !config.onlyVerifiesLeafCrl;
  return {
    ca: config.trustedCaPem,
    allowPartialTrustChain: true,
    ...(forOpenSsl ? { crl: config.crlPem } : {}),
  };
}

export class PeerValidator {
  readonly #config: TlsValidationConfig;
  readonly #purpose: "client" | "server";
  readonly #store: TrustStore;
  readonly #sans: readonly SanMatcher[];

  /** `purpose`: who the peer is. */
  constructor(config: TlsValidationConfig, purpose: "client" | "server") {
    this.#config = config;
    this.#purpose = purpose;
    this.#store = new TrustStore(config.trustedCaPem, config.crlPem);
    this.#sans = config.subjectAltNames.map(compileSanMatch);
  }

  /** There is something that a certificate can fail or pass. */
  get hasChecks(): boolean {
    return this.#config.trustedCaPem !== "" || this.#hasHashes;
  }

  /**
   * What clients are asked for. As Envoy: nothing where nothing is checked, even with
   * require_client_certificate; and names or hashes can only be met by who has a certificate.
   */
  demandOnClients(isRequired: boolean): "none" | "requested" | "required" {
    const { acceptsUntrusted, subjectAltNames } = this.#config;
    if (!this.hasChecks && !acceptsUntrusted) return "none";
    const mustFit = !acceptsUntrusted && (subjectAltNames.length > 0 || this.#hasHashes);
    return isRequired || mustFit ? "required" : "requested";
  }

  get #hasHashes(): boolean {
    return this.#config.certificateHashes.length > 0 || this.#config.spkiHashes.length > 0;
  }

  /**
   * OpenSSL's verdict is not enough. A resumed session has no more than the peer's own certificate,
   * so sessions must not be resumed then.
   */
  get needsWholeChain(): boolean {
    const { trustedCaPem, allowsExpired, verifyDepthMax, crlPem, onlyVerifiesLeafCrl } =
      this.#config;
    if (trustedCaPem === "") return false;
    return allowsExpired || verifyDepthMax < DEPTH_MAX || (crlPem !== "" && onlyVerifiesLeafCrl);
  }

  judge(session: TlsSession, nowMs: number, names: PeerNames = noNames): PeerVerdict {
    const { peerCertificate } = session;
    if (peerCertificate === null || !this.#hasChecksFor(names)) return notLookedAt;
    const sent = sentCertificates(peerCertificate);
    if (this.#config.trustedCaPem !== "") {
      const words = this.#chainFault(sent, session.verifyError, nowMs);
      if (words !== "") return this.#failed("fail_verify_error", words);
    }
    return this.#judgeLeaf(sent[0] as PathCertificate, names);
  }

  /** Whose signature vouches for the peer; null = nobody's was checked. */
  issuerOf(peer: X509Certificate, nowMs: number): CertificateInfo | null {
    if (this.#config.trustedCaPem === "") return null;
    const path = this.#path(sentCertificates(peer), nowMs);
    return path.fault === "" ? (path.certificates[1]?.details ?? null) : null;
  }

  #hasChecksFor(names: PeerNames): boolean {
    return this.hasChecks || names.sanList.length > 0;
  }

  /** "" = trusted; else Envoy's words. */
  #chainFault(sent: readonly PathCertificate[], verifyError: string, nowMs: number): string {
    if (verifyError === "" && !this.needsWholeChain) return "";
    const path = this.#path(sent, nowMs);
    if (path.fault !== "") return faultWords(path.depth, path.fault);
    if (verifyError === "") return "";
    const isForgiven = this.#config.allowsExpired && timeErrors.has(verifyError);
    if (isForgiven && !path.isBeyondUs) return "";
    return faultWords(
      0,
      opensslWords[verifyError] ?? verifyError.toLowerCase().replaceAll("_", " "),
    );
  }

  #path(sent: readonly PathCertificate[], nowMs: number): CertificatePath {
    const { verifyDepthMax, allowsExpired, crlPem, onlyVerifiesLeafCrl } = this.#config;
    return lookAtPath(sent, this.#store, {
      purpose: this.#purpose,
      depthMax: verifyDepthMax,
      ignoresTime: allowsExpired,
      revocation: crlPem === "" ? "none" : onlyVerifiesLeafCrl ? "leaf" : "all",
      nowMs,
    });
  }

  #judgeLeaf({ details }: PathCertificate, { sniToMatch, sanList }: PeerNames): PeerVerdict {
    const { certificateHashes, spkiHashes, trustedCaPem } = this.#config;
    if (sanList.length > 0 && !hasOneOf(details, sanList)) {
      const expected = `expected SANs: [${sanList.join(", ")}]`;
      const found = `certificate SANs: [${details.allNames.join(", ")}]`;
      const words = `verify SAN list, ${expected}, ${found}`;
      return this.#failed("fail_verify_san", words);
    }
    const sans = this.#sansFor(sniToMatch, sanList);
    if (sans.length > 0 && !sans.some((one) => one.matches(details))) {
      const words = `SAN matcher, certificate SANs are [${details.allNames.join(", ")}]`;
      return this.#failed("fail_verify_san", words);
    }
    const hashCount = certificateHashes.length + spkiHashes.length;
    if (hashCount > 0) {
      const isKnown =
        certificateHashes.includes(details.sha256) || spkiHashes.includes(details.spkiSha256);
      if (!isKnown) return this.#failed("fail_verify_cert_hash", "cert hash and spki");
    }
    const isChecked = trustedCaPem !== "" || hashCount + sans.length + sanList.length > 0;
    return isChecked ? validated : notLookedAt;
  }

  /** A name to match takes the place of the configuration's; a list of names, that of the SNI. */
  #sansFor(sniToMatch: string, sanList: readonly string[]): readonly SanMatcher[] {
    if (sniToMatch === "") return this.#sans;
    return sanList.length > 0 ? [] : [dnsNameMatcher(sniToMatch)];
  }

  #failed(failure: VerifyFailure, words: string): PeerVerdict {
    return {
      isAccepted: this.#config.acceptsUntrusted,
      isValidated: false,
      failure,
      reason: reasonText("CERTIFICATE_VERIFY_FAILED", `verify cert failed: ${words}`),
    };
  }
}

const DEPTH_MAX = 100;

function faultWords(depth: number, words: string): string {
  return `X509_verify_cert: certificate verification error at depth ${depth}: ${words}`;
}

const timeErrors: ReadonlySet<string> = new Set(["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID"]);

/** For errors that the path does not show; words as BoringSSL has them. */
const opensslWords: Readonly<Record<string, string>> = {
  UNABLE_TO_GET_ISSUER_CERT: "unable to get issuer certificate",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "unable to get local issuer certificate",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "unable to verify the first certificate",
  UNABLE_TO_GET_CRL: "unable to get certificate CRL",
  DEPTH_ZERO_SELF_SIGNED_CERT: "self signed certificate",
  SELF_SIGNED_CERT_IN_CHAIN: "self signed certificate in certificate chain",
  CERT_SIGNATURE_FAILURE: "certificate signature failure",
  CERT_HAS_EXPIRED: "certificate has expired",
  CERT_NOT_YET_VALID: "certificate is not yet valid",
  CERT_REVOKED: "certificate revoked",
  CERT_CHAIN_TOO_LONG: "certificate chain too long",
  INVALID_CA: "invalid CA certificate",
  INVALID_PURPOSE: "unsupported certificate purpose",
  PATH_LENGTH_EXCEEDED: "path length constraint exceeded",
};

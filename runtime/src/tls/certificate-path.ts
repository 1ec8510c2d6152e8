// The way from a peer's certificate to a trusted one, looked at in BoringSSL's order. OpenSSL has
// looked before us; but node:tls gives only the last of the errors that it met, without its depth,
// and cannot be told to overlook any. So this finds the words for a refusal, and decides where the
// configuration is more lenient than OpenSSL.
import type { PathCertificate, TrustStore } from "./trust-store.ts";

export interface PathRules {
  /** Who the peer is. */
  readonly purpose: "client" | "server";
  /** Index of the trusted certificate in the path, at most; as Envoy's, 0 counts as 1. */
  readonly depthMax: number;
  readonly ignoresTime: boolean;
  readonly revocation: "none" | "leaf" | "all";
  readonly nowMs: number;
}

export interface CertificatePath {
  /** From the leaf to where it ended. */
  readonly certificates: readonly PathCertificate[];
  /** BoringSSL's words; "" = the path is good. */
  readonly fault: string;
  /** Of the certificate that is at fault. */
  readonly depth: number;
  /** It has something that only OpenSSL judges: a good path says nothing then. */
  readonly isBeyondUs: boolean;
}

/** `sent` are the certificates that came, the peer's own first. */
export function lookAtPath(
  sent: readonly PathCertificate[],
  store: TrustStore,
  rules: PathRules,
): CertificatePath {
  const { certificates, fault } = build(sent, store, Math.max(1, rules.depthMax));
  const isBeyondUs = certificates.some(isOnlyForOpenSsl);
  const done = (words: string, depth: number): CertificatePath => ({
    certificates,
    fault: words,
    depth,
    isBeyondUs,
  });
  if (fault !== "") return done(fault, certificates.length - 1);
  for (let depth = 0; depth < certificates.length; depth += 1) {
    const words = extensionFault(certificates, depth, rules.purpose);
    if (words !== "") return done(words, depth);
  }
  for (let depth = 0; depth < revocationCount(certificates, rules); depth += 1) {
    const issuer = certificates[depth + 1] ?? selfIssuer(certificates[depth] as PathCertificate);
    const words = store.revocationFault(
      certificates[depth] as PathCertificate,
      issuer,
      rules.nowMs,
    );
    if (words !== "") {
      return done(`certificate revocation check against provided CRLs failed: ${words}`, depth);
    }
  }
  for (let depth = certificates.length - 1; depth >= 0; depth -= 1) {
    const words = signatureOrTimeFault(certificates, depth, rules);
    if (words !== "") return done(words, depth);
  }
  return done("", 0);
}

interface Built {
  readonly certificates: PathCertificate[];
  readonly fault: string;
}

/** Trusted issuers are preferred to those that were sent; any trusted certificate is an end. */
function build(sent: readonly PathCertificate[], store: TrustStore, depthMax: number): Built {
  const certificates: PathCertificate[] = sent.slice(0, 1);
  for (;;) {
    const last = certificates.at(-1);
    if (last === undefined) return { certificates, fault: "no certificate" };
    if (store.isTrusted(last)) return { certificates, fault: "" };
    if (isSelfIssued(last)) {
      const isLeaf = certificates.length === 1;
      const words = isLeaf
        ? "self signed certificate"
        : "self signed certificate in certificate chain";
      return { certificates, fault: words };
    }
    const issuer =
      certificates.length > depthMax
        ? undefined
        : (store.issuerOf(last) ??
          sent.find((one) => !certificates.includes(one) && mayHaveIssued(one, last)));
    if (issuer === undefined) {
      return { certificates, fault: "unable to get local issuer certificate" };
    }
    certificates.push(issuer);
  }
}

/** Names first: they cost nothing, and a peer may send many certificates. */
function mayHaveIssued(issuer: PathCertificate, { x509, details }: PathCertificate): boolean {
  return issuer.details.subjectDer.equals(details.issuerDer) && x509.checkIssued(issuer.x509);
}

function isSelfIssued({ x509, details }: PathCertificate): boolean {
  return details.issuerDer.equals(details.subjectDer) && x509.checkIssued(x509);
}

function selfIssuer(certificate: PathCertificate): PathCertificate | null {
  return isSelfIssued(certificate) ? certificate : null;
}

const EXTENDED_USAGES = {
  client: "1.3.6.1.5.5.7.3.2",
  server: "1.3.6.1.5.5.7.3.1",
} as const;
const ANY_USAGE = "2.5.29.37.0";

function extensionFault(
  certificates: readonly PathCertificate[],
  depth: number,
  purpose: PathRules["purpose"],
): string {
  const { x509, details } = certificates[depth] as PathCertificate;
  if (details.hasUnknownCritical) return "unhandled critical extension";
  if (depth > 0 && !x509.ca) return "invalid CA certificate";
  // Node calls the extended ones so; absent, they allow everything.
  const usages = x509.keyUsage as string[] | undefined;
  if (usages !== undefined && usages.length > 0) {
    const isAllowed = usages.includes(EXTENDED_USAGES[purpose]) || usages.includes(ANY_USAGE);
    if (!isAllowed) return "unsupported certificate purpose";
  }
  if (depth === 0 && !details.maySignHandshakes) return "unsupported certificate purpose";
  if (depth > 1 && details.pathLengthMax >= 0) {
    const below = certificates.slice(1, depth).filter((one) => !isSelfIssued(one)).length;
    if (below > details.pathLengthMax) return "path length constraint exceeded";
  }
  return "";
}

function revocationCount(certificates: readonly PathCertificate[], rules: PathRules): number {
  if (rules.revocation === "none") return 0;
  return rules.revocation === "leaf" ? 1 : certificates.length;
}

function signatureOrTimeFault(
  certificates: readonly PathCertificate[],
  depth: number,
  { ignoresTime, nowMs }: PathRules,
): string {
  const { x509, details } = certificates[depth] as PathCertificate;
  // The last one is trusted for what it is, whoever has signed it.
  const issuer = certificates[depth + 1];
  if (issuer !== undefined && !x509.verify(issuer.x509.publicKey)) {
    return "certificate signature failure";
  }
  if (ignoresTime) return "";
  if (nowMs < details.notBeforeMs) return "certificate is not yet valid";
  return nowMs > details.notAfterMs ? "certificate has expired" : "";
}

const RSA_BITS_MIN = 2048;

/** Limits of names, and keys and signatures that OpenSSL's security level may find too weak. */
function isOnlyForOpenSsl({ x509, details }: PathCertificate): boolean {
  if (details.nameConstraints !== null) return true;
  const bits = x509.publicKey.asymmetricKeyDetails?.modulusLength;
  return (bits !== undefined && bits < RSA_BITS_MIN) || details.hasWeakSignature;
}

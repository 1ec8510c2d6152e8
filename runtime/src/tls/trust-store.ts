// The authorities and revocation lists of a validation context, read from PEM when a path must be
// looked at that OpenSSL did not accept as it is.
import { createHash, verify, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import { certificateInfoOf } from "./certificate-info.ts";
import type { CertificateDetails } from "./certificate-info.ts";
import { DerTag, oidText, readDer, readDerAll, timeOf } from "../core/der-reader.ts";
import type { DerElement } from "../core/der-reader.ts";

/** A certificate with what is read from it; both are made once. */
export interface PathCertificate {
  readonly x509: X509Certificate;
  readonly details: CertificateDetails;
}

export function pathCertificateOf(x509: X509Certificate): PathCertificate {
  return { x509, details: certificateInfoOf(x509) };
}

/** A peer sends its chain, not an archive: what stands behind these is not looked at. */
const SENT_CERTIFICATES_MAX = 32;

/** What came with `peer`, itself first. */
export function sentCertificates(peer: X509Certificate): PathCertificate[] {
  const sent: PathCertificate[] = [];
  let next: X509Certificate | undefined = peer;
  while (next !== undefined && sent.length < SENT_CERTIFICATES_MAX) {
    sent.push(pathCertificateOf(next));
    const issuer: X509Certificate | undefined = next.issuerCertificate;
    next = issuer === next ? undefined : issuer;
  }
  return sent;
}

export class TrustStore {
  readonly #caPem: string;
  readonly #crlPem: string;
  #bySubject: Map<string, PathCertificate[]> | null = null;
  #fingerprints: Set<string> | null = null;
  #lists: readonly RevocationList[] | null = null;

  constructor(caPem: string, crlPem: string) {
    this.#caPem = caPem;
    this.#crlPem = crlPem;
  }

  isTrusted(certificate: PathCertificate): boolean {
    this.#read();
    return this.#fingerprints?.has(fingerprint(certificate.x509)) === true;
  }

  /** A trusted certificate that can have signed `certificate`; null = none. */
  issuerOf(certificate: PathCertificate): PathCertificate | null {
    const bySubject = this.#read();
    const named = bySubject.get(certificate.details.issuerDer.toString("latin1")) ?? [];
    const candidates = named.filter((one) => certificate.x509.checkIssued(one.x509));
    // An authority that has a new key may have kept its name.
    const signer = candidates.find((one) => certificate.x509.verify(one.x509.publicKey));
    return signer ?? candidates[0] ?? null;
  }

  /** "" = not revoked; else what is wrong, in BoringSSL's words. */
  revocationFault(
    certificate: PathCertificate,
    issuer: PathCertificate | null,
    nowMs: number,
  ): string {
    this.#lists ??= pemBlocks(this.#crlPem, "X509 CRL").map((der) => new RevocationList(der));
    const { issuerDer } = certificate.details;
    const lists = this.#lists.filter((one) => one.issuerDer.equals(issuerDer));
    // As OpenSSL: a list that is valid now is better than one that is not.
    const list = lists.find((one) => one.isCurrent(nowMs)) ?? lists[0];
    if (list === undefined || issuer === null) return "unable to get certificate CRL";
    if (nowMs < list.thisUpdateMs) return "CRL is not yet valid";
    if (!list.isCurrent(nowMs)) return "CRL has expired";
    if (!list.isSignedBy(issuer.x509.publicKey)) return "CRL signature failure";
    return list.has(certificate.details.serialDer) ? "certificate revoked" : "";
  }

  #read(): Map<string, PathCertificate[]> {
    if (this.#bySubject !== null) return this.#bySubject;
    const bySubject = new Map<string, PathCertificate[]>();
    const fingerprints = new Set<string>();
    for (const der of pemBlocks(this.#caPem, "(?:TRUSTED |X509 )?CERTIFICATE")) {
      const certificate = pathCertificateOf(new X509Certificate(der));
      const key = certificate.details.subjectDer.toString("latin1");
      const known = bySubject.get(key);
      if (known === undefined) bySubject.set(key, [certificate]);
      else known.push(certificate);
      fingerprints.add(fingerprint(certificate.x509));
    }
    this.#fingerprints = fingerprints;
    this.#bySubject = bySubject;
    return bySubject;
  }
}

function fingerprint(certificate: X509Certificate): string {
  return createHash("sha256").update(certificate.raw).digest("latin1");
}

function pemBlocks(pem: string, label: string): Buffer[] {
  const block = new RegExp(`-----BEGIN (${label})-----([^-]+)-----END \\1-----`, "g");
  return [...pem.matchAll(block)].map((match) => Buffer.from(match[2] as string, "base64"));
}

// ---- Revocation lists (RFC 5280, section 5).

/** Digests by the signature algorithm's identifier; null = the algorithm has its own. */
const signatureDigests: ReadonlyMap<string, string | null> = new Map([
  ["1.2.840.113549.1.1.11", "sha256"],
  ["1.2.840.113549.1.1.12", "sha384"],
  ["1.2.840.113549.1.1.13", "sha512"],
  ["1.2.840.10045.4.3.2", "sha256"],
  ["1.2.840.10045.4.3.3", "sha384"],
  ["1.2.840.10045.4.3.4", "sha512"],
  ["1.3.101.112", null],
]);

/** What we do not know how to read leaves a list without a signature that holds. */
class RevocationList {
  readonly issuerDer: Buffer;
  readonly thisUpdateMs: number;
  /** 0 = it does not say. */
  readonly nextUpdateMs: number;
  readonly #serials: ReadonlySet<string>;
  readonly #signed: Buffer;
  readonly #algorithm: string;
  readonly #signature: Buffer;
  readonly #hasUnknownCritical: boolean;

  constructor(der: Buffer) {
    const [tbs, algorithm, signature] = readDerAll(readDer(der)?.content ?? Buffer.alloc(0));
    const fields = [...readDerAll(tbs?.content ?? Buffer.alloc(0))];
    if (fields[0]?.tag === DerTag.Integer) fields.shift();
    const [, issuer, thisUpdate, ...rest] = fields;
    const isTime = (one: DerElement | undefined): boolean =>
      one?.tag === DerTag.UtcTime || one?.tag === DerTag.GeneralizedTime;
    const nextUpdate = isTime(rest[0]) ? rest.shift() : undefined;
    const entries = rest[0]?.tag === DerTag.Sequence ? readDerAll(rest[0].content) : [];
    this.issuerDer = issuer?.whole ?? Buffer.alloc(0);
    this.thisUpdateMs = thisUpdate === undefined ? 0 : timeOf(thisUpdate);
    this.nextUpdateMs = nextUpdate === undefined ? 0 : timeOf(nextUpdate);
    this.#serials = new Set(entries.map((entry) => serialKey(readDer(entry.content)?.content)));
    this.#signed = tbs?.whole ?? Buffer.alloc(0);
    const [oid] = readDerAll(algorithm?.content ?? Buffer.alloc(0));
    this.#algorithm = oid === undefined ? "" : oidText(oid.content);
    this.#signature = signature?.content.subarray(1) ?? Buffer.alloc(0);
    this.#hasUnknownCritical = hasCritical(rest.at(-1));
  }

  isCurrent(nowMs: number): boolean {
    return this.thisUpdateMs <= nowMs && (this.nextUpdateMs === 0 || nowMs <= this.nextUpdateMs);
  }

  isSignedBy(key: KeyObject): boolean {
    const digest = signatureDigests.get(this.#algorithm);
    if (digest === undefined || this.#hasUnknownCritical) return false;
    try {
      return verify(digest, this.#signed, key, this.#signature);
    } catch {
      // A key of another kind than the signature's.
      return false;
    }
  }

  has(serial: Buffer): boolean {
    return this.#serials.has(serialKey(serial));
  }
}

function serialKey(content: Buffer | undefined): string {
  return content === undefined ? "" : content.toString("latin1");
}

const CRL_EXTENSIONS = 0xa0;

/** Deltas and lists for some certificates only are marked critical, and say less than all. */
function hasCritical(element: DerElement | undefined): boolean {
  if (element?.tag !== CRL_EXTENSIONS) return false;
  const extensions = readDerAll(readDer(element.content)?.content ?? Buffer.alloc(0));
  return extensions.some((one) =>
    readDerAll(one.content).some((part) => part.tag === DerTag.Boolean && part.content[0] !== 0),
  );
}

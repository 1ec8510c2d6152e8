// TLS of one connection for logs, headers and guests: what the handshake agreed on with what was
// thought of the peer. Made once a connection is secured, outlives it.
import type { X509Certificate } from "node:crypto";
import type { CertificateInfo, TlsInfo } from "../core/tls-info.ts";
import type { TlsSession } from "../engine/tls.ts";
import { certificateInfoOf } from "./certificate-info.ts";
import type { PeerValidator } from "./peer-validation.ts";
import { sentCertificates } from "./trust-store.ts";

/**
 * `validator` null: nobody looked at the peer. `nowMs` is the time of the handshake. To ask the
 * session for the certificate that we presented costs a tenth of a handshake: null = not known.
 */
export function tlsInfoOf(
  session: TlsSession,
  validator: PeerValidator | null,
  isPeerValidated: boolean,
  nowMs: number,
  presented: X509Certificate | null = null,
): TlsInfo {
  return new SessionInfo(session, validator, isPeerValidated, nowMs, presented);
}

class SessionInfo implements TlsInfo {
  readonly version: string;
  readonly cipher: string;
  readonly group: string;
  readonly serverName: string;
  readonly alpn: string;
  readonly sessionId: string;
  readonly isResumed: boolean;
  readonly isPeerValidated: boolean;
  readonly #localCertificate: X509Certificate | null;
  readonly #peerCertificate: X509Certificate | null;
  readonly #validator: PeerValidator | null;
  readonly #nowMs: number;
  #local: CertificateInfo | null = null;
  #peerChain: readonly CertificateInfo[] | null = null;
  #peerIssuer: CertificateInfo | null | undefined;

  constructor(
    session: TlsSession,
    validator: PeerValidator | null,
    isPeerValidated: boolean,
    nowMs: number,
    presented: X509Certificate | null,
  ) {
    this.version = session.version;
    this.cipher = session.cipher;
    this.group = session.group;
    this.serverName = session.serverName;
    this.alpn = session.protocol;
    // Sessions of TLS 1.3 have tickets only; what OpenSSL calls an id there nobody ever sent.
    this.sessionId = session.version === "TLSv1.3" ? "" : session.sessionId;
    this.isResumed = session.isResumed;
    this.isPeerValidated = isPeerValidated;
    // Asked for now: the session is gone when the connection is closed, and logs come later.
    this.#localCertificate = presented ?? session.localCertificate;
    this.#peerCertificate = session.peerCertificate;
    this.#validator = validator;
    this.#nowMs = nowMs;
    this.#peerIssuer = undefined;
  }

  get isPeerPresented(): boolean {
    return this.#peerCertificate !== null;
  }

  get local(): CertificateInfo | null {
    if (this.#localCertificate === null) return null;
    this.#local ??= certificateInfoOf(this.#localCertificate);
    return this.#local;
  }

  get peer(): CertificateInfo | null {
    return this.peerChain[0] ?? null;
  }

  get peerChain(): readonly CertificateInfo[] {
    if (this.#peerChain === null) {
      const peer = this.#peerCertificate;
      this.#peerChain = peer === null ? [] : sentCertificates(peer).map((one) => one.details);
    }
    return this.#peerChain;
  }

  /** A resumed session was not verified anew, so nobody vouched for it: as Envoy says it. */
  get peerIssuer(): CertificateInfo | null {
    if (this.#peerIssuer === undefined) {
      const peer = this.#peerCertificate;
      const isKnown = peer !== null && this.isPeerValidated && !this.isResumed;
      this.#peerIssuer = isKnown ? (this.#validator?.issuerOf(peer, this.#nowMs) ?? null) : null;
    }
    return this.#peerIssuer;
  }
}

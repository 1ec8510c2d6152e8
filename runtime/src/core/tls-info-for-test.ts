// TLS facts for tests that need a connection with TLS but no handshake.
import type { CertificateInfo, TlsInfo } from "./tls-info.ts";

/** A connection without certificates, as changed by `facts`. */
export function tlsInfoForTest(facts: Partial<TlsInfo> = {}): TlsInfo {
  return {
    version: "TLSv1.3",
    cipher: "TLS_AES_128_GCM_SHA256",
    group: "X25519",
    serverName: "",
    alpn: "",
    sessionId: "",
    isResumed: false,
    isPeerPresented: facts.peer !== undefined && facts.peer !== null,
    isPeerValidated: false,
    local: null,
    peer: null,
    peerChain: facts.peer === undefined || facts.peer === null ? [] : [facts.peer],
    peerIssuer: null,
    ...facts,
  };
}

/** A certificate of nobody, as changed by `facts`. */
export function certificateInfoForTest(facts: Partial<CertificateInfo> = {}): CertificateInfo {
  return {
    subject: "",
    issuer: "",
    serial: "01",
    sha256: "",
    sha1: "",
    dnsNames: [],
    uris: [],
    ipAddresses: [],
    emails: [],
    otherNames: [],
    notBeforeMs: 0,
    notAfterMs: 0,
    pem: "",
    ...facts,
  };
}

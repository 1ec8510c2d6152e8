// Stats of TLS, named as Envoy's `listener.<address>.ssl.` and `cluster.<name>.ssl.`. One object a
// listener or cluster and worker.
import type { TlsFailure, TlsSession } from "../engine/tls.ts";
import type { Counter, StatsStore } from "../stats/store.ts";

/** What was wrong with the peer's certificate; the names are those of the stats. */
export type VerifyFailure =
  | "fail_verify_no_cert"
  | "fail_verify_error"
  | "fail_verify_san"
  | "fail_verify_cert_hash";

export class TlsStats {
  readonly handshake: Counter;
  readonly connectionError: Counter;
  readonly sessionReused: Counter;
  readonly noCertificate: Counter;
  readonly failVerifyNoCert: Counter;
  readonly failVerifyError: Counter;
  readonly failVerifySan: Counter;
  readonly failVerifyCertHash: Counter;
  readonly ocspStapleFailed: Counter;
  readonly ocspStapleOmitted: Counter;
  readonly ocspStapleResponses: Counter;
  readonly ocspStapleRequests: Counter;
  readonly #store: StatsStore;
  readonly #scope: string;
  /** Ciphers, versions and groups; there are only as many as OpenSSL knows. */
  readonly #seen: Map<string, Counter>;

  /** `scope` ends in a dot: "listener.127.0.0.1_443.". */
  constructor(store: StatsStore, scope: string) {
    const ssl = `${scope}ssl.`;
    this.handshake = store.counter(`${ssl}handshake`);
    this.connectionError = store.counter(`${ssl}connection_error`);
    this.sessionReused = store.counter(`${ssl}session_reused`);
    this.noCertificate = store.counter(`${ssl}no_certificate`);
    this.failVerifyNoCert = store.counter(`${ssl}fail_verify_no_cert`);
    this.failVerifyError = store.counter(`${ssl}fail_verify_error`);
    this.failVerifySan = store.counter(`${ssl}fail_verify_san`);
    this.failVerifyCertHash = store.counter(`${ssl}fail_verify_cert_hash`);
    this.ocspStapleFailed = store.counter(`${ssl}ocsp_staple_failed`);
    this.ocspStapleOmitted = store.counter(`${ssl}ocsp_staple_omitted`);
    this.ocspStapleResponses = store.counter(`${ssl}ocsp_staple_responses`);
    this.ocspStapleRequests = store.counter(`${ssl}ocsp_staple_requests`);
    this.#store = store;
    this.#scope = ssl;
    this.#seen = new Map();
  }

  /** Counts a handshake that both sides have finished, whatever is thought of the peer then. */
  onHandshake(session: TlsSession): void {
    this.handshake.inc();
    if (session.isResumed) this.sessionReused.inc();
    if (session.peerCertificate === null) this.noCertificate.inc();
    this.#count("ciphers", session.cipher);
    this.#count("versions", session.version);
    if (session.group !== "") this.#count("curves", session.group);
  }

  /** A handshake that came to no end; who leaves without a word is not counted. */
  onFailure({ kind, code }: TlsFailure): void {
    if (kind !== "tls") return;
    if (code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE") this.failVerifyNoCert.inc();
    else this.connectionError.inc();
  }

  onVerifyFailure(failure: VerifyFailure): void {
    if (failure === "fail_verify_no_cert") this.failVerifyNoCert.inc();
    else if (failure === "fail_verify_error") this.failVerifyError.inc();
    else if (failure === "fail_verify_san") this.failVerifySan.inc();
    else this.failVerifyCertHash.inc();
  }

  #count(kind: string, what: string): void {
    const key = `${kind}.${what}`;
    let counter = this.#seen.get(key);
    if (counter === undefined) {
      counter = this.#store.counter(`${this.#scope}${key}`);
      this.#seen.set(key, counter);
    }
    counter.inc();
  }
}

/**
 * Of who makes contexts: `server_ssl_socket_factory.` of listeners, `client_...` of clusters. How
 * often secrets came is counted once, in the main thread.
 */
export class TlsFactoryStats {
  readonly downstreamNotReady: Counter;
  readonly upstreamNotReady: Counter;

  /** `scope` ends in a dot: "listener.127.0.0.1_443.server_ssl_socket_factory.". */
  constructor(store: StatsStore, scope: string) {
    this.downstreamNotReady = store.counter(`${scope}downstream_context_secrets_not_ready`);
    this.upstreamNotReady = store.counter(`${scope}upstream_context_secrets_not_ready`);
  }
}

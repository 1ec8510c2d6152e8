// TLS on a connection: what a handshake is started with, and what it ends in. Part of the contract
// in network-engine.ts; the room tls/ fills it in from the configuration.
import type { X509Certificate } from "node:crypto";
import type { SecureContext } from "node:tls";
import type { IoEvents } from "./network-engine.ts";

/** What both sides of a handshake may set. */
interface TlsStartBase {
  /**
   * Versions, ciphers, trusted authorities; certificates, of which the peer gets the one whose key
   * it can use.
   */
  readonly context: SecureContext;
  /**
   * ALPN, in order of preference; empty = none. A server refuses clients that offer only others (a
   * client that offers nothing is served).
   */
  readonly protocols: readonly string[];
  /** Each line of the key log (SSLKEYLOGFILE), with its line end; null = no log. */
  readonly onKeyLog: ((line: Buffer) => void) | null;
}

/** We are the server. The functions are called in the handshake and must answer at once. */
export interface TlsServerStart extends TlsStartBase {
  readonly side: "server";
  /**
   * The context whose certificate a client gets, by its SNI (as it came; "" = none): one with one
   * certificate. Null = those of `context`. Null in place of the function: nobody asks.
   */
  readonly chooseContext: ((serverName: string) => SecureContext | null) | null;
  /**
   * A certificate that is asked for may be missing; one that is required may not. Nobody looks at
   * what is in it: that is for who gets onSecured.
   */
  readonly clientCertificate: "none" | "requested" | "required";
  /**
   * DER of the OCSP response that a client that asks for one gets, by its context; null = none,
   * "refuse" ends the handshake. Null in place of the function: there are none.
   */
  readonly staple: ((context: SecureContext) => Buffer | "refuse" | null) | null;
  /** The same for all connections of a context, and of those that take its place. */
  readonly ticketKeys: TicketKeys;
  /** Sessions of TLS 1.2 by their id, for clients without tickets; null = none are kept. */
  readonly sessions: TlsSessionStore | null;
}

/** We are the client. The peer's certificate is not judged here but by who gets onSecured. */
export interface TlsClientStart extends TlsStartBase {
  readonly side: "client";
  /** SNI; "" = none is sent. */
  readonly serverName: string;
  /** To resume, as it came by `onSession`; null = a new one. A server may refuse it. */
  readonly session: Buffer | null;
  /** Sessions that the server gave; they may come at any time after the handshake. */
  readonly onSession: ((session: Buffer) => void) | null;
}

/** Asked for each ticket that is made or read: the keys may change at any time. */
export interface TicketKeys {
  /** All of them read tickets, the first one makes them; never empty. */
  readonly keys: readonly TicketKey[];
}

export interface TicketKey {
  /** 16 bytes. */
  readonly name: Buffer;
  /** For HMAC-SHA-256. */
  readonly sign: Buffer;
  /** 16 bytes, for AES-128. */
  readonly encrypt: Buffer;
}

export type TlsStart = TlsServerStart | TlsClientStart;

export interface TlsSessionStore {
  put(id: Buffer, session: Buffer): void;
  /** Null = not known (any more). */
  get(id: Buffer): Buffer | null;
}

/**
 * What a handshake agreed on. Computed when it is asked for, up to the turn of onClose; what was
 * not asked for until then is "", false or null.
 */
export interface TlsSession {
  /** "TLSv1.3". */
  readonly version: string;
  /** OpenSSL's name: "TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256". */
  readonly cipher: string;
  /** The group of the key exchange, "X25519"; "" = not known, or there was none. */
  readonly group: string;
  /** SNI; "" = none. */
  readonly serverName: string;
  /** ALPN; "" = none. */
  readonly protocol: string;
  readonly isResumed: boolean;
  /**
   * OpenSSL's name for what is wrong with the peer's certificate seen from the context's trusted
   * authorities ("UNABLE_TO_GET_ISSUER_CERT_LOCALLY"); "" = nothing, or there is none.
   */
  readonly verifyError: string;
  /** Lower-case hex; "" = none. */
  readonly sessionId: string;
  /** The peer's own certificate, its `issuerCertificate` the next of its chain; null = none. */
  readonly peerCertificate: X509Certificate | null;
  /** What we presented; null = none. */
  readonly localCertificate: X509Certificate | null;
}

/** Why there is no session. */
export interface TlsFailure {
  /**
   * "tls": one side refused the other's words. "closed": the peer has left (FIN). "reset": the
   * connection broke.
   */
  readonly kind: "tls" | "closed" | "reset";
  /** OpenSSL's code, "ERR_SSL_WRONG_VERSION_NUMBER"; a system error's name; "" with "closed". */
  readonly code: string;
  /** OpenSSL's words, "wrong version number"; "" when there are none. */
  readonly reason: string;
}

/**
 * Receives the events of a connection whose handshake is under way. First comes onSecured or
 * onHandshakeFailed; onConnect never does.
 */
export interface TlsEvents extends IoEvents {
  /** From now on the connection is as any other; setEvents() may give it another receiver. */
  onSecured(session: TlsSession): void;
  /** The connection is closed, an alert was sent where there is one for it; no event follows. */
  onHandshakeFailed(failure: TlsFailure): void;
}

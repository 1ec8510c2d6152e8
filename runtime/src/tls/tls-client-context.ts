// TLS to the hosts of a cluster, in one worker: the context with its certificate and trust, made
// anew when a secret changes, and the sessions that may be resumed. Made by upstream/ for each
// transport socket.
import { constants } from "node:crypto";
import type { X509Certificate } from "node:crypto";
import type { SecureContext } from "node:tls";
import type {
  TlsCertificateConfig,
  TlsValidationConfig,
  UpstreamTlsConfig,
} from "../config/tls-config.ts";
import type { TlsInfo } from "../core/tls-info.ts";
import type { IoHandle } from "../engine/network-engine.ts";
import type { TlsClientStart, TlsFailure, TlsSession } from "../engine/tls.ts";
import { failureReasonOf, reasonText } from "./failure-reason.ts";
import { KeyLog, type KeyLogSink } from "./key-log.ts";
import { PeerValidator } from "./peer-validation.ts";
import { makeSecureContext } from "./secure-context.ts";
import type { SecretSlot, SecretSlots } from "./secret-slots.ts";
import { tlsInfoOf } from "./session-info.ts";
import type { TlsFactoryStats, TlsStats } from "./tls-stats.ts";

/** What one connection wants. */
export interface TlsWish {
  /** SNI of the request; "" = as configured. */
  readonly serverName: string;
  /** Names of which the certificate must have one; [] = as configured. */
  readonly verifyNames: readonly string[];
  /** The endpoint's name, for auto_host_sni; "" = none. */
  readonly hostname: string;
  /** Offered when the configuration names no ALPN; [] = none. */
  readonly protocols: readonly string[];
}

export interface TlsClientOptions {
  readonly secrets: SecretSlots;
  readonly stats: TlsStats;
  readonly factoryStats: TlsFactoryStats;
  /** Milliseconds since 1970. */
  readonly epochMs: () => number;
  /** The file of a key log, which can be opened; null = none is written. */
  readonly openKeyLog: ((path: string) => KeyLogSink) | null;
  /** What is there does not work; what worked before stays in use. */
  readonly warn: (text: string) => void;
}

/** Who speaks to whom, for the key log. */
export type ConnectionEnds = Pick<IoHandle, "localAddress" | "remoteAddress">;

/** A session that a server gave, with what was thought of the server then. */
interface KeptSession {
  /** For whom it is: SNI, and the names that were verified. */
  readonly key: string;
  readonly session: Buffer;
  /** Node knows no certificate of a server whose session is resumed. */
  readonly peer: X509Certificate | null;
  readonly isValidated: boolean;
  /** Of TLS 1.3: two connections with one ticket could be told to be of one client. */
  readonly isSingleUse: boolean;
}

export class TlsClientContext {
  readonly #config: UpstreamTlsConfig;
  readonly #stats: TlsStats;
  readonly #factoryStats: TlsFactoryStats;
  readonly #epochMs: () => number;
  readonly #certificates: readonly SecretSlot<TlsCertificateConfig>[];
  readonly #validation: SecretSlot<TlsValidationConfig> | null;
  readonly #openKeyLog: ((path: string) => KeyLogSink) | null;
  readonly #warn: (text: string) => void;
  #keyLog: KeyLog | null = null;
  /** Those that `current` was made of; null = it was not made yet. */
  #revisions: string | null = null;
  /** Null while a secret is missing, or when OpenSSL has refused all that came. */
  #current: Made | null = null;
  #refusal: string = "";

  constructor(config: UpstreamTlsConfig, options: TlsClientOptions) {
    const { certificates, validation } = config.context;
    const { secrets } = options;
    this.#config = config;
    this.#stats = options.stats;
    this.#factoryStats = options.factoryStats;
    this.#epochMs = options.epochMs;
    this.#openKeyLog = options.openKeyLog;
    this.#warn = options.warn;
    this.#certificates = certificates.map((source) => secrets.certificate(source));
    this.#validation = validation === null ? null : secrets.validation(validation);
  }

  /** Why connect() has answered null: Envoy's words, where it has some. */
  get whyNot(): string {
    const refusal = this.#refusal;
    return refusal === "" ? "TLS error: Secret is not supplied by SDS" : `TLS error: ${refusal}`;
  }

  /**
   * For a connection that stands. Null while a secret that it needs has not come, or when what came
   * cannot be used.
   */
  connect(wish: TlsWish, io: ConnectionEnds): TlsClientConnection | null {
    const made = this.#made();
    if (made !== null) {
      const onKeyLog = this.#keyLogFor(io);
      const deps = { made, stats: this.#stats, epochMs: this.#epochMs, onKeyLog };
      return new TlsClientConnection(this.#config, deps, wish);
    }
    if (this.#refusal === "") this.#factoryStats.upstreamNotReady.inc();
    else this.#stats.connectionError.inc();
    return null;
  }

  #keyLogFor(io: ConnectionEnds): ((line: Buffer) => void) | null {
    const { keyLog } = this.#config.context;
    if (keyLog === null || this.#openKeyLog === null) return null;
    this.#keyLog ??= new KeyLog(keyLog, this.#openKeyLog(keyLog.path));
    return this.#keyLog.writerFor(io.localAddress.address, io.remoteAddress.address);
  }

  #made(): Made | null {
    const slots =
      this.#validation === null ? this.#certificates : [...this.#certificates, this.#validation];
    const revisions = slots.map(({ revision }) => revision).join();
    if (revisions === this.#revisions) return this.#current;
    this.#revisions = revisions;
    try {
      this.#current = this.#make();
      this.#refusal = "";
    } catch (error) {
      // Main has looked at each part, so this is something that only OpenSSL knows.
      this.#refusal = (error as Error).message;
      this.#warn(`its TLS cannot be used: ${this.#refusal}`);
    }
    return this.#current;
  }

  #make(): Made | null {
    const certificates: TlsCertificateConfig[] = [];
    for (const { value } of this.#certificates) {
      if (value === null) return null;
      certificates.push(value);
    }
    const validation = this.#validation?.value ?? null;
    if (this.#validation !== null && validation === null) return null;
    const more = { secureOptions: constants.SSL_OP_NO_RENEGOTIATION };
    const context = makeSecureContext(this.#config.context, certificates, validation, more);
    return new Made(context, validation, this.#config);
  }
}

/** A context with the validator and the sessions that belong to it. */
class Made {
  readonly context: SecureContext;
  /** Null = nobody looks at the server's certificate. */
  readonly validator: PeerValidator | null;
  readonly #sessionsMax: number;
  /** The newest first. */
  readonly #sessions: KeptSession[];

  constructor(
    context: SecureContext,
    validation: TlsValidationConfig | null,
    config: UpstreamTlsConfig,
  ) {
    const validator = validation === null ? null : new PeerValidator(validation, "server");
    this.context = context;
    this.validator = validator;
    this.#sessionsMax = validator?.needsWholeChain === true ? 0 : config.sessionKeysMax;
    this.#sessions = [];
  }

  keep(session: KeptSession): void {
    if (this.#sessionsMax === 0) return;
    this.#sessions.unshift(session);
    if (this.#sessions.length > this.#sessionsMax) this.#sessions.length = this.#sessionsMax;
  }

  /** The newest; null = none. */
  takeSession(key: string): KeptSession | null {
    const at = this.#sessions.findIndex((kept) => kept.key === key);
    const kept = this.#sessions[at];
    if (kept === undefined) return null;
    if (kept.isSingleUse) this.#sessions.splice(at, 1);
    return kept;
  }
}

interface ConnectionDeps {
  readonly made: Made;
  readonly stats: TlsStats;
  readonly epochMs: () => number;
  readonly onKeyLog: TlsClientStart["onKeyLog"];
}

/** One connection, from its begin to what is thought of the upstream. */
export class TlsClientConnection {
  readonly start: TlsClientStart;
  readonly #made: Made;
  readonly #stats: TlsStats;
  readonly #epochMs: () => number;
  readonly #serverName: string;
  readonly #verifyNames: readonly string[];
  readonly #verifiesSni: boolean;
  readonly #sessionKey: string;
  readonly #offered: KeptSession | null;
  /** Null = the upstream was not accepted, or not yet. */
  #info: TlsInfo | null = null;
  #peer: X509Certificate | null = null;
  /** Came before the upstream was accepted. */
  #early: Buffer | null = null;

  constructor(
    config: UpstreamTlsConfig,
    { made, stats, epochMs, onKeyLog }: ConnectionDeps,
    wish: TlsWish,
  ) {
    const { alpnProtocols } = config.context;
    this.#made = made;
    this.#stats = stats;
    this.#epochMs = epochMs;
    this.#serverName = serverNameOf(config, wish);
    this.#verifyNames = wish.verifyNames;
    this.#verifiesSni = config.autoSniSanValidation;
    this.#sessionKey = `${this.#serverName} ${wish.verifyNames.join()}`;
    this.#offered = made.takeSession(this.#sessionKey);
    this.start = {
      side: "client",
      context: made.context,
      serverName: this.#serverName,
      protocols: alpnProtocols.length > 0 ? alpnProtocols : wish.protocols,
      session: this.#offered?.session ?? null,
      onSession: config.sessionKeysMax === 0 ? null : (session) => this.#keep(session),
      onKeyLog,
    };
  }

  /** The handshake has ended. Text = the upstream is not who it should be, in Envoy's words. */
  judge(session: TlsSession): TlsInfo | string {
    const offered = this.#offered;
    const nowMs = this.#epochMs();
    if (session.isResumed && offered !== null) {
      // It was judged when the session began; as in Envoy, not once more.
      const whole = { ...factsOf(session), peerCertificate: offered.peer };
      return this.#accept(whole, offered.isValidated, nowMs);
    }
    const { validator } = this.#made;
    if (validator === null) {
      // As Envoy: without an authority no name is believed.
      return this.#verifyNames.length > 0 ? unverified : this.#accept(session, false, nowMs);
    }
    if (session.peerCertificate === null) {
      this.#stats.onVerifyFailure("fail_verify_no_cert");
      return withoutCertificate;
    }
    const sniToMatch = this.#verifiesSni ? this.#serverName : "";
    const names = { sniToMatch, sanList: this.#verifyNames };
    const verdict = validator.judge(session, nowMs, names);
    if (verdict.failure !== null) this.#stats.onVerifyFailure(verdict.failure);
    return verdict.isAccepted ? this.#accept(session, verdict.isValidated, nowMs) : verdict.reason;
  }

  /** There is no session: why, in Envoy's words; "" = it has none for that. */
  failed(failure: TlsFailure): string {
    if (failure.kind === "tls") this.#stats.connectionError.inc();
    return failureReasonOf(failure);
  }

  #accept(session: TlsSession, isValidated: boolean, nowMs: number): TlsInfo {
    this.#peer = session.peerCertificate;
    this.#info = tlsInfoOf(session, this.#made.validator, isValidated, nowMs);
    this.#stats.onHandshake(session);
    if (this.#early !== null) this.#keep(this.#early);
    return this.#info;
  }

  #keep(session: Buffer): void {
    const info = this.#info;
    if (info === null) {
      this.#early = session;
      return;
    }
    this.#made.keep({
      key: this.#sessionKey,
      session,
      peer: this.#peer,
      isValidated: info.isPeerValidated,
      isSingleUse: info.version === "TLSv1.3",
    });
  }
}

const unverified = reasonText("CERTIFICATE_VERIFY_FAILED", "");
const withoutCertificate = reasonText(
  "CERTIFICATE_VERIFY_FAILED",
  "verify cert failed: empty cert chain",
);

/** Of a session, whose fields may be computed. */
function factsOf(session: TlsSession): TlsSession {
  const { version, cipher, group, serverName, protocol, isResumed } = session;
  const { verifyError, sessionId, peerCertificate, localCertificate } = session;
  const known = { version, cipher, group, serverName, protocol, isResumed };
  return { ...known, verifyError, sessionId, peerCertificate, localCertificate };
}

function serverNameOf(config: UpstreamTlsConfig, wish: TlsWish): string {
  if (wish.serverName !== "") return wish.serverName;
  return config.autoHostSni && wish.hostname !== "" ? wish.hostname : config.sni;
}

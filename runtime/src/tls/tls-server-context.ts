// TLS of one filter chain in one worker: makes the contexts of its certificates, and makes them
// anew when a secret has changed; says how each handshake starts and what is thought of the client.
// Made by server/, used by network/.
import { constants, createHash, X509Certificate } from "node:crypto";
import type { SecureContext, SecureContextOptions } from "node:tls";
import type {
  DownstreamTlsConfig,
  TlsCertificateConfig,
  TlsValidationConfig,
} from "../config/tls-config.ts";
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { TlsServerStart, TlsSession } from "../engine/tls.ts";
import { CertificateChoice } from "./certificate-choice.ts";
import type { CertificateSet } from "./certificate-choice.ts";
import type { KeyLog } from "./key-log.ts";
import { PeerValidator } from "./peer-validation.ts";
import type { PeerVerdict } from "./peer-validation.ts";
import { makeSecureContext } from "./secure-context.ts";
import type { SecretSlot, SecretSlots } from "./secret-slots.ts";
import { SessionCache } from "./session-cache.ts";
import { TicketKeyRing } from "./ticket-keys.ts";
import type { TlsFactoryStats, TlsStats } from "./tls-stats.ts";

export interface TlsServerDeps {
  readonly secrets: SecretSlots;
  readonly stats: TlsStats;
  readonly factoryStats: TlsFactoryStats;
  /** The same in all workers; for chains that configure none. */
  readonly processTicketKeys: TicketKeyRing;
  readonly keyLog: KeyLog | null;
  readonly nowMs: () => number;
  /** A secret that came later does not work; the one before stays in use. */
  readonly warn: (text: string) => void;
  /** Protocols that nothing behind the handshake serves: they are not offered by ALPN. */
  readonly unservedProtocols: readonly string[];
}

/** What of a ClientHello makes a difference here. */
export interface HelloParts {
  /** Lower-case; "" = none. */
  readonly serverName: string;
  readonly applicationProtocols: readonly string[];
}

const accepted: PeerVerdict = { isAccepted: true, isValidated: false, failure: null, reason: "" };

export class TlsServerContext {
  readonly stats: TlsStats;
  /** Milliseconds; 0 = for ever. */
  readonly handshakeTimeoutMs: number;
  readonly #config: DownstreamTlsConfig;
  readonly #deps: TlsServerDeps;
  readonly #certificates: readonly SecretSlot<TlsCertificateConfig>[];
  readonly #validation: SecretSlot<TlsValidationConfig> | null;
  readonly #ticketKeys: SecretSlot<readonly Uint8Array[]> | null;
  readonly #protocols: readonly string[];
  readonly #sessions: SessionCache | null;
  /** Of the secrets that `#current` was made of. */
  #revisions: string = "";
  /** Null = a secret has not come yet. */
  #current: Contexts | null = null;

  /** Throws what is wrong with certificates and keys that are there. */
  constructor(config: DownstreamTlsConfig, deps: TlsServerDeps) {
    const { context, sessionTicketKeys } = config;
    this.stats = deps.stats;
    this.handshakeTimeoutMs = config.handshakeTimeoutMs;
    this.#config = config;
    this.#deps = deps;
    this.#certificates = context.certificates.map((source) => deps.secrets.certificate(source));
    this.#validation =
      context.validation === null ? null : deps.secrets.validation(context.validation);
    this.#ticketKeys =
      sessionTicketKeys === null ? null : deps.secrets.ticketKeys(sessionTicketKeys);
    this.#protocols = context.alpnProtocols.filter((one) => !deps.unservedProtocols.includes(one));
    const keepsSessions = config.areSessionTicketsOff && !config.isStatefulResumptionOff;
    this.#sessions = keepsSessions ? new SessionCache(config.sessionTimeoutMs, deps.nowMs) : null;
    this.#make();
  }

  /**
   * How to begin with a connection; null = a secret is missing, it must be closed. What is known of
   * the ClientHello, be it by a listener filter, is made use of: without it the name is asked for
   * in the handshake, and who offers none of our protocols is refused.
   */
  start(info: ConnectionInfo, hello: HelloParts | null = null): TlsServerStart | null {
    const serverName = hello?.serverName ?? info.requestedServerName;
    const inspected = info.transportProtocol === "tls" ? info.applicationProtocols : [];
    const offers = hello?.applicationProtocols ?? inspected;
    if (this.#revisions !== this.#revisionsNow()) this.#remake();
    const contexts = this.#current;
    if (contexts === null) {
      this.#deps.factoryStats.downstreamNotReady.inc();
      return null;
    }
    const mayAgree =
      offers.length === 0 || offers.some((protocol) => this.#protocols.includes(protocol));
    return {
      side: "server",
      context: contexts.contextFor(serverName),
      protocols: mayAgree ? this.#protocols : [],
      onKeyLog: this.#deps.keyLog?.writerFor(info.localIp, info.remoteIp) ?? null,
      chooseContext: serverName === "" ? contexts.chooseContext : null,
      clientCertificate: contexts.clientCertificate,
      staple: contexts.staple,
      ticketKeys: contexts.ticketKeys,
      sessions: contexts.mayResume ? this.#sessions : null,
    };
  }

  /**
   * The ClientHello says how to begin, and nobody has read it yet; of a connection for which
   * start() had an answer.
   */
  awaitsHello(info: ConnectionInfo): boolean {
    if (info.transportProtocol === "tls") return false;
    return this.#protocols.length > 0 || this.#current?.needsName === true;
  }

  /** What a client of `start` was given; null = that was decided in the handshake. */
  presented({ context, chooseContext }: TlsServerStart): X509Certificate | null {
    return chooseContext === null ? (this.#current?.presentedBy(context) ?? null) : null;
  }

  judge(session: TlsSession): PeerVerdict {
    return this.validator?.judge(session, this.#deps.nowMs()) ?? accepted;
  }

  /** Null = nobody looks at clients. */
  get validator(): PeerValidator | null {
    return this.#current?.validator ?? null;
  }

  #revisionsNow(): string {
    const certificates = this.#certificates.map(({ revision }) => revision).join(",");
    return `${certificates};${this.#validation?.revision};${this.#ticketKeys?.revision}`;
  }

  #make(): void {
    this.#revisions = this.#revisionsNow();
    const certificates = this.#certificates.map(({ value }) => value);
    const known = certificates.filter((one) => one !== null);
    const validation = this.#validation === null ? null : this.#validation.value;
    const keys = this.#ticketKeys === null ? null : this.#ticketKeys.value;
    const isComplete =
      known.length === certificates.length &&
      (this.#validation === null || validation !== null) &&
      (this.#ticketKeys === null || keys !== null);
    if (!isComplete || known.length === 0) return;
    this.#current = new Contexts(this.#config, known, validation, keys, this.#deps);
  }

  #remake(): void {
    try {
      this.#make();
    } catch (error) {
      // Main has looked at the secret, so this is something that only OpenSSL knows.
      this.#deps.warn(`a TLS secret cannot be used: ${(error as Error).message}`);
    }
  }
}

/** What is made of one set of secrets. */
class Contexts {
  readonly chooseContext: TlsServerStart["chooseContext"];
  readonly staple: TlsServerStart["staple"];
  readonly clientCertificate: TlsServerStart["clientCertificate"];
  readonly validator: PeerValidator | null;
  readonly mayResume: boolean;
  readonly ticketKeys: TicketKeyRing;
  readonly #config: DownstreamTlsConfig;
  readonly #deps: TlsServerDeps;
  readonly #certificates: readonly TlsCertificateConfig[];
  readonly #validation: TlsValidationConfig | null;
  readonly #choice: CertificateChoice;
  readonly #common: SecureContextOptions;
  /** One for each set that there is. */
  readonly #bySet: Map<string, SecureContext>;
  /** What a context may staple: its certificate, where it has no more than one. */
  readonly #onlyOf: Map<SecureContext, TlsCertificateConfig>;
  /** The same for logs. */
  readonly #presented: Map<SecureContext, X509Certificate>;

  constructor(
    config: DownstreamTlsConfig,
    certificates: readonly TlsCertificateConfig[],
    validation: TlsValidationConfig | null,
    ticketKeys: readonly Uint8Array[] | null,
    deps: TlsServerDeps,
  ) {
    this.#config = config;
    this.#deps = deps;
    this.#certificates = certificates;
    this.#validation = validation;
    this.#choice = new CertificateChoice(certificates, config.fullScanOnSniMismatch);
    this.validator = validation === null ? null : new PeerValidator(validation, "client");
    this.mayResume = this.validator?.needsWholeChain !== true;
    this.clientCertificate = clientCertificateOf(config, this.validator);
    this.ticketKeys =
      ticketKeys === null || ticketKeys.length === 0
        ? deps.processTicketKeys
        : new TicketKeyRing(ticketKeys);
    this.#common = {
      secureOptions: secureOptionsOf(config, this.mayResume),
      sessionIdContext: sessionContextOf(config, certificates, validation),
      sessionTimeout: Math.max(1, Math.floor(config.sessionTimeoutMs / 1000)),
    };
    this.#bySet = new Map();
    this.#onlyOf = new Map();
    this.#presented = new Map();
    // All of them now, so that what is wrong with one is known before the first client.
    for (const index of certificates.keys()) this.#contextOf([index]);
    for (const set of this.#choice.sets) this.#contextOf(this.#narrow(set));
    this.chooseContext =
      certificates.length === 1 ? null : (name): SecureContext | null => this.#choose(name);
    const staples = certificates.some((one) => one.ocspStaple !== null || one.isMustStaple);
    this.staple =
      staples || config.ocspStaplePolicy !== "lenient"
        ? (context): Buffer | "refuse" | null => this.#stapleFor(context)
        : null;
  }

  /** In the handshake it would be too late for a choice by the kind of key. */
  get needsName(): boolean {
    return this.#choice.hasKindsByName;
  }

  /** Null = one of several. */
  presentedBy(context: SecureContext): X509Certificate | null {
    return this.#presented.get(context) ?? null;
  }

  /** Its certificates are those that Envoy would choose from. */
  contextFor(serverName: string): SecureContext {
    return this.#contextOf(this.#setOf(serverName));
  }

  /** For a ClientHello that was not read; no more than one certificate can be given: the first. */
  #choose(name: string): SecureContext | null {
    const set = this.#setOf(name);
    const isSame = set.join() === this.#setOf("").join();
    return isSame ? null : this.#contextOf(set.slice(0, 1));
  }

  #setOf(serverName: string): CertificateSet {
    return this.#narrow(this.#choice.find(serverName));
  }

  #narrow(set: CertificateSet): CertificateSet {
    // Which of several OpenSSL takes is not known when it asks for a staple.
    const isStrict = this.#config.ocspStaplePolicy !== "lenient";
    const one = set.find((index) => {
      const certificate = this.#certificates[index];
      const hasStaple = (certificate?.ocspStaple ?? null) !== null;
      return hasStaple && (isStrict || certificate?.isMustStaple === true);
    });
    return one === undefined ? set : [one];
  }

  #contextOf(set: CertificateSet): SecureContext {
    const key = set.join();
    const known = this.#bySet.get(key);
    if (known !== undefined) return known;
    const certificates = set.map((index) => this.#certificates[index] as TlsCertificateConfig);
    const { context: config } = this.#config;
    const context = makeSecureContext(config, certificates, this.#validation, this.#common);
    this.#bySet.set(key, context);
    const [only] = certificates;
    if (only !== undefined && set.length === 1) {
      this.#onlyOf.set(context, only);
      this.#presented.set(context, new X509Certificate(only.chainPem));
    }
    return context;
  }

  /** Envoy's ocspStapleAction; only for clients that ask. */
  #stapleFor(context: SecureContext): Buffer | "refuse" | null {
    const { stats, nowMs } = this.#deps;
    stats.ocspStapleRequests.inc();
    const certificate = this.#onlyOf.get(context);
    const bytes = certificate?.ocspStaple ?? null;
    const expiresMs = certificate?.ocspExpiresMs ?? 0;
    if (bytes !== null && (expiresMs === 0 || expiresMs > nowMs())) {
      stats.ocspStapleResponses.inc();
      return Buffer.from(bytes);
    }
    const policy =
      certificate?.isMustStaple === true ? "must_staple" : this.#config.ocspStaplePolicy;
    if (policy === "must_staple" || (policy === "strict" && bytes !== null)) {
      stats.ocspStapleFailed.inc();
      return "refuse";
    }
    stats.ocspStapleOmitted.inc();
    return null;
  }
}

function clientCertificateOf(
  config: DownstreamTlsConfig,
  validator: PeerValidator | null,
): "none" | "requested" | "required" {
  // Who looks at nothing asks for nothing, as Envoy.
  return validator?.demandOnClients(config.requiresClientCertificate) ?? "none";
}

function secureOptionsOf(
  { context, prefersClientCiphers, areSessionTicketsOff }: DownstreamTlsConfig,
  mayResume: boolean,
): number {
  const { SSL_OP_CIPHER_SERVER_PREFERENCE, SSL_OP_NO_RENEGOTIATION, SSL_OP_NO_TICKET } = constants;
  let options = SSL_OP_NO_RENEGOTIATION;
  if (!prefersClientCiphers) options |= SSL_OP_CIPHER_SERVER_PREFERENCE;
  if (areSessionTicketsOff || !mayResume) options |= SSL_OP_NO_TICKET;
  if (context.prefersClientChaCha) options |= constants.SSL_OP_PRIORITIZE_CHACHA;
  return options;
}

/**
 * Sessions of another configuration are not resumed here: those who checked less, or showed another
 * certificate, must not speak for this one.
 */
function sessionContextOf(
  config: DownstreamTlsConfig,
  certificates: readonly TlsCertificateConfig[],
  validation: TlsValidationConfig | null,
): string {
  const what = [
    config.requiresClientCertificate,
    certificates.map(({ chainPem }) => chainPem),
    validation,
  ];
  return createHash("sha256").update(JSON.stringify(what)).digest("hex").slice(0, 32);
}

// The %COMMANDS% that tell of TLS and of certificates on both sides. Names and output as Envoy 1.40
// has them; over plain text none has a value.
import type { ConnectionInfo } from "../core/connection-info.ts";
import type { StreamInfo } from "../core/stream-info.ts";
import type { CertificateInfo, TlsInfo } from "../core/tls-info.ts";
import type { FormatContext, FormatOperator, FormatValue } from "./format-context.ts";
import { encodedPem } from "../core/encoded-pem.ts";
import { compileTimeFormat, isoTime } from "./time-format.ts";

type Factory = (args: string) => FormatOperator | string;

const NO_PARAMETERS = "does not take any parameters or length";

type TlsOf = (info: StreamInfo) => TlsInfo | null;

const downstream: TlsOf = (info) => info.connection?.tls ?? null;
const upstream: TlsOf = (info) => info.upstreamTls;

function textOrNull(text: string): FormatValue {
  return text === "" ? null : text;
}

function ofTls(tlsOf: TlsOf, read: (tls: TlsInfo) => FormatValue): Factory {
  const operator = (context: FormatContext): FormatValue => {
    const tls = context.info === null ? null : tlsOf(context.info);
    return tls === null ? null : read(tls);
  };
  return (args) => (args === "" ? operator : NO_PARAMETERS);
}

function ofConnection(read: (info: StreamInfo, c: ConnectionInfo) => FormatValue): Factory {
  const operator = ({ info }: FormatContext): FormatValue =>
    info === null || info.connection === null ? null : read(info, info.connection);
  return (args) => (args === "" ? operator : NO_PARAMETERS);
}

type Certificate = (tls: TlsInfo) => CertificateInfo | null;

const peer: Certificate = (tls) => tls.peer;
const local: Certificate = (tls) => tls.local;
const issuer: Certificate = (tls) => tls.peerIssuer;

function ofCertificate(
  tlsOf: TlsOf,
  certificateOf: Certificate,
  read: (certificate: CertificateInfo) => string,
): Factory {
  return ofTls(tlsOf, (tls) => {
    const certificate = certificateOf(tls);
    return certificate === null ? null : textOrNull(read(certificate));
  });
}

function ofChain(read: (certificate: CertificateInfo) => string): Factory {
  return ofTls(downstream, (tls) => textOrNull(tls.peerChain.map(read).join(",")));
}

/** A time with an optional format, %START_TIME%'s. */
function ofTime(tlsOf: TlsOf, read: (certificate: CertificateInfo) => number): Factory {
  return (args) => {
    const formatter = args === "" ? isoTime() : compileTimeFormat(args, false);
    return ({ info }) => {
      const certificate = info === null ? null : (tlsOf(info)?.peer ?? null);
      return certificate === null ? null : formatter(read(certificate));
    };
  };
}

const NAME_OPTIONS = ["SNI_ONLY", "SNI_FIRST", "HOST_FIRST"];
const HOST_OPTIONS = ["ORIG_OR_HOST", "HOST", "ORIG"];

function badOption(option: string, allowed: readonly string[]): string {
  return `has an invalid option '${option}', only '${allowed.join("'/'")}' are allowed`;
}

/** %REQUESTED_SERVER_NAME(SNI_ONLY|SNI_FIRST|HOST_FIRST:ORIG_OR_HOST|HOST|ORIG)%. */
const requestedServerName: Factory = (args) => {
  const [first = "", second = ""] = args.split(":");
  const option = first === "" ? "SNI_ONLY" : first;
  const source = second === "" ? "ORIG_OR_HOST" : second;
  if (!NAME_OPTIONS.includes(option)) return badOption(option, NAME_OPTIONS);
  if (!HOST_OPTIONS.includes(source)) return badOption(source, HOST_OPTIONS);
  const hostOf = ({ requestHeaders }: FormatContext): string => {
    if (requestHeaders === null) return "";
    const original = source === "HOST" ? undefined : requestHeaders.get("x-envoy-original-host");
    return original ?? (source === "ORIG" ? "" : (requestHeaders.authority ?? ""));
  };
  const sniOf = ({ info }: FormatContext): string =>
    printableName(info?.connection?.requestedServerName ?? "");
  if (option === "SNI_ONLY") return (context) => textOrNull(sniOf(context));
  if (option === "SNI_FIRST") return (context) => textOrNull(sniOf(context) || hostOf(context));
  return (context) => textOrNull(hostOf(context) || sniOf(context));
};

/** A client may ask for anything: what is no name is marked, and cannot break a log line. */
function printableName(name: string): string {
  if (/^[A-Za-z0-9._-]*$/.test(name)) return name;
  return `invalid:${name.replace(/[^A-Za-z0-9._-]/g, "_")}`;
}

/** Of a stream on a connection that was secured before it began: 0. */
function handshakeMs(info: StreamInfo, { tls, securedMs }: ConnectionInfo): FormatValue {
  return tls === null ? null : Math.max(0, Math.trunc(securedMs - info.startMs));
}

function sessionOperators(side: string, tlsOf: TlsOf): Record<string, Factory> {
  return {
    [`${side}_TLS_GROUP`]: ofTls(tlsOf, (tls) => textOrNull(tls.group)),
    [`${side}_TLS_CIPHER`]: ofTls(tlsOf, (tls) => textOrNull(tls.cipher)),
    [`${side}_TLS_VERSION`]: ofTls(tlsOf, (tls) => textOrNull(tls.version)),
    [`${side}_TLS_SESSION_ID`]: ofTls(tlsOf, (tls) => textOrNull(tls.sessionId)),
  };
}

const sanReaders: Readonly<Record<string, (certificate: CertificateInfo) => string>> = {
  URI_SAN: (c) => c.uris.join(","),
  DNS_SAN: (c) => c.dnsNames.join(","),
  IP_SAN: (c) => c.ipAddresses.join(","),
  EMAIL_SAN: (c) => c.emails.join(","),
  OTHERNAME_SAN: (c) => c.otherNames.map((one) => one.value).join(","),
};

/** `kinds`: those that Envoy has for this side. */
function sanOperators(
  side: string,
  tlsOf: TlsOf,
  certificateOf: Certificate,
  kinds: readonly string[],
): Record<string, Factory> {
  return Object.fromEntries(
    kinds.map((kind) => [
      `${side}_${kind}`,
      ofCertificate(tlsOf, certificateOf, sanReaders[kind] as (typeof sanReaders)[string]),
    ]),
  );
}

const allSans = Object.keys(sanReaders);
const fewSans = ["URI_SAN", "DNS_SAN", "IP_SAN"];

/** What Envoy has for the peers of both sides. */
function peerOperators(side: string, tlsOf: TlsOf): Record<string, Factory> {
  return {
    [`${side}_PEER_SUBJECT`]: ofCertificate(tlsOf, peer, (c) => c.subject),
    [`${side}_PEER_ISSUER`]: ofCertificate(tlsOf, peer, (c) => c.issuer),
    [`${side}_PEER_CERT`]: ofCertificate(tlsOf, peer, (c) => encodedPem(c.pem)),
    [`${side}_PEER_CERT_V_START`]: ofTime(tlsOf, (c) => c.notBeforeMs),
    [`${side}_PEER_CERT_V_END`]: ofTime(tlsOf, (c) => c.notAfterMs),
  };
}

export const tlsOperators: Readonly<Record<string, Factory>> = {
  ...sessionOperators("DOWNSTREAM", downstream),
  ...sessionOperators("UPSTREAM", upstream),
  ...peerOperators("DOWNSTREAM", downstream),
  ...peerOperators("UPSTREAM", upstream),
  ...sanOperators("DOWNSTREAM_PEER", downstream, peer, allSans),
  ...sanOperators("DOWNSTREAM_LOCAL", downstream, local, allSans),
  ...sanOperators("UPSTREAM_PEER", upstream, peer, fewSans),
  ...sanOperators("UPSTREAM_LOCAL", upstream, local, fewSans),
  DOWNSTREAM_PEER_SERIAL: ofCertificate(downstream, peer, (c) => c.serial),
  DOWNSTREAM_PEER_FINGERPRINT_1: ofCertificate(downstream, peer, (c) => c.sha1),
  DOWNSTREAM_PEER_FINGERPRINT_256: ofCertificate(downstream, peer, (c) => c.sha256),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_1: ofChain((c) => c.sha1),
  DOWNSTREAM_PEER_CHAIN_FINGERPRINTS_256: ofChain((c) => c.sha256),
  DOWNSTREAM_PEER_CHAIN_SERIALS: ofChain((c) => c.serial),
  DOWNSTREAM_PEER_ISSUER_FINGERPRINT_256: ofCertificate(downstream, issuer, (c) => c.sha256),
  DOWNSTREAM_PEER_ISSUER_SERIAL: ofCertificate(downstream, issuer, (c) => c.serial),
  DOWNSTREAM_LOCAL_SUBJECT: ofCertificate(downstream, local, (c) => c.subject),
  DOWNSTREAM_TRANSPORT_FAILURE_REASON: ofConnection((_info, connection) =>
    textOrNull(connection.transportFailureReason.replaceAll(" ", "_")),
  ),
  DOWNSTREAM_HANDSHAKE_DURATION: ofConnection(handshakeMs),
  REQUESTED_SERVER_NAME: requestedServerName,
  TLS_JA3_FINGERPRINT: ofConnection((_info, connection) => textOrNull(connection.ja3)),
  TLS_JA4_FINGERPRINT: ofConnection((_info, connection) => textOrNull(connection.ja4)),
  UPSTREAM_SERVER_NAME: ofTls(upstream, (tls) => textOrNull(tls.serverName)),
};

// Reads DownstreamTlsContext and UpstreamTlsContext, with the CommonTlsContext in both.
import type { ConfigNode } from "../config-node.ts";
import type {
  DownstreamTlsConfig,
  SecretSource,
  TlsCertificateConfig,
  TlsContextConfig,
  TlsKeyLogConfig,
  TlsValidationConfig,
  UpstreamTlsConfig,
} from "../tls-config.ts";
import { readLogPath } from "./access-log-reader.ts";
import {
  certificateKind,
  stapledCertificateKind,
  readOwnSecret,
  readSdsSecret,
  ticketKeysKind,
  validationKind,
} from "./secret-reader.ts";
import type { ReadableSecret } from "./secret-reader.ts";
import { readCidr } from "./string-reader.ts";
import { readTlsParameters } from "./tls-parameters-reader.ts";
import type { TlsSide } from "./tls-parameters-reader.ts";
import { durationOr, toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";

const SESSION_TIMEOUT_MS = 7_200_000;
const ALPN_BYTES_MAX = 255;
const HTTP2 = "h2";

const staplePolicies: Readonly<Record<string, DownstreamTlsConfig["ocspStaplePolicy"]>> = {
  LENIENT_STAPLING: "lenient",
  STRICT_STAPLING: "strict",
  MUST_STAPLE: "must_staple",
};

export interface DownstreamUse {
  /** Its bytes are HTTP for us, which is HTTP/1 only. */
  readonly isHttp: boolean;
  /** 0 = for ever. */
  readonly handshakeTimeoutMs: number;
}

/** Problems when it cannot be used. */
export function readDownstreamTls(
  t: Translation,
  node: ConfigNode,
  { isHttp, handshakeTimeoutMs }: DownstreamUse,
): DownstreamTlsConfig {
  const common = node.node("common_tls_context");
  const ocspStaplePolicy = staplePolicies[node.enum("ocsp_staple_policy")] ?? "lenient";
  const kind = ocspStaplePolicy === "must_staple" ? stapledCertificateKind : certificateKind;
  const context = readCommon(t, common, "downstream", isHttp, kind);
  if (context.certificates.length === 0 && !hasCertificates(common)) {
    // The words are Envoy's.
    t.wrong(node, "No TLS certificates found for server context", "common_tls_context");
  }
  if (context.validation !== null && !node.has("require_client_certificate")) {
    const message = "not set: clients are let in without a certificate, too";
    t.warn(node, message, "require_client_certificate");
  }
  if (context.validation === null && node.bool("require_client_certificate", false)) {
    const message = "has no effect without a validation context: nobody is asked, as in Envoy";
    t.warn(node, message, "require_client_certificate");
  }
  if (node.bool("require_sni", false)) {
    const message = "has no effect, as in Envoy: tls_inspector and server_names choose by SNI";
    t.warn(node, message, "require_sni");
  }
  return {
    context,
    requiresClientCertificate: node.bool("require_client_certificate", false),
    sessionTicketKeys: readTicketKeys(t, node),
    areSessionTicketsOff: node.bool("disable_stateless_session_resumption", false),
    isStatefulResumptionOff: node.bool("disable_stateful_session_resumption", false),
    sessionTimeoutMs: durationOr(node, "session_timeout", SESSION_TIMEOUT_MS),
    ocspStaplePolicy,
    fullScanOnSniMismatch: node.bool("full_scan_certs_on_sni_mismatch", false),
    prefersClientCiphers: node.bool("prefer_client_ciphers", false),
    handshakeTimeoutMs,
  };
}

export function readUpstreamTls(t: Translation, node: ConfigNode): UpstreamTlsConfig {
  const common = node.node("common_tls_context");
  const context = readCommon(t, common, "upstream", true, certificateKind);
  const autoSniSanValidation = node.bool("auto_sni_san_validation", false);
  if (autoSniSanValidation && common?.oneof("validation_context_type") === undefined) {
    // The words are Envoy's.
    const message = "'auto_sni_san_validation' was configured without a validation context";
    t.wrong(node, message, "auto_sni_san_validation");
  }
  if (node.bool("allow_renegotiation", false)) {
    // Nobody would look at the certificate that comes then.
    t.unsupported(node, "allow_renegotiation", "allow_renegotiation");
  }
  return {
    context,
    sni: toLatin1(node.string("sni", "")),
    autoHostSni: node.bool("auto_host_sni", false),
    autoSniSanValidation,
    sessionKeysMax: node.uint("max_session_keys", 1),
    enforcesRsaKeyUsage: node.bool("enforce_rsa_key_usage", true),
  };
}

/** `common` undefined: Envoy's defaults. */
function readCommon(
  t: Translation,
  common: ConfigNode | undefined,
  side: TlsSide,
  isHttp: boolean,
  kind: ReadableSecret<TlsCertificateConfig>,
): TlsContextConfig {
  const parameters = readTlsParameters(t, common?.node("tls_params"), side);
  if (common === undefined) {
    return { ...parameters, alpnProtocols: [], certificates: [], validation: null, keyLog: null };
  }
  refuseProviders(t, common);
  return {
    ...parameters,
    alpnProtocols: readAlpn(t, common, isHttp),
    certificates: readCertificates(t, common, side, kind),
    validation: readValidation(t, common),
    keyLog: readKeyLog(t, common),
  };
}

/** What Envoy takes from its extensions. */
const providers: Readonly<Record<string, string>> = {
  tls_certificate_provider_instance: "there would be no certificate",
  tls_certificate_certificate_provider: "there would be no certificate",
  tls_certificate_certificate_provider_instance: "there would be no certificate",
  validation_context_certificate_provider: "peers would not be checked",
  validation_context_certificate_provider_instance: "peers would not be checked",
  custom_tls_certificate_selector: "another certificate would be sent",
  custom_handshaker: "handshakes would be made in another way",
};

function refuseProviders(t: Translation, common: ConfigNode): void {
  for (const [field, why] of Object.entries(providers)) {
    if (!common.has(field)) continue;
    common.accept(field, "reported as a whole");
    t.guarded(common, field, why, field);
  }
}

function hasCertificates(common: ConfigNode | undefined): boolean {
  const fields = [
    "tls_certificates",
    "tls_certificate_sds_secret_configs",
    ...Object.keys(providers).filter((field) => field.includes("tls_certificate")),
  ];
  return common !== undefined && fields.some((field) => common.hasEffect(field));
}

function readCertificates(
  t: Translation,
  common: ConfigNode,
  side: TlsSide,
  kind: ReadableSecret<TlsCertificateConfig>,
): SecretSource<TlsCertificateConfig>[] {
  const own = common.nodes("tls_certificates");
  const named = common.nodes("tls_certificate_sds_secret_configs");
  if (own.length > 0 && named.length > 0) {
    const message = "SDS and non-SDS TLS certificates may not be mixed";
    t.wrong(common, message, "tls_certificate_sds_secret_configs");
  } else if (side === "upstream" && own.length + named.length > 1) {
    const field = own.length > 0 ? "tls_certificates" : "tls_certificate_sds_secret_configs";
    t.wrong(common, "Multiple TLS certificates are not supported for client contexts", field);
  }
  const sources = [
    ...own.map((node) => readOwnSecret(t, node, kind)),
    ...named.map((node) => readSdsSecret(t, node, kind)),
  ];
  return sources.filter((source) => source !== null);
}

function readValidation(
  t: Translation,
  common: ConfigNode,
): SecretSource<TlsValidationConfig> | null {
  const own = common.node("validation_context");
  if (own !== undefined) return readOwnSecret(t, own, validationKind);
  const named = common.node("validation_context_sds_secret_config");
  if (named !== undefined) return readSdsSecret(t, named, validationKind);
  const combined = common.node("combined_validation_context");
  const over = combined?.node("validation_context_sds_secret_config");
  const base = combined?.node("default_validation_context");
  for (const field of ["provider", "provider_instance"]) {
    const name = `validation_context_certificate_${field}`;
    if (combined?.has(name) !== true) continue;
    combined.accept(name, "reported as a whole");
    t.guarded(combined, name, "peers would not be checked", name);
  }
  // The field rules have refused one without the other.
  return over === undefined || base === undefined
    ? null
    : readSdsSecret(t, over, validationKind, base);
}

function readTicketKeys(
  t: Translation,
  node: ConfigNode,
): SecretSource<readonly Uint8Array[]> | null {
  const own = node.node("session_ticket_keys");
  if (own !== undefined) return readOwnSecret(t, own, ticketKeysKind);
  const named = node.node("session_ticket_keys_sds_secret_config");
  return named === undefined ? null : readSdsSecret(t, named, ticketKeysKind);
}

/** Envoy joins the list by commas and splits it there. */
function readAlpn(t: Translation, common: ConfigNode, isHttp: boolean): string[] {
  const field = "alpn_protocols";
  const names = common.strings(field).flatMap((text) => toLatin1(text).split(","));
  const protocols = names.filter((name) => name !== "");
  if (protocols.some((name) => name.length > ALPN_BYTES_MAX)) {
    t.wrong(common, `found a name of more than ${ALPN_BYTES_MAX} bytes`, field);
  }
  if (!isHttp || !protocols.includes(HTTP2)) return protocols;
  const others = protocols.filter((name) => name !== HTTP2);
  const message = "h2 is not offered, as HTTP/2 is not implemented by Headgate";
  if (others.length === 0) t.unsupported(common, "HTTP/2, the only protocol,", field);
  else t.warn(common, message, field);
  return others;
}

function readKeyLog(t: Translation, common: ConfigNode): TlsKeyLogConfig | null {
  const node = common.node("key_log");
  if (node === undefined) return null;
  return {
    path: readLogPath(t, node, "path"),
    localCidrs: readRanges(t, node, "local_address_range"),
    remoteCidrs: readRanges(t, node, "remote_address_range"),
  };
}

function readRanges(
  t: Translation,
  node: ConfigNode,
  field: string,
): TlsKeyLogConfig["localCidrs"] {
  const ranges = node.nodes(field).map((range) => readCidr(t, range));
  return ranges.length === 0 ? null : ranges.filter((range) => range !== null);
}

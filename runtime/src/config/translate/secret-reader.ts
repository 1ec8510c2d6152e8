// Reads where a TLS context's secrets come from: the context itself, the bootstrap's secrets, or a
// file of SDS. Those that may change get a key and are told to the translation.
import { createHash } from "node:crypto";
import type { ConfigNode } from "../config-node.ts";
import type {
  SecretSource,
  TlsCertificateConfig,
  TlsSecret,
  TlsValidationConfig,
} from "../tls-config.ts";
import { certificateOf, ticketKeysOf, validationOf } from "../tls-secret.ts";
import { readConfigSource, readWatchedDirectory } from "./config-source-reader.ts";
import { SecretParts } from "./secret-data.ts";
import type { SecretIdentity } from "./secret-data.ts";
import { secretFields } from "./secret-need.ts";
import type { SecretKind, SecretNeed, SecretRead } from "./secret-need.ts";
import { readTlsCertificate } from "./tls-certificate-reader.ts";
import { readTlsValidation } from "./tls-validation-reader.ts";
import type { Translation } from "./translation.ts";

/** Bytes of one key: a name of 16, and 32 each for HMAC and AES. */
const TICKET_KEY_BYTES = 80;

/** How a secret of one kind is read, and what its users get of it. */
export interface ReadableSecret<T> {
  readonly kind: SecretKind;
  /** What is asked of it beyond others of its kind; "" = nothing. */
  readonly demand: string;
  readonly read: (t: Translation, node: ConfigNode, identity: SecretIdentity) => SecretRead | null;
  readonly valueOf: (secret: TlsSecret) => T | null;
}

export const certificateKind: ReadableSecret<TlsCertificateConfig> = {
  kind: "certificate",
  demand: "",
  read: (t, node, identity) => {
    const parts = new SecretParts(t, identity, readWatchedDirectory(t, node));
    const certificate = readTlsCertificate(t, node, parts);
    return readOf(certificate === null ? null : { kind: "certificate", certificate }, parts);
  },
  valueOf: certificateOf,
};

/** ocsp_staple_policy: MUST_STAPLE. */
export const stapledCertificateKind: ReadableSecret<TlsCertificateConfig> = {
  ...certificateKind,
  demand: "stapled",
  read: (t, node, identity) => {
    const read = certificateKind.read(t, node, identity);
    const certificate = read === null ? null : certificateKind.valueOf(read.secret);
    if (certificate?.ocspStaple === null) {
      t.wrong(node, "not set: ocsp_staple_policy demands it", "ocsp_staple");
    }
    return read;
  },
};

export const validationKind: ReadableSecret<TlsValidationConfig> = {
  kind: "validation",
  demand: "",
  read: (t, node, identity) => {
    const parts = new SecretParts(t, identity, readWatchedDirectory(t, node));
    const validation = readTlsValidation(t, node, parts);
    return readOf(validation === null ? null : { kind: "validation", validation }, parts);
  },
  valueOf: validationOf,
};

export const ticketKeysKind: ReadableSecret<readonly Uint8Array[]> = {
  kind: "ticket_keys",
  demand: "",
  read: (t, node, identity) => {
    const parts = new SecretParts(t, identity, "");
    const keys = node.nodes("keys").map((key) => readTicketKey(t, key, parts));
    const good = keys.filter((key) => key !== null);
    return readOf(good.length < keys.length ? null : { kind: "ticket_keys", keys: good }, parts);
  },
  valueOf: ticketKeysOf,
};

function readOf(secret: TlsSecret | null, parts: SecretParts): SecretRead | null {
  return secret === null ? null : { secret, watched: parts.watched };
}

function readTicketKey(t: Translation, node: ConfigNode, parts: SecretParts): Buffer | null {
  const data = parts.readSource(node);
  if (data === null || data.bytes.length === TICKET_KEY_BYTES) return data?.bytes ?? null;
  t.wrong(node, `found ${data.bytes.length} bytes, expected ${TICKET_KEY_BYTES}`);
  return null;
}

/** What stands in the context. Null and problems when it cannot be used. */
export function readOwnSecret<T>(
  t: Translation,
  node: ConfigNode,
  kind: ReadableSecret<T>,
  name: string = "",
): SecretSource<T> | null {
  const identity = { name, isSds: false };
  const read = kind.read(t, node, identity);
  if (read === null) return null;
  if (read.watched.length > 0) {
    const key = `files ${kind.kind} ${kind.demand} ${name} ${digest(node)}`;
    const readAgain = (again: Translation): SecretRead | null => kind.read(again, node, identity);
    return addNeed(t, { key, kind: kind.kind, origin: { kind: "files", read: readAgain } });
  }
  const value = kind.valueOf(read.secret);
  return value === null ? null : { kind: "inline", value };
}

/**
 * A SdsSecretConfig: without sds_config a secret of the bootstrap. `base` is what the secret is
 * laid over: default_validation_context.
 */
export function readSdsSecret<T>(
  t: Translation,
  config: ConfigNode,
  kind: ReadableSecret<T>,
  base?: ConfigNode,
): SecretSource<T> | null {
  const name = config.string("name", "");
  if (!config.has("sds_config")) return readStaticSecret(t, config, name, kind, base);
  const source = readConfigSource(t, config, "sds_config");
  base?.acceptRest("read with the secret that is laid over it");
  if (source === null) return null;
  const identity = { name, isSds: true };
  const readSecret = (again: Translation, secret: ConfigNode): SecretRead | null => {
    const content = contentOf(again, secret, kind.kind);
    if (content === null) return null;
    if (base === undefined) return kind.read(again, content, identity);
    content.acceptRest("read with what it is laid over");
    return kind.read(again, base.mergedWith(content), identity);
  };
  const over = base === undefined ? "" : digest(base);
  const place = JSON.stringify([source.path, source.watchedDirectory, name, over]);
  const key = `sds ${kind.kind} ${kind.demand} ${place}`;
  return addNeed(t, {
    key,
    kind: kind.kind,
    origin: { kind: "sds", name, source, read: readSecret },
  });
}

function readStaticSecret<T>(
  t: Translation,
  config: ConfigNode,
  name: string,
  kind: ReadableSecret<T>,
  base: ConfigNode | undefined,
): SecretSource<T> | null {
  const content = t.staticSecrets.find(kind.kind, name);
  base?.acceptRest("read with the secret that is laid over it");
  if (content === null) {
    const expected = `a ${secretFields[kind.kind]} of static_resources.secrets, or sds_config`;
    t.wrong(config, `found "${name}", expected ${expected}`, "name");
    return null;
  }
  if (base === undefined) return readOwnSecret(t, content, kind, name);
  content.acceptRest("read with what it is laid over");
  return readOwnSecret(t, base.mergedWith(content), kind, name);
}

/** The content of a Secret, which must be of the right kind. */
function contentOf(t: Translation, secret: ConfigNode, kind: SecretKind): ConfigNode | null {
  const field = secretFields[kind];
  const type = secret.oneof("type");
  if (type === field) return secret.node(field) ?? null;
  if (type !== undefined) secret.accept(type, "reported as a whole");
  t.wrong(secret, `found ${type ?? "a secret without a type"}, expected ${field}`, type);
  return null;
}

function addNeed<T>(t: Translation, need: SecretNeed): SecretSource<T> {
  t.secrets.push(need);
  return { kind: "secret", key: need.key };
}

/** Two messages that say the same have the same one; nothing of a key can be read from it. */
function digest(node: ConfigNode): string {
  return createHash("sha256").update(JSON.stringify(node.toProtoJson())).digest("base64url");
}

// What a certificate says, as Envoy prints it: node:crypto's own words have another form, and no
// otherName. Read from the DER when it is first asked for.
import { createHash, type X509Certificate } from "node:crypto";
import { canonicalIp } from "../core/ip-address.ts";
import type { CertificateInfo, OtherName } from "../core/tls-info.ts";
import {
  DerTag,
  integerOf,
  oidText,
  readDer,
  readDerAll,
  stringOf,
  timeOf,
} from "../core/der-reader.ts";
import type { DerElement } from "../core/der-reader.ts";
import { nameText } from "./distinguished-name.ts";

/** What peer validation wants beyond what is printed. */
export interface CertificateDetails extends CertificateInfo {
  /** Text of all subject alternative names in their order, "" for those that have none. */
  readonly allNames: readonly string[];
  /** Base64 of the SHA-256 of SubjectPublicKeyInfo. */
  readonly spkiSha256: string;
  /** Authorities below it; -1 = any number. */
  readonly pathLengthMax: number;
  /** DER of the name constraints; null = it has none. */
  readonly nameConstraints: Buffer | null;
  /** A critical extension that nobody here knows. */
  readonly hasUnknownCritical: boolean;
  /** Its key usages, if it has any, allow signatures or key agreement. */
  readonly maySignHandshakes: boolean;
  /** Signed over MD5 or SHA-1, or by an algorithm from before them. */
  readonly hasWeakSignature: boolean;
  /** DER of the names and the serial number's content: what a revocation list is looked up by. */
  readonly issuerDer: Buffer;
  readonly subjectDer: Buffer;
  readonly serialDer: Buffer;
}

export function certificateInfoOf(certificate: X509Certificate): CertificateDetails {
  return new ParsedCertificate(certificate.raw);
}

const SUBJECT_ALT_NAME = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";
const NAME_CONSTRAINTS = "2.5.29.30";
const KEY_USAGE = "2.5.29.15";

/** Extensions that OpenSSL handles, and so may be critical. */
const handledExtensions: ReadonlySet<string> = new Set([
  SUBJECT_ALT_NAME,
  BASIC_CONSTRAINTS,
  NAME_CONSTRAINTS,
  KEY_USAGE,
  "2.5.29.31",
  "2.5.29.32",
  "2.5.29.33",
  "2.5.29.36",
  "2.5.29.37",
  "2.5.29.54",
]);

/** digitalSignature and keyAgreement in the first octet of KeyUsage. */
const HANDSHAKE_USAGES = 0x88;

/** RSA with MD2, MD5, SHA-1; DSA and ECDSA with SHA-1. */
const weakSignatures: ReadonlySet<string> = new Set([
  "1.2.840.113549.1.1.2",
  "1.2.840.113549.1.1.4",
  "1.2.840.113549.1.1.5",
  "1.2.840.10040.4.3",
  "1.2.840.10045.4.1",
]);

/** Tags of GeneralName. */
const GeneralName = { Other: 0xa0, Email: 0x81, Dns: 0x82, Uri: 0x86, Ip: 0x87 } as const;

const empty: Buffer = Buffer.alloc(0);

class ParsedCertificate implements CertificateDetails {
  readonly #der: Buffer;
  #fields: Fields | null = null;
  #names: readonly DerElement[] | null = null;

  constructor(der: Buffer) {
    this.#der = der;
  }

  get subject(): string {
    return nameText(this.#read.subject.content);
  }

  get issuer(): string {
    return nameText(this.#read.issuer.content);
  }

  get serial(): string {
    return hexOf(integerOf(this.serialDer));
  }

  get sha256(): string {
    return createHash("sha256").update(this.#der).digest("hex");
  }

  get sha1(): string {
    return createHash("sha1").update(this.#der).digest("hex");
  }

  get spkiSha256(): string {
    return createHash("sha256").update(this.#read.spki.whole).digest("base64");
  }

  get dnsNames(): readonly string[] {
    return this.#textNames(GeneralName.Dns);
  }

  get uris(): readonly string[] {
    return this.#textNames(GeneralName.Uri);
  }

  get emails(): readonly string[] {
    return this.#textNames(GeneralName.Email);
  }

  get ipAddresses(): readonly string[] {
    return this.#namesOf(GeneralName.Ip).map((name) => ipText(name.content));
  }

  get otherNames(): readonly OtherName[] {
    return this.#namesOf(GeneralName.Other).map(otherNameOf);
  }

  get notBeforeMs(): number {
    const [notBefore] = readDerAll(this.#read.validity.content);
    return notBefore === undefined ? 0 : timeOf(notBefore);
  }

  get notAfterMs(): number {
    const [, notAfter] = readDerAll(this.#read.validity.content);
    return notAfter === undefined ? 0 : timeOf(notAfter);
  }

  get allNames(): readonly string[] {
    return this.#allNames().map(anyNameText);
  }

  get pem(): string {
    const lines = this.#der.toString("base64").match(/.{1,64}/g) ?? [];
    return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
  }

  get pathLengthMax(): number {
    const extension = this.#extension(BASIC_CONSTRAINTS);
    const sequence = extension === null ? null : readDer(extension);
    const parts = sequence === null ? [] : readDerAll(sequence.content);
    const length = parts.find((part) => part.tag === DerTag.Integer);
    return length === undefined ? -1 : Number(integerOf(length.content));
  }

  get nameConstraints(): Buffer | null {
    return this.#extension(NAME_CONSTRAINTS);
  }

  get hasUnknownCritical(): boolean {
    return this.#read.extensions.some((extension) => {
      const [type, critical] = readDerAll(extension.content);
      if (critical?.tag !== DerTag.Boolean || critical.content[0] === 0) return false;
      return type === undefined || !handledExtensions.has(oidText(type.content));
    });
  }

  get maySignHandshakes(): boolean {
    const extension = this.#extension(KEY_USAGE);
    const bits = extension === null ? null : readDer(extension);
    return bits === null || ((bits.content[1] ?? 0) & HANDSHAKE_USAGES) !== 0;
  }

  get hasWeakSignature(): boolean {
    const [oid] = readDerAll(this.#read.algorithm.content);
    return oid === undefined || weakSignatures.has(oidText(oid.content));
  }

  get issuerDer(): Buffer {
    return this.#read.issuer.whole;
  }

  get subjectDer(): Buffer {
    return this.#read.subject.whole;
  }

  get serialDer(): Buffer {
    return this.#read.serial.content;
  }

  get #read(): Fields {
    this.#fields ??= readFields(this.#der);
    return this.#fields;
  }

  /** Of the extension's octet string; null when there is none. */
  #extension(oid: string): Buffer | null {
    for (const extension of this.#read.extensions) {
      const parts = readDerAll(extension.content);
      const [type] = parts;
      if (type === undefined || oidText(type.content) !== oid) continue;
      return parts.at(-1)?.content ?? null;
    }
    return null;
  }

  #allNames(): readonly DerElement[] {
    if (this.#names !== null) return this.#names;
    const extension = this.#extension(SUBJECT_ALT_NAME);
    const sequence = extension === null ? null : readDer(extension);
    this.#names = sequence === null ? [] : readDerAll(sequence.content);
    return this.#names;
  }

  #namesOf(tag: number): readonly DerElement[] {
    return this.#allNames().filter((name) => name.tag === tag);
  }

  #textNames(tag: number): readonly string[] {
    return this.#namesOf(tag).map((name) => name.content.toString("latin1"));
  }
}

/** The parts of a TBSCertificate. */
interface Fields {
  readonly serial: DerElement;
  readonly algorithm: DerElement;
  readonly issuer: DerElement;
  readonly validity: DerElement;
  readonly subject: DerElement;
  readonly spki: DerElement;
  readonly extensions: readonly DerElement[];
}

const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const nothing: DerElement = { tag: DerTag.Null, whole: empty, content: empty };

function readFields(der: Buffer): Fields {
  const certificate = readDer(der) ?? nothing;
  const tbs = readDer(certificate.content) ?? nothing;
  const parts = readDerAll(tbs.content);
  const at = parts[0]?.tag === VERSION ? 1 : 0;
  const list = parts.find((part) => part.tag === EXTENSIONS);
  const extensions = list === undefined ? null : readDer(list.content);
  return {
    serial: parts[at] ?? nothing,
    algorithm: parts[at + 1] ?? nothing,
    issuer: parts[at + 2] ?? nothing,
    validity: parts[at + 3] ?? nothing,
    subject: parts[at + 4] ?? nothing,
    spki: parts[at + 5] ?? nothing,
    extensions: extensions === null ? [] : readDerAll(extensions.content),
  };
}

/** Whole octets. */
function hexOf(value: bigint): string {
  if (value === 0n) return "0";
  const digits = (value < 0n ? -value : value).toString(16);
  return `${value < 0n ? "-" : ""}${digits.length % 2 === 1 ? "0" : ""}${digits}`;
}

/** inet_ntop's form, IPv4-mapped addresses with dots; "" for octets of another number. */
function ipText(octets: Buffer): string {
  if (octets.length === 4) return octets.join(".");
  if (octets.length !== 16) return "";
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push(octets.readUInt16BE(at).toString(16));
  return canonicalIp(groups.join(":"));
}

function anyNameText(name: DerElement): string {
  switch (name.tag) {
    case GeneralName.Email:
    case GeneralName.Dns:
    case GeneralName.Uri:
      return name.content.toString("latin1");
    case GeneralName.Ip:
      return ipText(name.content);
    case GeneralName.Other:
      return otherNameOf(name).value;
    default:
      return "";
  }
}

/** The value of an otherName as text, as Envoy writes each of ASN.1's types. */
function otherNameOf(name: DerElement): OtherName {
  const [type, tagged] = readDerAll(name.content);
  const value = tagged === undefined ? null : readDer(tagged.content);
  return {
    oid: type === undefined ? "" : oidText(type.content),
    value: value === null ? "" : otherNameText(value),
  };
}

function otherNameText(value: DerElement): string {
  switch (value.tag) {
    case DerTag.Boolean:
      return value.content[0] === 0 ? "false" : "true";
    case DerTag.Integer:
    case DerTag.Enumerated:
      return integerOf(value.content).toString();
    case DerTag.Oid:
      return oidText(value.content);
    case DerTag.BitString:
      // Without the count of bits that are not used.
      return value.content.subarray(1).toString("latin1");
    case DerTag.BmpString:
    case DerTag.UniversalString:
      return stringOf(value) ?? "";
    case DerTag.Sequence:
    case DerTag.Set:
      return value.whole.toString("latin1");
    default:
      return value.content.toString("latin1");
  }
}

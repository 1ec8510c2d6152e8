// Reads what is asked of OCSP responses that are to be stapled, and whether a certificate says that
// it must come with one. Called by tls-certificate-reader.ts.
import type { X509Certificate } from "node:crypto";
import { DerTag, readDer, readDerAll, timeOf } from "../../core/der-reader.ts";
import type { DerElement } from "../../core/der-reader.ts";

const EXPLICIT_0 = 0xa0;
const EXPLICIT_3 = 0xa3;
/** id-pe-tlsfeature, RFC 7633. */
const TLS_FEATURE = "2b06010505070118";
/** The number of the status_request extension. */
const STATUS_REQUEST = 5;

export interface OcspResponse {
  /** DER content of the INTEGER. */
  readonly serial: Buffer;
  /** thisUpdate in epoch milliseconds. */
  readonly validFromMs: number;
  /** nextUpdate in epoch milliseconds; 0 = it names none. */
  readonly expiresMs: number;
}

/** RFC 6960; a text says what is wrong with it. */
export function readOcspResponse(bytes: Buffer): OcspResponse | string {
  const response = readDer(bytes);
  if (response?.tag !== DerTag.Sequence) return "found no OCSP response in DER";
  if (response.whole.length < bytes.length) return "found more than one OCSP response";
  const [status, body] = readDerAll(response.content);
  if (status?.tag !== DerTag.Enumerated) return "found no OCSP response in DER";
  if (status.content[0] !== 0) return `found an OCSP response of status ${status.content[0]}`;
  const responses = singleResponses(body);
  const [single, second] = responses;
  if (single === undefined) return "found an OCSP response without an answer";
  if (second !== undefined) return "found an OCSP response for more than one certificate";
  return readSingle(single);
}

/** Of ResponseBytes: the answers in its BasicOCSPResponse. */
function singleResponses(body: DerElement | undefined): readonly DerElement[] {
  const [, octets] = children(first(body));
  const [data] = children(octets === undefined ? undefined : readDer(octets.content));
  // Version and the responder are tagged; then producedAt and the list follow.
  const list = children(data).find((element) => element.tag === DerTag.Sequence);
  return children(list);
}

function readSingle(single: DerElement): OcspResponse | string {
  const fields = children(single);
  const serial = children(fields[0])[3];
  if (serial?.tag !== DerTag.Integer) return "found no OCSP response in DER";
  const since = fields[2];
  const next = fields.find((field, at) => at > 2 && field.tag === EXPLICIT_0);
  const time = first(next);
  return {
    serial: serial.content,
    validFromMs: since === undefined ? 0 : timeOf(since),
    expiresMs: time === undefined ? 0 : timeOf(time),
  };
}

export function matchesCertificate(response: OcspResponse, certificate: X509Certificate): boolean {
  const serial = tbsFields(certificate).find((field) => field.tag === DerTag.Integer);
  return serial?.content.equals(response.serial) === true;
}

/** Whether it has the TLS feature status_request. */
export function isMustStaple(certificate: X509Certificate): boolean {
  const extensions = first(tbsFields(certificate).find((field) => field.tag === EXPLICIT_3));
  for (const extension of children(extensions)) {
    const [oid, ...rest] = children(extension);
    if (oid?.content.toString("hex") !== TLS_FEATURE) continue;
    const value = rest.find((field) => field.tag === DerTag.OctetString);
    const features = children(value === undefined ? undefined : readDer(value.content));
    return features.some((feature) => feature.content.equals(Buffer.of(STATUS_REQUEST)));
  }
  return false;
}

function tbsFields(certificate: X509Certificate): readonly DerElement[] {
  return children(first(readDer(certificate.raw)));
}

function children(element: DerElement | null | undefined): readonly DerElement[] {
  return element === null || element === undefined ? [] : readDerAll(element.content);
}

function first(element: DerElement | null | undefined): DerElement | undefined {
  return children(element)[0];
}

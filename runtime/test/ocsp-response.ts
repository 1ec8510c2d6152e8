// Makes OCSP responses for tests. Nobody who staples one looks at its signature, so it has none that
// could be checked.
import { X509Certificate } from "node:crypto";
import { DerTag } from "../src/core/der-reader.ts";
import type { TestCertificate } from "./certificates.ts";
import { der, nothing, octets, oid, sequence, time } from "./der-writer.ts";

export interface OcspRequest {
  /** Default 2020. */
  readonly thisUpdate?: Date;
  /** Default 2099; null = none is named. */
  readonly nextUpdate?: Date | null;
  /** Of the response; default 0, successful. */
  readonly status?: number;
}

const EXPLICIT_0 = 0xa0;
const BY_KEY = 0xa2;
const GOOD = 0x80;
const BASIC_RESPONSE = "1.3.6.1.5.5.7.48.1.1";
const SHA1 = "1.3.14.3.2.26";
const ECDSA_SHA256 = "1.2.840.10045.4.3.2";
const HASH_BYTES = 20;

/** That these certificates are good. */
export function makeOcspResponse(
  certificates: readonly TestCertificate[],
  request: OcspRequest = {},
): Buffer {
  const { thisUpdate = new Date("2020-01-01T00:00:00Z"), status = 0 } = request;
  const nextUpdate =
    request.nextUpdate === undefined ? new Date("2099-01-01T00:00:00Z") : request.nextUpdate;
  const hash = octets(Buffer.alloc(HASH_BYTES));
  const singles = certificates.map(({ pem }) => {
    const serial = Buffer.from(new X509Certificate(pem).serialNumber, "hex");
    const id = sequence(sequence(oid(SHA1), nothing), hash, hash, der(DerTag.Integer, serial));
    const next = nextUpdate === null ? [] : [der(EXPLICIT_0, time(nextUpdate))];
    return sequence(id, der(GOOD), time(thisUpdate), ...next);
  });
  const responder = der(BY_KEY, hash);
  const data = sequence(responder, time(thisUpdate), sequence(...singles));
  const signature = der(DerTag.BitString, Buffer.alloc(8));
  const basic = sequence(data, sequence(oid(ECDSA_SHA256)), signature);
  const body = der(EXPLICIT_0, sequence(oid(BASIC_RESPONSE), octets(basic)));
  return sequence(der(DerTag.Enumerated, Buffer.of(status)), ...(status === 0 ? [body] : []));
}

// Makes PKCS#12 files for tests: one certificate with its key, kept whole by a password but not
// encrypted (RFC 7292).
import { createHash, createHmac, X509Certificate } from "node:crypto";
import { DerTag } from "../src/core/der-reader.ts";
import type { TestCertificate } from "./certificates.ts";
import { der, integer, nothing, octets, oid, sequence } from "./der-writer.ts";

const EXPLICIT_0 = 0xa0;
const DATA = "1.2.840.113549.1.7.1";
const KEY_BAG = "1.2.840.113549.1.12.10.1.1";
const CERTIFICATE_BAG = "1.2.840.113549.1.12.10.1.3";
const X509_CERTIFICATE = "1.2.840.113549.1.9.22.1";
const LOCAL_KEY_ID = "1.2.840.113549.1.9.21";
const SHA256 = "2.16.840.1.101.3.4.2.1";
const ITERATIONS = 2048;
/** Bytes that SHA-256 takes at once. */
const BLOCK = 64;
const MAC_KEY = 3;

export function makePkcs12(certificate: TestCertificate, password: string): Buffer {
  const { raw } = new X509Certificate(certificate.pem);
  const key = Buffer.from(certificate.keyPem.replaceAll(/-----.*-----|\s/g, ""), "base64");
  const keyId = sequence(oid(LOCAL_KEY_ID), der(DerTag.Set, octets(Buffer.of(1))));
  const attributes = der(DerTag.Set, keyId);
  const held = sequence(oid(X509_CERTIFICATE), der(EXPLICIT_0, octets(raw)));
  const bags = sequence(
    sequence(oid(KEY_BAG), der(EXPLICIT_0, key), attributes),
    sequence(oid(CERTIFICATE_BAG), der(EXPLICIT_0, held), attributes),
  );
  const safe = sequence(dataOf(bags));
  const salt = Buffer.alloc(8, 5);
  const macKey = deriveKey(password, salt);
  const mac = createHmac("sha256", macKey).update(safe).digest();
  const digest = sequence(sequence(oid(SHA256), nothing), octets(mac));
  return sequence(integer(3), dataOf(safe), sequence(digest, octets(salt), integer(ITERATIONS)));
}

function dataOf(content: Buffer): Buffer {
  return sequence(oid(DATA), der(EXPLICIT_0, octets(content)));
}

/** Appendix B.2 of the RFC, for one block of output. */
function deriveKey(password: string, salt: Buffer): Buffer {
  const text = Buffer.from(`${password}\0`, "utf16le").swap16();
  const input = [Buffer.alloc(BLOCK, MAC_KEY), filled(salt), filled(text)];
  let hash = createHash("sha256").update(Buffer.concat(input)).digest();
  for (let round = 1; round < ITERATIONS; round += 1) {
    hash = createHash("sha256").update(hash).digest();
  }
  return hash;
}

/** Repeated to whole blocks. */
function filled(bytes: Buffer): Buffer {
  return Buffer.alloc(Math.ceil(bytes.length / BLOCK) * BLOCK, bytes);
}

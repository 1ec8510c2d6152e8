// Certificates as Envoy 1.40 prints them: the fixture holds what its access log said of each.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { makeCertificate } from "../../test/certificates.ts";
import { certificateInfoOf } from "./certificate-info.ts";
import { integerOf, oidText, readDer, readDerAll, timeOf } from "../core/der-reader.ts";

interface Recorded {
  readonly pem: string;
  readonly envoy: Readonly<Record<string, string | null>>;
}

const file = new URL("fixtures/certificates-printed-by-envoy.json", import.meta.url);
const recorded = JSON.parse(readFileSync(file, "utf8")) as Readonly<Record<string, Recorded>>;

/** The JSON log takes bytes that are no UTF-8 for latin1. */
function asLogged(text: string): string | null {
  const bytes = Buffer.from(text, "latin1");
  const utf8 = bytes.toString("utf8");
  return text === "" ? null : utf8.includes("\ufffd") ? text : utf8;
}

describe("prints as Envoy", () => {
  test.each([
    ["all", "every attribute type that BoringSSL has a name for"],
    ["strings", "every string type, otherNames of every type, names with strange bytes"],
    ["empty", "an empty subject"],
  ])("%s: %s", (name) => {
    const { pem, envoy } = recorded[name] as Recorded;
    const info = certificateInfoOf(new X509Certificate(pem));
    const encoded = info.pem
      .replaceAll("\n", "%0A")
      .replaceAll(" ", "%20")
      .replaceAll("+", "%2B")
      .replaceAll("/", "%2F")
      .replaceAll("=", "%3D");
    const printed: Record<string, string> = {
      SUBJECT: info.subject,
      ISSUER: info.issuer,
      SERIAL: info.serial,
      FINGERPRINT_1: info.sha1,
      FINGERPRINT_256: info.sha256,
      DNS_SAN: info.dnsNames.join(","),
      URI_SAN: info.uris.join(","),
      IP_SAN: info.ipAddresses.join(","),
      EMAIL_SAN: info.emails.join(","),
      OTHERNAME_SAN: info.otherNames.map((one) => one.value).join(","),
      CERT_V_START: new Date(info.notBeforeMs).toISOString(),
      CERT_V_END: new Date(info.notAfterMs).toISOString(),
      CERT: encoded,
    };
    for (const [fact, value] of Object.entries(envoy)) {
      expect([fact, asLogged(printed[fact] as string)]).toEqual([fact, value]);
    }
  });
});

test("knows what validation asks for", async () => {
  const made = await makeCertificate("leaf", {
    otherNames: [["1.3.6.1.4.1.311.20.2.3", "upn"]],
    uris: ["spiffe://test/leaf"],
    serial: "00ff",
  });
  const certificate = new X509Certificate(made.pem);
  const info = certificateInfoOf(certificate);
  expect(info.otherNames).toEqual([{ oid: "1.3.6.1.4.1.311.20.2.3", value: "upn" }]);
  expect([info.uris, info.emails, info.serial]).toEqual([["spiffe://test/leaf"], [], "ff"]);
  expect([info.pathLengthMax, info.nameConstraints]).toEqual([-1, null]);
  expect(info.issuerDer).toEqual(info.subjectDer);
});

describe("the DER reader", () => {
  const bytes = (...octets: number[]): Buffer => Buffer.from(octets);

  test("takes long lengths and stops where bytes are missing", () => {
    const long = Buffer.concat([bytes(0x04, 0x82, 0x01, 0x00), Buffer.alloc(256, 7)]);
    expect(readDer(long)?.content.length).toBe(256);
    expect(readDer(long.subarray(0, 259))).toBe(null);
    expect(readDer(bytes(0x04, 0x80))).toBe(null);
    expect(readDer(bytes(0x04, 0x85, 1, 1, 1, 1, 1))).toBe(null);
    expect(readDer(bytes(0x1f, 0x01, 0x00))).toBe(null);
    expect(readDerAll(bytes(0x05, 0x00, 0x02, 0x05, 0x01)).length).toBe(1);
  });

  test("reads numbers, object identifiers and times", () => {
    expect(integerOf(bytes(0xff))).toBe(-1n);
    expect(integerOf(bytes(0x00, 0x80))).toBe(128n);
    expect(oidText(bytes(0x2b, 0x06, 0x01))).toBe("1.3.6.1");
    expect(oidText(bytes(0x88, 0x37, 0x83, 0x4d))).toBe("2.999.461");
    const time = (tag: number, text: string): number =>
      timeOf({ tag, whole: Buffer.alloc(0), content: Buffer.from(text) });
    expect(time(0x17, "491231235959Z")).toBe(Date.UTC(2049, 11, 31, 23, 59, 59));
    expect(time(0x17, "500101000000Z")).toBe(Date.UTC(1950, 0, 1));
    expect(time(0x18, "20990101000000Z")).toBe(Date.UTC(2099, 0, 1));
    expect(time(0x18, "990101000000Z")).toBe(0);
  });
});

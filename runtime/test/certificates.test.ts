// Checks the certificates that tests make with what reads them: node:crypto.
import { X509Certificate, createPrivateKey } from "node:crypto";
import { createSecureContext } from "node:tls";
import { describe, expect, test } from "vitest";
import { fingerprint256, makeCertificate, makeRevocationList } from "./certificates.ts";

describe("makeCertificate", () => {
  test("a chain of three verifies, with all names and the key that belongs to it", async () => {
    const root = await makeCertificate("root", { isAuthority: true });
    const middle = await makeCertificate("middle", { isAuthority: true, issuer: root });
    const leaf = await makeCertificate("leaf", {
      issuer: middle,
      keyType: "rsa",
      subject: "CN=leaf, O=Test",
      dnsNames: ["a.test", "*.b.test"],
      uris: ["spiffe://test/leaf"],
      ipAddresses: ["10.0.0.1"],
      emails: ["leaf@test"],
    });
    const [a, b, c] = [root, middle, leaf].map((one) => new X509Certificate(one.pem));
    if (a === undefined || b === undefined || c === undefined) throw new Error("three were made");
    expect([a.ca, b.ca, c.ca]).toEqual([true, true, false]);
    expect([b.checkIssued(a), c.checkIssued(b)]).toEqual([true, true]);
    expect([b.verify(a.publicKey), c.verify(b.publicKey)]).toEqual([true, true]);
    expect(c.verify(a.publicKey)).toBe(false);
    expect(c.checkPrivateKey(createPrivateKey(leaf.keyPem))).toBe(true);
    expect(c.subject).toBe("CN=leaf\nO=Test");
    expect(c.subjectAltName).toBe(
      "DNS:a.test, DNS:*.b.test, URI:spiffe://test/leaf, IP Address:10.0.0.1, email:leaf@test",
    );
    expect(leaf.chainPem).toBe(leaf.pem + middle.pem);
    expect(fingerprint256(leaf)).toBe(c.fingerprint256.replaceAll(":", "").toLowerCase());
  });

  test("serial and validity are the same in each run", async () => {
    const [one, two] = [await makeCertificate("same"), await makeCertificate("same")].map(
      (made) => new X509Certificate(made.pem),
    );
    expect(one?.serialNumber).toBe(two?.serialNumber);
    expect(one?.validTo).toBe("Jan  1 00:00:00 2099 GMT");
    expect(one?.fingerprint256).not.toBe(two?.fingerprint256);
  });
});

test("makeRevocationList gives a list that node:tls takes", async () => {
  const root = await makeCertificate("root", { isAuthority: true });
  const leaf = await makeCertificate("leaf", { issuer: root });
  const pem = await makeRevocationList(root, [leaf]);
  expect(() => createSecureContext({ ca: root.pem, crl: pem })).not.toThrow();
  expect(() => createSecureContext({ ca: root.pem, crl: pem.slice(0, 200) })).toThrow("CRL");
});

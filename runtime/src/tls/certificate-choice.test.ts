import { expect, test } from "vitest";
import { CertificateChoice } from "./certificate-choice.ts";

const certificates = [
  { serverNames: ["a.example"], keyType: "rsa" },
  { serverNames: ["a.example"], keyType: "ec" },
  { serverNames: ["a.example"], keyType: "ec" },
  { serverNames: ["*.b.example", "b.example"], keyType: "ec" },
  { serverNames: ["x.b.example"], keyType: "rsa" },
  { serverNames: [], keyType: "rsa" },
] as const;

const choice = new CertificateChoice(certificates, false);

test("an exact name gives the first certificate of each type of key that has it", () => {
  expect(choice.find("a.example")).toEqual([1, 0]);
  expect(choice.find("A.Example")).toEqual([1, 0]);
  expect(choice.find("b.example")).toEqual([3]);
});

test("a wildcard stands for one label, and comes after the exact name", () => {
  expect(choice.find("y.b.example")).toEqual([3]);
  expect(choice.find("x.b.example")).toEqual([4]);
  expect(choice.find("z.y.b.example")).toEqual([0]);
  expect(choice.find(".b.example")).toEqual([3]);
});

test("a name that none has gives the first certificate, or one of all", () => {
  for (const name of ["other", "other.", ".", "example"]) expect(choice.find(name)).toEqual([0]);
  expect(new CertificateChoice(certificates, true).find("other")).toEqual([1, 0]);
});

test("without a name all are looked at", () => {
  expect(choice.find("")).toEqual([1, 0]);
  expect(new CertificateChoice([certificates[5]], false).find("")).toEqual([0]);
});

test("says whether the kind of key depends on the name", () => {
  expect(choice.hasKindsByName).toBe(false);
  const both = ["a.example", "b.example"].flatMap((name) => [
    { serverNames: [name], keyType: "ec" as const },
    { serverNames: [name], keyType: "rsa" as const },
  ]);
  expect(new CertificateChoice(both, false).hasKindsByName).toBe(true);
  expect(new CertificateChoice(both.slice(0, 2), false).hasKindsByName).toBe(false);
});

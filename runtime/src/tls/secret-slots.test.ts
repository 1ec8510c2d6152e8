import { expect, test } from "vitest";
import type { TlsSecret, TlsValidationConfig } from "../config/tls-config.ts";
import { SecretSlots } from "./secret-slots.ts";
import { emptyValidation } from "./server-tls-for-test.ts";

const validation: TlsValidationConfig = { ...emptyValidation, trustedCaPem: "ca" };

const keys = (byte: number): TlsSecret => {
  return { kind: "ticket_keys", keys: [new Uint8Array([byte])] };
};

test("what stands in the configuration is there from the start", () => {
  const slot = new SecretSlots([], null).validation({ kind: "inline", value: validation });
  expect([slot.revision, slot.value]).toEqual([1, validation]);
});

test("a secret that has not come is missing, and there after the commit that brings it", () => {
  const first = new SecretSlots([{ key: "k", revision: 0, value: null }], null);
  first.commit();
  const slot = first.ticketKeys({ kind: "secret", key: "k" });
  expect([slot.revision, slot.value]).toEqual([0, null]);
  const next = new SecretSlots([{ key: "k", revision: 4, value: keys(7) }], first);
  expect([slot.revision, slot.value]).toEqual([0, null]);
  next.commit();
  expect([slot.revision, slot.value]).toEqual([4, [new Uint8Array([7])]]);
});

test("a version that is aborted changes nothing", () => {
  const first = new SecretSlots([{ key: "k", revision: 1, value: keys(1) }], null);
  first.commit();
  const slot = first.ticketKeys({ kind: "secret", key: "k" });
  const aborted = new SecretSlots([{ key: "k", revision: 2, value: keys(2) }], first);
  expect(aborted.ticketKeys({ kind: "secret", key: "k" }).revision).toBe(1);
  const next = new SecretSlots([{ key: "k", revision: 3, value: keys(3) }], first);
  next.commit();
  expect([slot.revision, slot.value]).toEqual([3, [new Uint8Array([3])]]);
});

test("a secret of another kind is none, and so is one that nobody gave", () => {
  const slots = new SecretSlots([{ key: "k", revision: 1, value: keys(1) }], null);
  slots.commit();
  expect(slots.certificate({ kind: "secret", key: "k" }).value).toBeNull();
  expect(slots.validation({ kind: "secret", key: "k" }).value).toBeNull();
  expect(slots.validation({ kind: "secret", key: "other" }).value).toBeNull();
});

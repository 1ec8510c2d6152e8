import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { deflateSync } from "node:zlib";
import { limits } from "proxy-wasm-types";
import { expect, test } from "vitest";
import { StreamInfo } from "../core/stream-info.ts";
import type { Context } from "./context.ts";
import { foreignFunctions } from "./foreign-functions.ts";
import { answersOf, scriptedHost } from "./guest-script-for-test.ts";
import { bytesField, fieldBytes, isMessage, lastNumber } from "./proto-fields.ts";

/** Bytes as the script wants them. */
function encoded(bytes: Uint8Array): string {
  return [...bytes].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
}

/** A message with these fields by number. */
function message(...fields: readonly (readonly [number, string | Uint8Array | number])[]): Buffer {
  return Buffer.concat(
    fields.map(([number, value]) =>
      typeof value === "number"
        ? Buffer.of(number << 3, value)
        : bytesField(number, Buffer.from(value)),
    ),
  );
}

const call = (name: string, args: Uint8Array): string =>
  `call_foreign_function ${name} ${encoded(args)}`;

test("zlib streams are made and read", async () => {
  const packed = deflateSync("hello");
  const [made, read, broken, cut] = await answersOf([
    call("compress", Buffer.from("hello")),
    call("uncompress", packed),
    call("uncompress", Buffer.from("nonsense")),
    call("uncompress", packed.subarray(0, 8)),
  ]);
  expect(made).toMatch(/^0 \[x%9c/);
  expect(read).toBe("0 [hello]");
  expect(broken).toBe("3");
  expect(cut).toBe("3");
});

test("what unpacks to more than 16 MiB is refused", async () => {
  const bomb = deflateSync(Buffer.alloc(17 * 1024 * 1024));
  const operation = call("uncompress", bomb);
  const host = await scriptedHost([`request_headers ${operation}`]);
  expect(host.request().messages).toContain(`  ${operation} -> 3`);
  expect(host.stats.counter("wasm.filter.limit.foreign_result_bytes").value).toBe(1);
  host.request();
  expect(host.stats.counter("wasm.filter.limit.foreign_result_bytes").value).toBe(2);
  const told = host.logs.filter(({ message }) => message.includes("foreign_result_bytes"));
  expect(told).toHaveLength(1);
  host.close();
});

test("a signature is checked, and what is wrong with it is told", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = publicKey.export({ type: "spki", format: "der" });
  const signature = sign("sha256", Buffer.from("text"), privateKey);
  const ask = (hash: string, der: Uint8Array, text: string): string =>
    call("verify_signature", message([1, hash], [2, der], [3, signature], [4, text]));
  const good = encoded(message([1, 1]));
  const answers = await answersOf([
    ask("sha256", key, "text"),
    ask("sha256", key, "other"),
    ask("md5", key, "text"),
    ask("sha256", createHash("sha1").digest(), "text"),
    call("verify_signature", Buffer.of(0xff)),
  ]);
  expect(answers[0]).toBe(`0 [${good}]`);
  expect(answers[1]).toContain("Failed");
  expect(answers[2]).toContain("md5");
  expect(answers[3]).toContain("Failed%20to%20initialize%20digest%20verify.");
  expect(answers[4]).toBe("2");
});

test("a text is signed by a private key in DER, and what is wrong with it is told", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const der = privateKey.export({ type: "pkcs8", format: "der" });
  // Its 128 bytes need a length of two.
  const signature = sign("sha256", Buffer.from("text"), privateKey);
  const good = Buffer.concat([Buffer.of(0x08, 1, 0x12, 0x80, 1), signature]);
  const ask = (hash: string, key: Uint8Array): string =>
    call("sign", message([1, hash], [2, key], [3, "text"]));
  const answers = await answersOf([
    ask("sha256", der),
    ask("md5", der),
    ask("sha256", Buffer.from("no key")),
    call("sign", Buffer.of(0xff)),
  ]);
  const told = (answers[0] ?? "").slice("0 [".length, -1);
  const unescaped = told.replace(/%(..)/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  expect(Buffer.from(unescaped, "latin1")).toEqual(good);
  expect(answers[1]).toContain("md5%20is%20not%20supported.");
  expect(answers[2]).toContain("private%20key%20required");
  expect(answers[3]).toBe("2");
});

test("what a stream declares is its own, and does not count", async () => {
  const answers = await answersOf([
    call("declare_property", message([1, "once"], [2, 1])),
    "set_property once 1",
    "set_property once 2",
    "get_property once",
  ]);
  expect(answers).toEqual(["0 [0]", "0", "0", "0 [2]"]);
});

test("filter state is at most 1 MiB long", async () => {
  const set = foreignFunctions.get("set_envoy_filter_state");
  const context = { streamInfo: new StreamInfo(), setFilterState: () => true };
  const state = (size: number): Buffer =>
    Buffer.concat([message([1, "envoy.string"]), bytesField(2, Buffer.alloc(size, "x"))]);
  const answer = (size: number): unknown => set?.(context as unknown as Context, state(size));
  expect(answer(1 << 20)).toEqual(Buffer.alloc(0));
  expect(answer((1 << 20) + 1)).toBe(2);
});

test("filter state that is a number must look like one", async () => {
  const state = (key: string, value: string): string =>
    call("set_envoy_filter_state", message([1, key], [2, value]));
  const answers = await answersOf([
    state("envoy.upstream.dynamic_port", "80"),
    state("envoy.upstream.dynamic_port", "http"),
    state("envoy.ratelimit.hits_addend", "x"),
    state("envoy.string", "x"),
  ]);
  expect(answers).toEqual(["0 [0]", "2", "2", "0 [0]"]);
});

test("a declared property may be read-only, and is declared once", async () => {
  const host = await scriptedHost([
    `configure ${call("declare_property", message([1, "once"], [2, 1]))}`,
    `configure ${call("declare_property", message([1, "once"]))}`,
    `configure ${call("declare_property", Buffer.of(0x0a))}`,
    `configure ${call("declare_property", message([1, "x"], [5, 3]))}`,
    "request_headers set_property once 1",
    "request_headers set_property once 2",
    "request_headers get_property once",
  ]);
  const told = host.logs.filter((line) => line.message.includes("declare")).map((l) => l.message);
  expect(told.map((line) => line.slice(line.indexOf(" -> ")))).toEqual([
    " -> 0 [0]",
    " -> 2",
    " -> 2",
    " -> 0 [0]",
  ]);
  const { messages } = host.request();
  expect(messages.filter((line) => / once.* -> /.test(line))).toEqual([
    "  set_property once 1 -> 0",
    "  set_property once 2 -> 2",
    "  get_property once -> 0 [1]",
  ]);
  host.close();
});

test("declared properties are so many at most, and their names so long", () => {
  const declare = foreignFunctions.get("declare_property");
  const refused: unknown[] = [];
  const root = { vm: { limits: { refused: (...args: unknown[]) => refused.push(args) } } };
  const context = { declaredProperties: null, root, plugin: null } as unknown as Context;
  const answer = (name: string): unknown => declare?.(context, bytesField(1, Buffer.from(name)));
  const nothing = Buffer.alloc(0);
  expect(answer("x".repeat(limits.propertyPathBytesMax + 1))).toBe(2);
  for (let i = 0; i < 1024; i += 1) expect(answer(`own ${i}`)).toEqual(nothing);
  expect(refused).toEqual([]);
  expect(answer("one more")).toBe(2);
  expect(refused).toEqual([["declared_properties", 1024, null]]);
});

test("a declared property may stay with the connection", async () => {
  const host = await scriptedHost([
    `configure ${call("declare_property", message([1, "kept"], [5, 2]))}`,
    "request_headers set_property kept 1",
  ]);
  const { info } = host.request();
  expect(info.filterState).toBeNull();
  expect(info.connection?.filterState?.get("wasm.kept")).toEqual(Buffer.from("1"));
  host.close();
});

test("filter state of Envoy's own keys is set, of others it is not", async () => {
  const host = await scriptedHost([
    `configure ${call("set_envoy_filter_state", message([1, "envoy.string"], [2, "a"]))}`,
    `request_headers ${call("set_envoy_filter_state", message([1, "envoy.string"], [2, "a"]))}`,
    `request_headers ${call("set_envoy_filter_state", message([1, "unknown"], [2, "a"]))}`,
    "request_headers get_property filter_state%00envoy.string",
  ]);
  const early = host.logs.filter((line) => line.message.includes("set_envoy"));
  expect(early.map((line) => line.message.at(-1))).toEqual(["1"]);
  const { messages } = host.request();
  expect(
    messages.filter((line) => line.includes(" -> ")).map((line) => line.split(" -> ")[1]),
  ).toEqual(["0 [0]", "1", "0 [a]"]);
  host.close();
});

test("messages are read field by field, up to a fault", () => {
  const long = Buffer.alloc(300, 0x61);
  const bytes = Buffer.concat([message([1, "a"], [2, 5], [1, long]), Buffer.of(0x1d, 1, 2, 3, 4)]);
  expect(isMessage(bytes)).toBe(true);
  expect(fieldBytes(bytes, 1).map((field) => field.length)).toEqual([1, 300]);
  expect(lastNumber(bytes, 2)).toBe(5);
  expect(lastNumber(bytes, 9)).toBe(0);
  for (const bad of [[0x0a], [0x0a, 5, 1], [0x0b], [0x00], [0x08, 0xff], [0x09, 1]]) {
    expect(isMessage(Buffer.from(bad))).toBe(false);
  }
});

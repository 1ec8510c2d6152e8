// Guest memory: bounds, unaligned results, the key cache, growth under the host's feet.
import { expect, test } from "vitest";
import { GuestMemory } from "./memory.ts";

const PAGE = 65_536;

function create(allocate: (size: number) => number = () => 0): {
  memory: GuestMemory;
  wasm: WebAssembly.Memory;
} {
  const wasm = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const memory = new GuestMemory();
  memory.attach(wasm, { allocate, charge: () => {} });
  return { memory, wasm };
}

function put(wasm: WebAssembly.Memory, at: number, text: string): void {
  Buffer.from(wasm.buffer).write(text, at, "latin1");
}

test("ranges end at the last byte, and an empty range may lie right behind it", () => {
  const { memory } = create();
  expect(memory.contains(PAGE - 4, 4)).toBe(true);
  expect(memory.contains(PAGE - 4, 5)).toBe(false);
  expect(memory.contains(PAGE, 0)).toBe(true);
  expect(memory.contains(PAGE + 1, 0)).toBe(false);
  expect(memory.contains(-16 >>> 0, 16)).toBe(false);
  expect(memory.contains(0xffffffff, 0xffffffff)).toBe(false);
});

test("before the instance is there only the empty range at 0 is inside", () => {
  const memory = new GuestMemory();
  expect(memory.contains(0, 0)).toBe(true);
  expect(memory.contains(0, 1)).toBe(false);
  expect(memory.allocate(8)).toBe(0);
});

test("numbers are written at any address, little-endian", () => {
  const { memory } = create();
  expect(memory.writeU32(3, 0xfedcba98)).toBe(true);
  expect(memory.readU32(3)).toBe(0xfedcba98);
  expect(memory.writeU64(5, 1_790_000_000_123_456_768)).toBe(true);
  expect(Buffer.from(memory.bytes).readBigUInt64LE(5)).toBe(1_790_000_000_123_456_768n);
  expect(memory.writeU32(PAGE - 3, 1)).toBe(false);
  expect(memory.writeU64(PAGE - 7, 1)).toBe(false);
});

test("keys come from the cache only when all their bytes are the same", () => {
  const { memory, wasm } = create();
  put(wasm, 16, "X-Filter");
  const key = memory.readKey(16, 8);
  expect([key.raw, key.name, key.id, key.isValid]).toEqual(["X-Filter", "x-filter", 0, true]);
  expect(memory.readKey(16, 8)).toBe(key);
  // Enough keys to meet in one slot: each must be itself.
  for (let i = 0; i < 2000; i += 1) {
    put(wasm, 100, `key-${i}`);
    expect(memory.readKey(100, `key-${i}`.length).name).toBe(`key-${i}`);
  }
  put(wasm, 16, "User-Agent");
  expect(memory.readKey(16, 10).id).toBeGreaterThan(0);
  expect(memory.readKey(16, 0).isValid).toBe(false);
});

test("a key has the line of a value that comes twice, and of no other", () => {
  const { memory, wasm } = create();
  put(wasm, 16, "X-Filter");
  const key = memory.readKey(16, 8);
  expect(key.lineWith("a\u00e4")).toBe(null);
  expect(key.lineWith("a\u00e4")).toBe("x-filter: a\u00e4\r\n");
  expect(key.lineWith("a\u00e4")).toBe("x-filter: a\u00e4\r\n");
  expect(key.lineWith("b")).toBe(null);
  expect(key.lineWith("a\u00e4")).toBe(null);
  const long = "v".repeat(65);
  expect([key.lineWith(long), key.lineWith(long)]).toEqual([null, null]);
});

test("long keys and keys with line breaks", () => {
  const { memory, wasm } = create();
  const long = "k".repeat(300);
  put(wasm, 0, long);
  expect(memory.readKey(0, 300).name).toBe(long);
  put(wasm, 0, "a\r\nb");
  expect(memory.readKey(0, 4).isValid).toBe(false);
  put(wasm, 0, "a\0b");
  expect(memory.readKey(0, 3).isValid).toBe(false);
});

test("values with CR, LF or NUL are refused, other bytes are kept", () => {
  const { memory, wasm } = create();
  for (const bad of ["a\rb", "a\nb", "a\0b", "\n"]) {
    put(wasm, 0, bad);
    expect(memory.readValue(0, bad.length)).toBe(null);
  }
  put(wasm, 0, "a\tb\xff");
  expect(memory.readValue(0, 4)).toBe("a\tb\xff");
  expect(memory.readValue(0, 0)).toBe("");
});

test("a kept value is used only for the very same bytes", () => {
  const { memory, wasm } = create();
  for (const text of ["abc", "abd", "ab", "abcd", "x".repeat(64), "y".repeat(65)]) {
    for (let again = 0; again < 2; again += 1) {
      put(wasm, 32, text);
      expect(memory.readValue(32, text.length)).toBe(text);
    }
    put(wasm, 32, "\n");
    expect(memory.readValue(32, text.length)).toBe(null);
  }
  // Addresses that share a place.
  for (let at = 0; at < 4096; at += 16) put(wasm, at, `value-${at}`.padEnd(16));
  for (let at = 0; at < 4096; at += 16) {
    expect(memory.readValue(at, 16)?.trimEnd()).toBe(`value-${at}`);
  }
});

test("a result is allocated in the guest, and nothing is allocated for an empty one", () => {
  const sizes: number[] = [];
  const { memory } = create((size) => {
    sizes.push(size);
    return 1024;
  });
  expect(memory.returnText("hello", 1, 6)).toBe(true);
  expect([memory.readU32(1), memory.readU32(6)]).toEqual([1024, 5]);
  expect(memory.readText(1024, 5)).toBe("hello");
  expect(memory.returnText("", 1, 6)).toBe(true);
  expect([memory.readU32(1), memory.readU32(6)]).toEqual([0, 0]);
  expect(memory.returnText("x".repeat(100), 1, 6)).toBe(true);
  expect(memory.readText(1024, 100)).toBe("x".repeat(100));
  expect(sizes).toEqual([5, 100]);
});

test("an allocator that gives nothing, or an address outside, is a bad pointer", () => {
  for (const address of [0, PAGE - 4, PAGE + 16, -8]) {
    const { memory } = create(() => address);
    expect(memory.returnText("hello", 0, 4)).toBe(false);
    expect(memory.returnBytes(Buffer.from("hello"), 0, 4)).toBe(false);
  }
});

test("out parameters outside are refused before the guest's allocator runs", () => {
  let calls = 0;
  const { memory } = create(() => {
    calls += 1;
    return 1024;
  });
  expect(memory.returnText("hello", PAGE - 3, 0)).toBe(false);
  expect(memory.returnText("hello", 0, PAGE - 3)).toBe(false);
  expect(calls).toBe(0);
});

test("an allocator that grows the memory leaves no stale view", () => {
  const wasm = new WebAssembly.Memory({ initial: 1, maximum: 4 });
  const memory = new GuestMemory();
  memory.attach(wasm, {
    allocate: () => {
      wasm.grow(1);
      return wasm.buffer.byteLength - PAGE;
    },
    charge: () => {},
  });
  expect(memory.returnText("hello", 0, 4)).toBe(true);
  expect(memory.readText(memory.readU32(0), 5)).toBe("hello");
  expect(memory.returnBytes(Buffer.from("world"), 0, 4)).toBe(true);
  expect(Buffer.from(wasm.buffer, memory.readU32(0), 5).toString()).toBe("world");
  expect(memory.size).toBe(3 * PAGE);
});

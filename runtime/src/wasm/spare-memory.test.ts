// The memory of a VM that failed serves the next one, which must not see what it was used for.
import { expect, test, vi } from "vitest";
import { createFilterHost } from "../../test/harness.ts";
import { constant, guestBuilder, op, store } from "../module/wasm-builder-for-test.ts";
import { SpareMemory } from "./spare-memory.ts";

const PAGE_BYTES = 65_536;
const I32_EQZ = 0x45;
const wanted = { module: "headgate", name: "memory", minimumPages: 2, maximumPages: 200 };

function used(pages: number): WebAssembly.Memory {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 200 });
  memory.grow(pages - 2);
  const bytes = new Uint8Array(memory.buffer);
  for (const at of [0, 4095, PAGE_BYTES, bytes.length - 1]) bytes[at] = 1;
  return memory;
}

test("is given once more with zeros, and then another one is made", () => {
  const spare = new SpareMemory();
  const memory = used(3);
  spare.put(memory, wanted);
  expect(spare.take(wanted)).toBe(memory);
  expect(new Uint8Array(memory.buffer).every((byte) => byte === 0)).toBe(true);
  const next = spare.take(wanted);
  expect(next).not.toBe(memory);
  expect(next.buffer.byteLength).toBe(2 * PAGE_BYTES);
  next.grow(198);
  expect(() => next.grow(1)).toThrow(RangeError);
});

test.each([
  ["has grown by more than 16 pages", 19, wanted],
  ["has used an eighth of its room", 4, { ...wanted, maximumPages: 17 }],
  ["is larger than 4 MiB", 65, { ...wanted, minimumPages: 60 }],
])("is not used again when it %s", (_what, pages, limits) => {
  const spare = new SpareMemory();
  const memory = used(pages);
  spare.put(memory, limits);
  expect(spare.take(limits)).not.toBe(memory);
});

test("a VM that is made after a trap finds no trace of the one before, in the same memory", async () => {
  const memories = vi.spyOn(WebAssembly, "Memory");
  const builder = guestBuilder();
  // Refuses to start where the other one has been.
  const mark = [...constant(5000), op.i32Load, 2, 0];
  builder.func({
    params: ["i32", "i32"],
    results: ["i32"],
    code: [...mark, I32_EQZ],
    exportAs: "proxy_on_configure",
  });
  builder.func({
    params: ["i32", "i32", "i32"],
    results: ["i32"],
    code: [...store(5000, 7), op.unreachable],
    exportAs: "proxy_on_request_headers",
  });
  const host = await createFilterHost({ module: builder.build(), failurePolicy: "fail_reload" });
  for (let i = 0; i < 5; i += 1) {
    const before = host.plugin.root?.vm;
    host.request();
    expect(before?.memory.contains(0, 1)).toBe(false);
    host.tick(20_000);
  }
  expect(host.stats.counter("wasm.filter.vm_reload_success").value).toBe(5);
  expect(host.stats.counter("wasm.filter.standby_failed").value).toBe(0);
  // Of the one that served first, and of the one that waited.
  expect(memories.mock.calls.length).toBeLessThanOrEqual(2);
  host.close();
  memories.mockRestore();
});

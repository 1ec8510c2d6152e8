import { expect, test } from "vitest";
import { askHandle, ipAddress, kernelPath, noAddress, unixAddress } from "./addresses.ts";
import type { StreamHandle } from "./node-internals.ts";

test.each([
  ["127.0.0.1", "127.0.0.1", "ipv4"],
  ["::1", "::1", "ipv6"],
  ["::", "::", "ipv6"],
  ["::ffff:192.0.2.1", "192.0.2.1", "ipv4"],
  ["::ffff:c000:201", "::ffff:c000:201", "ipv6"],
  ["fe80::1%eth0", "fe80::1%eth0", "ipv6"],
])("%s is reported as %s, %s", (given, address, family) => {
  expect(ipAddress(given, 80)).toEqual({ address, port: 80, family });
});

test("abstract names change their first character for the kernel, paths do not", () => {
  expect(kernelPath("@name")).toBe("\0name");
  expect(kernelPath("/run/@name")).toBe("/run/@name");
  expect(kernelPath("@")).toBe("\0");
});

test("a handle that does not know its peer gives the empty address, a pipe the empty path", () => {
  const lost = { getpeername: () => -107 } as unknown as StreamHandle;
  expect(askHandle(lost, "getpeername")).toBe(noAddress);
  expect(askHandle({} as StreamHandle, "getpeername")).toEqual(unixAddress(""));
});

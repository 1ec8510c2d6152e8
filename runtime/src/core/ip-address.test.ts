import { describe, expect, test } from "vitest";
import { canonicalIp, CidrList, isIpText, isLoopback } from "./ip-address.ts";

test.each([
  ["1.2.3.4", "1.2.3.4"],
  ["01.2.3.4", ""],
  ["1.2.3.256", ""],
  ["1.2.3", ""],
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["1:0:0:4:5:0:0:8", "1::4:5:0:0:8"],
  ["0:0:1:0:0:0:1:0", "0:0:1::1:0"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["::", "::"],
  ["1::", "1::"],
  ["0:0:0:0:0:ffff:102:304", "::ffff:1.2.3.4"],
  ["::1.2.3.4", "::1.2.3.4"],
  ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["00001::", ""],
  ["1::2::3", ""],
  [":::", ""],
  ["fe80::1%eth0", ""],
  ["[::1]", ""],
  ["", ""],
])("canonicalIp: %s is %s", (text, expected) => {
  expect(canonicalIp(text)).toBe(expected);
});

test("unix paths are no addresses, and 127.0.0.5 is no loopback to Envoy", () => {
  expect(["/a.sock", "@abstract", "", "::1", "10.0.0.1"].filter(isIpText)).toEqual([
    "::1",
    "10.0.0.1",
  ]);
  expect(["127.0.0.1", "::1", "127.0.0.5"].filter(isLoopback)).toEqual(["127.0.0.1", "::1"]);
});

describe("CidrList", () => {
  const list = new CidrList([
    { address: "10.0.0.0", prefixLength: 8 },
    { address: "192.0.2.128", prefixLength: 25 },
    { address: "2001:db8::", prefixLength: 33 },
    { address: "0.0.0.0", prefixLength: 32 },
  ]);
  test("contains what shares the prefix, up to its edges", () => {
    for (const ip of ["10.0.0.0", "10.255.255.255", "192.0.2.128", "2001:db8:7fff::1", "0.0.0.0"]) {
      expect(list.contains(ip)).toBe(true);
    }
    for (const ip of ["9.255.255.255", "11.0.0.0", "192.0.2.127", "2001:db8:8000::", "", "x"]) {
      expect(list.contains(ip)).toBe(false);
    }
    expect(new CidrList([{ address: "::", prefixLength: 0 }]).contains("::ffff:1.2.3.4")).toBe(
      true,
    );
    expect(list.contains("10.0.0")).toBe(false);
    expect(list.contains("010.0.0.1")).toBe(false);
  });
});

import { isIP } from "node:net";
import { expect, test } from "vitest";
import { ipVersion } from "./ip-address.ts";

const addresses = [
  "0.0.0.0",
  "255.255.255.255",
  "127.0.0.1",
  "::",
  "::1",
  "1::",
  "1:2:3:4:5:6:7:8",
  "1:2:3:4:5:6:7::",
  "::2:3:4:5:6:7:8",
  "fe80::1%eth0",
  "::ffff:1.2.3.4",
  "1:2:3:4:5:6:1.2.3.4",
  "ABCD::ef",
];
const others = [
  "",
  ":",
  ":::",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.",
  "01.2.3.4",
  "256.1.1.1",
  "0x7f.0.0.1",
  " 127.0.0.1",
  "1.2.3.4%eth0",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "::12345",
  "::g",
  "::1%",
  "::1%a%b",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "::1.2.3.256",
  "1:2:3:4:5:6:7:1.2.3.4",
  "[::1]",
  "localhost",
];

test.each(addresses)("%s is an address", (text) => {
  expect(ipVersion(text)).toBe(text.includes(":") ? 6 : 4);
  expect(ipVersion(text)).toBe(isIP(text));
});

test.each(others)("%j is none", (text) => {
  expect(ipVersion(text)).toBe(0);
  expect(ipVersion(text)).toBe(isIP(text));
});

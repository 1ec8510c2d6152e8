import { expect, test } from "vitest";
import type { HappyEyeballsConfig } from "../config/snapshot.ts";
import type { SocketAddress } from "../engine/network-engine.ts";
import { inConnectOrder } from "./happy-eyeballs.ts";

const families = { 4: "ipv4", 6: "ipv6", u: "unix" } as const;
const addressOf = (text: string): SocketAddress => ({
  address: text,
  port: 0,
  family: families[text[0] as keyof typeof families],
});

test.each<[string, Partial<HappyEyeballsConfig>, string]>([
  ["4a 4b 6a 6b", {}, "4a 6a 4b 6b"],
  ["6a 4a 6b 4b 6c", {}, "6a 4a 6b 4b 6c"],
  ["4a 4b 4c", {}, "4a 4b 4c"],
  ["4a 4b 6a 6b", { firstFamily: "ipv6" }, "6a 4a 6b 4b"],
  ["4a 4b", { firstFamily: "ipv6" }, "4a 4b"],
  ["4a 4b 4c 6a 6b", { firstFamilyCount: 2 }, "4a 4b 6a 4c 6b"],
  ["4a ua 6a", { firstFamily: "unix" }, "ua 4a 6a"],
])("%s with %j is tried as %s", (given, config, expected) => {
  const addresses = given.split(" ").map(addressOf);
  const order = inConnectOrder(addresses, { firstFamily: null, firstFamilyCount: 1, ...config });
  expect(order.map(({ address }) => address).join(" ")).toBe(expected);
});

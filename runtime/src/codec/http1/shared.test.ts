import { expect, test } from "vitest";
import { HeaderMap } from "../../core/header-map.ts";
import { Http1Shared } from "./shared.ts";

test("keeps no more maps than its limit", () => {
  const shared = new Http1Shared();
  const given = new Set(Array.from({ length: 1500 }, () => new HeaderMap()));
  for (const map of given) shared.giveMap(map);
  expect(shared.refused).toBe(1500 - 1024);
  shared.takeScratch();
  let reused = 0;
  for (let i = 0; i < 1500; i += 1) if (given.has(shared.takeScratch())) reused += 1;
  expect(reused).toBe(1024);
});

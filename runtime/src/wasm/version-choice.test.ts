import { expect, test } from "vitest";
import type { CandidateConfig, ShareConfig } from "../config/snapshot.ts";
import { HeaderMap } from "../core/header-map.ts";
import { VersionChoice } from "./version-choice.ts";

function choice(share: Partial<ShareConfig>, name = "aaaaaaaaaaaa"): VersionChoice {
  const all = { perTenThousand: 0, match: null, sticky: { kind: "stream" }, ...share };
  return new VersionChoice({ name, share: all } as CandidateConfig);
}

/** Of ten thousand streams with these ids. */
function chosen(one: VersionChoice, step = 1): number {
  let count = 0;
  for (let i = 0; i < 10_000; i += 1) if (one.isCanarys(1 + i * step, "", null)) count += 1;
  return count;
}

test.each([1, 500, 1000, 5000, 9999])("%i of ten thousand streams, whatever their ids", (share) => {
  for (const step of [1, 2, 64, 2 ** 24, 2 ** 33]) {
    const off = Math.abs(chosen(choice({ perTenThousand: share }), step) - share);
    // Five times the standard deviation.
    expect(off).toBeLessThan(5 * Math.sqrt(share * (1 - share / 10_000)) + 1);
  }
});

test("all, none, and by header", () => {
  expect(chosen(choice({ perTenThousand: 10_000 }))).toBe(10_000);
  expect(chosen(choice({ perTenThousand: 0 }))).toBe(0);
  const headers = new HeaderMap();
  headers.set("x-canary", "yes");
  const isOf = (value: string | null, header = "x-canary"): boolean =>
    choice({ match: { header, value } }).isCanarys(1, "", headers);
  expect([isOf(null), isOf("yes"), isOf("no"), isOf(null, "x-other")]).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(choice({ match: { header: "x-canary", value: null } }).isCanarys(1, "", null)).toBe(false);
});

test("sticky streams stay together; other versions have other clients", () => {
  const sticky = { perTenThousand: 1000, sticky: { kind: "client" } } as const;
  const clientsOf = (one: VersionChoice): string[] =>
    Array.from({ length: 1000 }, (_, i) => `10.0.${i >> 8}.${i & 255}`).filter((ip) => {
      const first = one.isCanarys(1, ip, null);
      for (let id = 2; id < 5; id += 1) expect(one.isCanarys(id, ip, null)).toBe(first);
      return first;
    });
  const first = clientsOf(choice(sticky));
  expect(first.length).toBeGreaterThan(60);
  expect(first.length).toBeLessThan(140);
  const second = clientsOf(choice(sticky, "bbbbbbbbbbbb"));
  expect(second.filter((ip) => first.includes(ip)).length).toBeLessThan(40);
  const byHeader = choice({ perTenThousand: 5000, sticky: { kind: "header", header: "x-user" } });
  const headers = new HeaderMap();
  headers.set("x-user", "somebody");
  const answers = new Set([1, 2, 3, 4, 5, 6, 7].map((id) => byHeader.isCanarys(id, "", headers)));
  expect(answers.size).toBe(1);
  // Without the header each stream is for itself.
  expect(chosen(byHeader)).toBeGreaterThan(4700);
});

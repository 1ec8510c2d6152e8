// Plays the smuggling set against the real proxy; README.md tells what is checked.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Outcome, RequestCase, ResponseCase } from "./case.ts";
import { chunks } from "./chunks.ts";
import { connections } from "./connections.ts";
import { reasonsGiven, target } from "./differences.ts";
import { framing } from "./framing.ts";
import { disagreements, playRequest, playResponse } from "./play.ts";
import { responses } from "./responses.ts";
import { Rig } from "./rig.ts";
import { targets } from "./targets.ts";

const isEnvoy = target !== "headgate";

/** What Envoy 1.40 does where that is not what a case expects: an outcome, or a response's status. */
type Differences = Record<string, Outcome | number>;
const differencesFile = fileURLToPath(new URL("envoy-differs.json", import.meta.url));
const differences = JSON.parse(readFileSync(differencesFile, "utf8")) as Differences;
const recorded: Differences = {};

function note(id: string, seen: Outcome | number, expected: Outcome | number): void {
  if (JSON.stringify(seen) !== JSON.stringify(expected)) recorded[id] = seen;
}

const requests: readonly RequestCase[] = [...framing, ...chunks, ...targets, ...connections];
const rig = new Rig();

beforeAll(() => rig.start(isEnvoy ? [process.env["ENVOY_BIN"] ?? "envoy"] : null));
afterAll(async () => {
  await rig.end();
  if (target !== "record") return;
  writeFileSync(differencesFile, `${JSON.stringify(recorded, null, 2)}\n`);
});

test("ids are unique", () => {
  const ids = [...requests, ...responses].map(({ id }) => id);
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
  expect(ids.length).toBeGreaterThan(400);
});

test("KNOWN_DIFFERENCES.md gives a reason for everything that Envoy does otherwise", () => {
  expect(reasonsGiven("Measured by the smuggling set")).toEqual(Object.keys(differences).sort());
});

/** What a case came to, and what it should have. */
interface Verdict {
  readonly seen: unknown;
  readonly wanted: unknown;
}

async function judgeRequest(one: RequestCase): Promise<Verdict> {
  const { outcome, disagreements: found } = await playRequest(rig, one);
  note(one.id, outcome, one.expected);
  if (isEnvoy) return { seen: outcome, wanted: differences[one.id] ?? one.expected };
  return { seen: { ...outcome, found }, wanted: { ...one.expected, found: [] } };
}

async function judgeResponse(one: ResponseCase): Promise<Verdict> {
  const result = await playResponse(rig, one);
  const { status, isWhole, body } = one;
  note(one.id, result.status, status);
  if (isEnvoy) return { seen: result.status, wanted: differences[one.id] ?? status };
  const wanted = { status, isWhole, body: body ?? result.body, next: "GET /next" };
  return { seen: result, wanted: { ...wanted, disagreements: [] } };
}

describe.each([
  ["framing", framing],
  ["chunks", chunks],
  ["targets", targets],
  ["connections", connections],
] as const)("requests: %s", (_name, cases) => {
  test.each(cases.map((one): [string, RequestCase] => [`${one.id}: ${one.why}`, one]))(
    "%s",
    async (_title, one) => {
      const { seen, wanted } = await judgeRequest(one);
      expect(target === "record" ? wanted : seen).toEqual(wanted);
    },
  );
});

describe("responses", () => {
  test.each(responses.map((one): [string, ResponseCase] => [`${one.id}: ${one.why}`, one]))(
    "%s",
    async (_title, one) => {
      const { seen, wanted } = await judgeResponse(one);
      expect(target === "record" ? wanted : seen).toEqual(wanted);
    },
  );
});

test.skipIf(isEnvoy)("nothing came late: readers agree about every byte the upstream got", () => {
  expect(disagreements(rig.upstream.connections).map((line) => line.slice(0, 200))).toEqual([]);
});

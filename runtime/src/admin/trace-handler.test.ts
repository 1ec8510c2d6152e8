import { expect, test } from "vitest";
import { LogLevel } from "../core/logger.ts";
import { adminForTest, postRequired } from "./admin-for-test.ts";

const admin = adminForTest();

test("whose calls are logged is shown by GET and switched by POST", async () => {
  const list = "traced wasm plugins:\n  a: off\n  b: every stream (switched here)\n";
  expect(await admin.answerOf("GET", "/wasm/trace")).toBe(`200 ${list}`);
  expect(await admin.answerOf("POST", "/wasm/trace?plugin=a&every=&header=x:%201")).toBe(
    `200 ${list}`,
  );
  expect(await admin.answerOf("POST", "/wasm/trace?plugin=b&off")).toBe(`200 ${list}`);
  expect(await admin.answerOf("GET", "/wasm/trace?plugin=a")).toBe(`405 ${postRequired("GET")}`);
  expect(admin.fake.calls).toEqual(["trace a  x: 1", "untrace b"]);
  const refusals: readonly (readonly [string, string])[] = [
    ["plugin=c", 'no wasm plugin has the name "c"'],
    ["every=2", "expected the name of a plugin"],
    ["plugin=a&off&every=2", "found off beside every or header, expected one of them"],
    ["plugin=a&evry=2", "unknown parameter evry"],
  ];
  for (const [query, problem] of refusals) {
    const answer = await admin.answerOf("POST", `/wasm/trace?${query}`);
    expect(answer.split("\n")[0]).toBe(`400 error: ${problem}`);
  }
  admin.fake.levels.set("wasm", LogLevel.Warning);
  expect(await admin.answerOf("GET", "/wasm/trace")).toContain(
    "the logger wasm does not show info",
  );
});

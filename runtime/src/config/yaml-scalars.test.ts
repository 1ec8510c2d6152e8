import { expect, test } from "vitest";
import { readPlainScalar } from "./yaml-scalars.ts";

test("unquoted words and numbers mean what yaml-cpp reads in them", () => {
  const cases: [string, unknown][] = [
    ...(["", "~", "null", "Null", "NULL"].map((text) => [text, null]) as [string, unknown][]),
    ...(["y", "Y", "yes", "Yes", "YES", "on", "true", "True"].map((text) => [text, true]) as [
      string,
      unknown,
    ][]),
    ...(["n", "N", "no", "off", "OFF", "False"].map((text) => [text, false]) as [
      string,
      unknown,
    ][]),
    ...([
      ["yES", "yES"],
      ["nULL", "nULL"],
      ["tRue", "tRue"],
    ] as [string, unknown][]),
    ...([
      ["5", 5],
      ["+5", 5],
      ["-5", -5],
      ["0", 0],
      ["0x10", 16],
      ["-0x10", -16],
    ] as [string, unknown][]),
    ...([
      ["010", 8],
      ["08", "08"],
      ["0o10", "0o10"],
      ["1_000", "1_000"],
    ] as [string, unknown][]),
    ["2147483647", 2147483647],
    ["2147483648", "2147483648"],
    ["0xffffffff", "4294967295"],
    ["99999999999999999999", "99999999999999999999"],
    ...([
      ["1.5", "1.5"],
      ["1e3", "1e3"],
      [".inf", ".inf"],
      ["12:30", "12:30"],
      ["-", "-"],
    ] as [string, unknown][]),
  ];
  for (const [text, value] of cases) {
    expect([text, readPlainScalar(text, "yaml")]).toEqual([text, value]);
  }
});

test("JSON has only its own words and numbers, and keeps digits that a double would lose", () => {
  expect(readPlainScalar("true", "json")).toBe(true);
  expect(readPlainScalar("yes", "json")).toBe("yes");
  expect(readPlainScalar("1.5", "json")).toBe(1.5);
  expect(readPlainScalar("0x10", "json")).toBe("0x10");
  expect(readPlainScalar("18446744073709551615", "json")).toBe("18446744073709551615");
});

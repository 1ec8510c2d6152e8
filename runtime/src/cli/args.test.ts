import { expect, test } from "vitest";
import { UsageError, helpText, parseCommandLine } from "./args.ts";

function valuesOf(...argv: string[]): Record<string, string> {
  return Object.fromEntries(parseCommandLine(argv).values);
}

test("reads Envoy's ways to write a flag", () => {
  expect(valuesOf("-c", "a.yaml", "--concurrency=2", "-l", "debug", "--mode", "validate")).toEqual({
    "config-path": "a.yaml",
    concurrency: "2",
    "log-level": "debug",
    mode: "validate",
  });
  expect(valuesOf("-ca.yaml", "--config-yaml=a: b=c")).toEqual({
    "config-path": "a.yaml",
    "config-yaml": "a: b=c",
  });
});

test("ignores what follows --", () => {
  expect(valuesOf("--base-id", "3", "--", "--bogus")).toEqual({ "base-id": "3" });
});

test("names Envoy flags that have no effect", () => {
  const line = parseCommandLine(["--enable-core-dump", "--file-flush-min-size-kb", "0"]);
  expect(line.withoutEffect).toEqual(["enable-core-dump", "file-flush-min-size-kb"]);
});

test("takes a repeatable flag several times and others once", () => {
  expect(valuesOf("--stats-tag", "a:b", "--stats-tag", "c:d")).toEqual({ "stats-tag": "c:d" });
  expect(() => valuesOf("-c", "a", "-c", "b")).toThrow("--config-path is given twice");
});

test.each([
  [["--bogus"], "unknown flag --bogus"],
  [["file.yaml"], 'unknown argument "file.yaml"'],
  [["-c"], "--config-path needs a value"],
  [["--concurrency", "two"], '--concurrency expects a number from 0 to 4294967295, found "two"'],
  [["--base-id", "4294967296"], "--base-id expects a number"],
  [["-l", "loud"], "--log-level expects one of trace, debug, info"],
  [["--mode", "dry"], "--mode expects one of serve, validate, init_only"],
  [["--version=1"], '--version takes no value, found "1"'],
])("refuses %j", (argv, message) => {
  expect(() => parseCommandLine(argv)).toThrow(UsageError);
  expect(() => parseCommandLine(argv)).toThrow(message);
});

test("the help names every flag", () => {
  const text = helpText();
  for (const name of [
    "config-path",
    "mode",
    "stats-tag",
    "ignore-unsupported",
    "sigterm-drain-s",
  ]) {
    expect(text).toContain(`--${name}`);
  }
});

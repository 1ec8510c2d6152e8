// The page of this folder, done with real processes.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { RunningExample } from "../running-example.ts";

const root = join(import.meta.dirname, "..", "..");
const PORT = ["port_value: 10000", "port_value: 0"] as const;

let headgate: RunningExample;
let url: string;

beforeAll(async () => {
  const build = ["filter", "build", "examples/hello-world"];
  await promisify(execFile)(join(root, "runtime/bin/headgate"), build, { cwd: root });
  headgate = await RunningExample.start("hello-world", [PORT]);
  url = `http://127.0.0.1:${await headgate.port("main")}/`;
});

afterAll(async () => {
  await headgate.stop();
});

async function ask(query: string): Promise<readonly [number, string | null, string]> {
  const answer = await fetch(url + query);
  return [answer.status, answer.headers.get("x-hello"), await answer.text()];
}

test("greets who is named, and the world otherwise", async () => {
  expect(await ask("")).toEqual([200, "hello, world", "look at the headers\n"]);
  expect(await ask("?name=kim")).toEqual([200, "hello, kim", "look at the headers\n"]);
  expect(await ask("a/b?x=1&name=a%20b")).toEqual([200, "hello, a b", "look at the headers\n"]);
});

test("answers a long name by itself", async () => {
  const long = "abcdefghijklmnopqrstuvwxyz";
  expect(await ask(`?name=${long}`)).toEqual([400, "hello, world", "That is a long name.\n"]);
});

test("a misspelt configuration is refused, with its place", async () => {
  const wrong = ["greeting: hello", "greting: hello"] as const;
  const started = RunningExample.start("hello-world", [PORT, wrong]);
  await expect(started).rejects.toThrow(
    /configuration \/greeting: is required; configuration \/greting: unknown field/,
  );
});

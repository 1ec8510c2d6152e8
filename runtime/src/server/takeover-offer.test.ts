import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Predecessor } from "./predecessor.ts";
import { TakeoverOffer } from "./takeover-offer.ts";
import type { TakeoverHost } from "./takeover-offer.ts";
import { prepareFolder, takeoverAddress } from "./takeover-socket.ts";
import type { TakeoverAddress } from "./takeover-socket.ts";

let folder: string;
let address: TakeoverAddress;
let host: FakeHost;
let offer: TakeoverOffer;

class FakeHost implements TakeoverHost {
  readonly epoch = 3;
  readonly firstStartMs = 1234;
  readonly events: string[] = [];
  refused: number = 0;

  addresses(): [] {
    return [];
  }
  async releaseAdmin(): Promise<void> {
    this.events.push("release");
    await Promise.resolve();
  }
  resumeAdmin(): void {
    this.events.push("resume");
  }
  onTakenOver(pid: number, shutdownMs: number): void {
    this.events.push(`taken over ${pid === process.pid} ${shutdownMs}`);
  }
  onRefused(): void {
    this.refused += 1;
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "takeover-"));
  address = { path: join(folder, "s"), mode: 0o600 };
  host = new FakeHost();
  offer = await TakeoverOffer.open(address, host);
});

afterEach(() => {
  offer.close();
  rmSync(folder, { recursive: true });
});

async function find(): Promise<Predecessor> {
  const predecessor = await Predecessor.find(address);
  if (predecessor === null) throw new Error("nobody is there");
  return predecessor;
}

/** What the offer says to raw bytes, until it ends the conversation. */
async function say(bytes: string): Promise<string> {
  const socket: Socket = connect(address.path);
  let answer = "";
  socket.setEncoding("utf8").on("data", (text: string) => {
    answer += text;
  });
  socket.on("error", () => {});
  socket.write(bytes);
  await once(socket, "close");
  return answer;
}

async function until(isDone: () => boolean): Promise<void> {
  while (!isDone()) await new Promise(setImmediate);
}

test("a takeover from the first word to the last", async () => {
  const predecessor = await find();
  expect(predecessor.pid).toBe(process.pid);
  expect([predecessor.epoch, predecessor.firstStartMs]).toEqual([3, 1234]);
  await predecessor.releaseAdmin();
  await predecessor.takeOver(5000);
  expect(host.events).toEqual(["release", "taken over true 5000"]);
  // The place is free for the successor's own offer.
  expect(existsSync(address.path)).toBe(false);
  const progress: number[] = [];
  predecessor.onProgress = (connections): void => void progress.push(connections);
  offer.tellProgress(7);
  await until(() => progress.length === 1);
  offer.close();
  await until(() => predecessor.isGone);
  expect(progress).toEqual([7, 0]);
});

test("a successor that ends before it is live changes nothing, and gives back what it had", async () => {
  const first = await find();
  await first.releaseAdmin();
  first.close();
  await until(() => host.events.includes("resume"));
  const second = await find();
  second.close();
  const third = await find().catch(() => find());
  await third.takeOver(1);
  expect(host.events).toEqual(["release", "resume", "taken over true 1"]);
});

test("one successor at a time", async () => {
  const first = await find();
  await expect(find()).rejects.toThrow(`it refuses: process ${process.pid} is taking over`);
  expect(host.refused).toBe(1);
  await first.takeOver(0);
});

test("nobody is told to drain by words that are not the protocol's", async () => {
  expect(await say('{"type":"hello","protocol":99,"pid":1}\n')).toContain("protocol 1");
  expect(await say('{"type":"make_tea"}\n')).toContain("a message that nobody knows");
  expect(await say("nonsense\n")).toBe("");
  expect(await say("7\n")).toBe("");
  expect(await say("x".repeat(1024 * 1024 + 1))).toBe("");
  // Without a hello.
  const silent = connect(address.path);
  silent.write('{"type":"take_over","shutdownMs":0}\n{"type":"release_admin"}\n{"type":"x"}\n');
  silent.resume();
  await once(silent, "close");
  expect(host.events).toEqual([]);
  expect(host.refused).toBe(6);
  expect((await find()).epoch).toBe(3);
});

test("a place is taken while somebody listens there, and free after a crash", async () => {
  await expect(TakeoverOffer.open(address, host)).rejects.toThrow("EADDRINUSE");
  expect(statSync(address.path).mode & 0o777).toBe(0o600);
  const stale = { path: join(folder, "stale"), mode: 0o640 };
  const code = `require("node:net").createServer().listen(${JSON.stringify(stale.path)}, () => process.kill(process.pid, 9))`;
  const { spawnSync } = await import("node:child_process");
  spawnSync(process.execPath, ["-e", code]);
  expect(existsSync(stale.path)).toBe(true);
  expect(await Predecessor.find(stale)).toBeNull();
  const fresh = await TakeoverOffer.open(stale, host);
  expect(statSync(stale.path).mode & 0o777).toBe(0o640);
  fresh.close();
});

test("a process that does not speak the protocol is not followed", async () => {
  const other = { path: join(folder, "other"), mode: 0o600 };
  const server = createServer((socket) => socket.end("220 hello\r\n"));
  server.listen(other.path);
  await once(server, "listening");
  await expect(Predecessor.find(other)).rejects.toThrow("it ended the conversation");
  server.close();
});

test("the default folder must be the user's alone; paths must fit", () => {
  const before = process.env["TMPDIR"];
  process.env["TMPDIR"] = folder;
  try {
    const place = takeoverAddress(7, "", 0o600);
    expect(place.path).toMatch(/headgate-\d+\/base-7\.sock$/);
    expect(prepareFolder(place, "")).toBe("");
    chmodSync(join(place.path, ".."), 0o770);
    expect(prepareFolder(place, "")).toContain("is not a folder of this user alone");
    rmSync(join(place.path, ".."), { recursive: true });
    writeFileSync(join(place.path, ".."), "");
    expect(prepareFolder(place, "")).not.toBe("");
  } finally {
    if (before === undefined) delete process.env["TMPDIR"];
    else process.env["TMPDIR"] = before;
  }
  expect(takeoverAddress(7, "/run/p", 0o600).path).toBe("/run/p_7");
  const long = `/${"x".repeat(110)}`;
  expect(prepareFolder(takeoverAddress(7, long, 0o600), long)).toContain("longer than 107 bytes");
});

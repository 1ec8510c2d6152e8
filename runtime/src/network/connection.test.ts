import { expect, test } from "vitest";
import { FakeTime } from "../../test/fake-time.ts";
import { Clock } from "../core/clock.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import type { NetworkFilter } from "../filter/network-filter.ts";
import { connectionInfoOf, ListenPlace, socketAddressText, toListenAddress } from "./addresses.ts";
import { Connection } from "./connection.ts";
import { FakeIo } from "./fake-io-for-test.ts";

class Recorder implements NetworkFilter {
  readonly events: string[] = [];
  onNewConnection(): void {
    this.events.push("new");
  }
  onData(buffer: Buffer, length: number): void {
    this.events.push(`data ${buffer.toString("latin1", 0, length)}`);
  }
  onEnd(): void {
    this.events.push("end");
  }
  onWritable(): void {
    this.events.push("writable");
  }
  onClose(remote: boolean): void {
    this.events.push(remote ? "closed by peer" : "closed by us");
  }
  onDelayedCloseTimeout(): void {
    this.events.push("timeout");
  }
  onTimeoutsChanged(): void {}
  onShutdown(): void {
    this.events.push("shutdown");
  }
}

class World {
  readonly time = new FakeTime();
  readonly io = new FakeIo();
  readonly filter = new Recorder();
  readonly connection: Connection;
  closedCount = 0;

  constructor() {
    const clock = new Clock(this.time);
    const runTurn = (callback: () => void): void => {
      clock.update();
      callback();
    };
    const timers = new TimerWheel(clock, runTurn, this.time);
    const owner = {
      onConnectionClosed: (): void => {
        this.closedCount += 1;
      },
    };
    const info = connectionInfoOf(this.io, new ListenPlace(this.io.localAddress), 7, clock.nowMs);
    this.connection = new Connection(info, this.io, owner, timers, () => clock.nowMs);
    this.connection.setFilter(this.filter);
  }

  read(text: string): void {
    this.connection.onRead(Buffer.from(text), text.length);
  }

  pass(ms: number): void {
    this.time.advance(ms, () => {});
  }
}

test("hands events on, and knows its addresses", () => {
  const w = new World();
  w.read("abc");
  w.connection.onWritable();
  w.connection.onEnd();
  w.connection.shutdown();
  expect(w.filter.events).toEqual(["data abc", "writable", "end", "shutdown"]);
  expect(w.connection.info.directRemoteAddress).toBe("127.0.0.1:40000");
  expect(w.connection.info.localPort).toBe(10_000);
});

test("closes at once without a delay; the filter hears of it once", () => {
  const w = new World();
  w.connection.closeAfterFlush(0);
  w.connection.closeAfterFlush(0);
  w.connection.closeNow();
  w.connection.onClose();
  expect(w.io.fate).toBe("closed");
  expect(w.filter.events).toEqual(["closed by us"]);
  expect(w.closedCount).toBe(1);
});

test("waits for the peer to close first, dropping what it sends", () => {
  const w = new World();
  w.connection.closeAfterFlush(1000);
  w.read("late");
  w.connection.onWritable();
  expect(w.io.fate).toBe("open");
  w.connection.onEnd();
  expect(w.io.fate).toBe("closed");
  w.pass(2000);
  expect(w.filter.events).toEqual(["closed by peer"]);
});

test("sends FIN first when asked to, and drops what crosses it", () => {
  const w = new World();
  w.connection.closeAfterFin(1000);
  w.connection.closeAfterFin(1000);
  w.read("late");
  expect([w.io.isShutdown, w.io.fate]).toEqual([true, "open"]);
  w.connection.onEnd();
  expect(w.io.fate).toBe("closed");
  expect(w.filter.events).toEqual(["closed by peer"]);
  const atOnce = new World();
  atOnce.connection.closeAfterFin(0);
  expect([atOnce.io.isShutdown, atOnce.io.fate]).toEqual([false, "closed"]);
});

test("waits no longer than the delay", () => {
  const w = new World();
  w.connection.closeAfterFlush(1000);
  w.pass(900);
  expect(w.io.fate).toBe("open");
  w.pass(200);
  expect(w.io.fate).toBe("closed");
  expect(w.filter.events).toEqual(["timeout", "closed by us"]);
});

test("is reset when the peer has not even taken the answer by then", () => {
  const w = new World();
  w.io.writeQueueBytes = 5;
  w.connection.closeAfterFlush(1000);
  w.pass(1100);
  expect(w.io.fate).toBe("reset");
});

test("gives a peer that takes the answer slowly the delay anew, as often as it takes some", () => {
  const w = new World();
  w.io.writeQueueBytes = 500;
  w.connection.closeAfterFlush(1000);
  for (const left of [400, 300, 1]) {
    w.io.writeQueueBytes = left;
    w.pass(1100);
    expect(w.io.fate).toBe("open");
  }
  w.pass(1100);
  expect(w.io.fate).toBe("reset");
  expect(w.filter.events).toEqual(["timeout", "closed by us"]);
});

test("gives a peer the whole delay from the moment when the answer has left", () => {
  const w = new World();
  w.io.writeQueueBytes = 500;
  w.connection.closeAfterFlush(1000);
  w.pass(900);
  w.io.writeQueueBytes = 0;
  w.connection.onWritable();
  w.pass(900);
  expect(w.io.fate).toBe("open");
  w.pass(300);
  expect(w.io.fate).toBe("closed");
});

test("closed, resets a peer that takes nothing of its last bytes for the flush timeout", () => {
  const w = new World();
  w.connection.setFlushTimeout(1000);
  w.io.drainsOnClose = true;
  w.io.writeQueueBytes = 500;
  w.connection.closeAfterFlush(0);
  expect(w.filter.events).toEqual(["closed by us"]);
  w.pass(900);
  w.io.writeQueueBytes = 400;
  w.pass(900);
  expect(w.io.fate).toBe("closed");
  w.pass(1200);
  expect(w.io.fate).toBe("reset");
  expect(w.filter.events).toEqual(["closed by us"]);
});

test("closed, leaves a peer alone that takes its last bytes in time", () => {
  const w = new World();
  w.connection.setFlushTimeout(1000);
  w.io.drainsOnClose = true;
  w.io.writeQueueBytes = 500;
  w.connection.closeAfterFlush(0);
  w.pass(900);
  w.io.writeQueueBytes = 0;
  w.pass(2000);
  expect(w.io.fate).toBe("closed");
});

test("is reset when bytes were dropped and the peer does not close", () => {
  const w = new World();
  w.connection.closeAfterFlush(1000);
  w.read("late");
  w.pass(900);
  expect(w.io.fate).toBe("open");
  w.pass(200);
  expect(w.io.fate).toBe("reset");
  expect(w.filter.events).toEqual(["timeout", "closed by us"]);
});

test("that breaks is closed by the peer", () => {
  const w = new World();
  w.connection.onClose();
  expect(w.filter.events).toEqual(["closed by peer"]);
  w.read("x");
  expect(w.filter.events.length).toBe(1);
});

test("a peer on a unix socket bears the listener's path", () => {
  const target = { address: "/run/a.sock", port: 0, family: "unix" } as const;
  const info = connectionInfoOf(new FakeIo(), new ListenPlace(target), 7, 0);
  expect([info.remoteAddress, info.remoteIp, info.remotePort]).toEqual([
    "/run/a.sock",
    "/run/a.sock",
    0,
  ]);
  expect(info.localAddress).toBe("/run/a.sock");
});

test("a socket is asked for its own address only where connections may have different ones", () => {
  const askedAt = (address: string): number => {
    const place = new ListenPlace({ address, port: 0, family: "ipv4" });
    let asked = 0;
    const io = Object.defineProperty(new FakeIo(), "localAddress", {
      get: () => {
        asked += 1;
        return { address: "127.0.0.1", port: 10_000, family: "ipv4" };
      },
    });
    for (let i = 0; i < 3; i += 1) {
      expect(connectionInfoOf(io, place, 7, 0).localAddress).toBe("127.0.0.1:10000");
    }
    return asked;
  };
  expect([askedAt("127.0.0.1"), askedAt("0.0.0.0"), askedAt("::")]).toEqual([1, 3, 3]);
});

test("addresses are written as in logs", () => {
  expect(socketAddressText({ address: "::1", port: 80, family: "ipv6" })).toBe("[::1]:80");
  expect(socketAddressText({ address: "@x", port: 0, family: "unix" })).toBe("@x");
  const ip = { kind: "ip", address: "::", port: 5, ipv4Compat: false, pipeMode: 0 } as const;
  expect(toListenAddress(ip, 6)).toEqual({ address: "::", port: 6, family: "ipv6" });
  expect(toListenAddress({ ...ip, kind: "pipe", address: "/s" }, 6).family).toBe("unix");
});

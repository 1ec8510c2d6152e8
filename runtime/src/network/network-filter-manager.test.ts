import { describe, expect, test } from "vitest";
import { FakeTime } from "../../test/fake-time.ts";
import type { BufferQueue } from "../core/buffer-queue.ts";
import { Clock } from "../core/clock.ts";
import { TimerWheel } from "../core/timer-wheel.ts";
import { NetworkFilterStatus } from "../filter/network-filter.ts";
import { type Counter, StatsStore } from "../stats/store.ts";
import type {
  NetworkFilter,
  NetworkFilterCallbacks,
  NetworkFilterFactory,
  PassingFilterCallbacks,
  PassingFilterFactory,
  PassingNetworkFilter,
} from "../filter/network-filter.ts";
import { connectionInfoOf, ListenPlace } from "./addresses.ts";
import { Connection } from "./connection.ts";
import { DirectResponseFactory } from "./direct-response-filter.ts";
import { echoFactory } from "./echo-filter.ts";
import { FakeIo } from "./fake-io-for-test.ts";
import { NetworkFilterChain } from "./network-filter-manager.ts";

const { Continue, StopIteration } = NetworkFilterStatus;
const BYTES_MAX = 10;

/** Notes what it is told; answers what the test sets. */
class Passing implements PassingNetworkFilter {
  readonly name: string;
  readonly events: string[];
  readonly callbacks: PassingFilterCallbacks;
  onNew: () => NetworkFilterStatus = () => Continue;
  onRead: (data: BufferQueue, end: boolean) => NetworkFilterStatus = () => Continue;
  onSent: (data: BufferQueue, end: boolean) => NetworkFilterStatus = () => Continue;

  constructor(name: string, events: string[], callbacks: PassingFilterCallbacks) {
    this.name = name;
    this.events = events;
    this.callbacks = callbacks;
  }
  onNewConnection(): NetworkFilterStatus {
    this.events.push(`${this.name} new`);
    return this.onNew();
  }
  onData(data: BufferQueue, end: boolean): NetworkFilterStatus {
    this.events.push(`${this.name} data ${data.toString()}${end ? " end" : ""}`);
    return this.onRead(data, end);
  }
  onWrite(data: BufferQueue, end: boolean): NetworkFilterStatus {
    this.events.push(`${this.name} write ${data.toString()}${end ? " end" : ""}`);
    return this.onSent(data, end);
  }
  onClose(remote: boolean): void {
    this.events.push(`${this.name} closed ${remote ? "by peer" : "by us"}`);
  }
}

/** The end of the chain: notes, and lets the test act on the connection. */
class Terminal implements NetworkFilter {
  readonly events: string[];
  readonly callbacks: NetworkFilterCallbacks;
  onBytes: (text: string) => void = () => {};

  constructor(events: string[], callbacks: NetworkFilterCallbacks) {
    this.events = events;
    this.callbacks = callbacks;
  }
  onNewConnection(): void {
    this.events.push("terminal new");
  }
  onData(buffer: Buffer, length: number): void {
    const text = buffer.toString("latin1", 0, length);
    this.events.push(`terminal data ${text}`);
    this.onBytes(text);
  }
  onEnd(): void {
    this.events.push("terminal end");
  }
  onWritable(): void {
    this.events.push("terminal writable");
  }
  onClose(remote: boolean): void {
    this.events.push(`terminal closed ${remote ? "by peer" : "by us"}`);
  }
  onDelayedCloseTimeout(): void {}
  onTimeoutsChanged(): void {}
  onShutdown(): void {
    this.events.push("terminal shutdown");
  }
}

class World {
  readonly io = new FakeIo();
  readonly events: string[] = [];
  readonly filters: Passing[] = [];
  readonly connection: Connection;
  terminal: Terminal | null = null;
  readonly #stats: StatsStore = new StatsStore({ slotsMax: 4096 });
  readonly pausedReading: Counter = this.#stats.counter("paused_reading_total");
  readonly backedUp: Counter = this.#stats.counter("backed_up_total");

  /** `prepare` is called with each filter before the connection starts. */
  constructor(names: string, prepare: (filter: Passing) => void = () => {}) {
    const clock = new Clock(new FakeTime());
    const timers = new TimerWheel(clock, (callback) => callback(), new FakeTime());
    const info = connectionInfoOf(this.io, new ListenPlace(this.io.localAddress), 7, clock.nowMs);
    const owner = { onConnectionClosed: (): void => {} };
    this.connection = new Connection(info, this.io, owner, timers, () => clock.nowMs);
    const factories = names.split("").map((name): PassingFilterFactory => {
      const createFilter = (callbacks: PassingFilterCallbacks): Passing => {
        const filter = new Passing(name, this.events, callbacks);
        this.filters.push(filter);
        prepare(filter);
        return filter;
      };
      return { createFilter };
    });
    const terminal: NetworkFilterFactory = {
      createFilter: (callbacks) => (this.terminal = new Terminal(this.events, callbacks)),
    };
    const chain = new NetworkFilterChain(factories, terminal, {
      bytesMax: BYTES_MAX,
      pausedReading: this.pausedReading,
      backedUp: this.backedUp,
    });
    this.connection.setFilter(chain.createFilter(this.connection));
    this.connection.start();
  }

  filter(name: string): Passing {
    return this.filters.find((filter) => filter.name === name) as Passing;
  }

  /** What has happened since the last call. */
  take(): string[] {
    return this.events.splice(0);
  }

  read(text: string): void {
    this.connection.onRead(Buffer.from(text), text.length);
  }
}

test("bytes pass the filters in order, and back in reverse", () => {
  const world = new World("ab");
  expect(world.take()).toEqual(["a new", "b new", "terminal new"]);
  world.read("hi");
  expect(world.take()).toEqual(["a data hi", "b data hi", "terminal data hi"]);
  world.terminal?.callbacks.io.writeText("yo");
  expect(world.take()).toEqual(["b write yo", "a write yo"]);
  expect(world.io.sent).toBe("yo");
  world.connection.onEnd();
  expect(world.take()).toEqual(["a data  end", "b data  end", "terminal end"]);
  world.terminal?.callbacks.io.shutdownWrite();
  expect(world.take()).toEqual(["b write  end", "a write  end"]);
  expect(world.io.isShutdown).toBe(true);
  world.connection.onClose();
  expect(world.take()).toEqual(["a closed by peer", "b closed by peer", "terminal closed by peer"]);
});

test("filters change what passes", () => {
  const world = new World("a", (filter) => {
    filter.onRead = (data): NetworkFilterStatus => {
      data.replace(0, 1, Buffer.from("J"));
      return Continue;
    };
    filter.onSent = (data): NetworkFilterStatus => {
      data.append(Buffer.from("!"));
      return Continue;
    };
  });
  world.read("hello");
  world.terminal?.callbacks.io.writeLent(Buffer.from("..yo"), 2, 4);
  expect(world.events).toContain("terminal data Jello");
  expect(world.io.sent).toBe("yo!");
  expect(world.terminal?.callbacks.wire).toMatchObject({ received: 5, sent: 3 });
});

test("a stopped connection reaches the next filter when bytes pass, or on continueReading", () => {
  const stop = (filter: Passing): void => {
    filter.onNew = (): NetworkFilterStatus => StopIteration;
  };
  const byBytes = new World("ab", (filter) => filter.name === "a" && stop(filter));
  expect(byBytes.take()).toEqual(["a new"]);
  byBytes.read("x");
  expect(byBytes.take()).toEqual([
    "a data x",
    "b new",
    "b data x",
    "terminal new",
    "terminal data x",
  ]);
  const byCall = new World("ab", (filter) => filter.name === "a" && stop(filter));
  byCall.filter("a").callbacks.continueReading();
  expect(byCall.take()).toEqual(["a new", "b new", "terminal new"]);
});

test("a filter that stops collects; all filters are asked again with everything", () => {
  const world = new World("ab");
  world.take();
  let wants = 4;
  world.filter("b").onRead = (data): NetworkFilterStatus =>
    data.length >= wants ? Continue : StopIteration;
  world.read("ab");
  expect(world.take()).toEqual(["a data ab", "b data ab"]);
  world.read("cd");
  expect(world.take()).toEqual(["a data abcd", "b data abcd", "terminal data abcd"]);
  wants = 99;
  world.read("ef");
  expect(world.filter("a").callbacks.readBuffer.toString()).toBe("ef");
  world.take();
  world.filter("b").callbacks.continueReading();
  expect(world.take()).toEqual(["terminal data ef"]);
});

test("more than the limit held stops the reading until it goes on", () => {
  const world = new World(
    "a",
    (filter) => (filter.onRead = (): NetworkFilterStatus => StopIteration),
  );
  world.read("0123456789");
  expect(world.io.readDisables).toBe(0);
  world.read("x");
  expect(world.io.readDisables).toBe(1);
  expect(world.pausedReading.value).toBe(1);
  world.filter("a").callbacks.continueReading();
  expect(world.io.readDisables).toBe(0);
  expect(world.pausedReading.value).toBe(1);
  expect(world.events).toContain("terminal data 0123456789x");
});

test("what the terminal filter puts back comes again without the filters, in order", () => {
  const world = new World("a");
  const terminal = world.terminal as Terminal;
  terminal.onBytes = (text): void => {
    if (text === "123" || text === "23") terminal.callbacks.io.unread(Buffer.from(text.slice(1)));
  };
  world.take();
  world.read("123");
  expect(world.io.unreadBytes.join()).toBe("23");
  expect(world.take()).toEqual(["a data 123", "terminal data 123"]);
  // The engine gives back what it was given, together with what came since.
  world.read("2345");
  expect(world.take()).toEqual(["terminal data 23", "a data 45"]);
  world.read("367");
  expect(world.take()).toEqual([
    "terminal data 3",
    "terminal data 45",
    "a data 67",
    "terminal data 67",
  ]);
});

describe("writes that a filter stops", () => {
  const holding = (filter: Passing): void => {
    filter.onSent = (): NetworkFilterStatus => StopIteration;
  };

  test("wait, with the end, until it goes on", () => {
    const world = new World("ab", (filter) => filter.name === "b" && holding(filter));
    const { io } = (world.terminal as Terminal).callbacks;
    expect(io.writeText("one")).toBe(true);
    expect(io.writeQueueBytes).toBe(3);
    io.shutdownWrite();
    expect(world.io.sent).toBe("");
    expect(world.io.isShutdown).toBe(false);
    world.take();
    world.filter("b").callbacks.continueWriting();
    expect(world.take()).toEqual(["a write one end"]);
    expect(world.io.sent).toBe("one");
    expect(world.io.isShutdown).toBe(true);
    expect(io.writeQueueBytes).toBe(0);
  });

  test("stop the writer above the limit, who hears when all has left", () => {
    const world = new World("a", holding);
    const { io } = (world.terminal as Terminal).callbacks;
    expect(io.writeText("01234567890")).toBe(false);
    expect(world.backedUp.value).toBe(1);
    world.take();
    world.filter("a").callbacks.continueWriting();
    expect(world.take()).toEqual(["terminal writable"]);
    expect(world.io.sent).toBe("01234567890");
  });
});

test("a slow peer is the terminal filter's to know", () => {
  const world = new World("a");
  world.io.isFast = false;
  expect(world.terminal?.callbacks.io.writeText("x")).toBe(false);
  world.connection.onWritable();
  expect(world.take()).toContain("terminal writable");
});

test("a filter that closes ends the iteration", () => {
  const world = new World("ab", (filter) => {
    if (filter.name !== "a") return;
    filter.onRead = (): NetworkFilterStatus => {
      filter.callbacks.closeAfterFlush(0);
      return Continue;
    };
  });
  world.take();
  world.read("x");
  expect(world.take()).toEqual([
    "a data x",
    "a closed by us",
    "b closed by us",
    "terminal closed by us",
  ]);
  expect(world.io.fate).toBe("closed");
});

test("a filter may close at once, before the terminal filter hears of the connection", () => {
  const world = new World("a", (filter) => {
    filter.onNew = (): NetworkFilterStatus => {
      filter.callbacks.closeNow();
      return Continue;
    };
  });
  expect(world.take()).toEqual(["a new", "a closed by us", "terminal closed by us"]);
  expect(world.io.fate).toBe("reset");
});

test("the listener's end is for the terminal filter", () => {
  const world = new World("a");
  world.connection.shutdown();
  expect(world.take()).toContain("terminal shutdown");
});

describe("terminal filters of their own", () => {
  function connectionOn(factory: NetworkFilterFactory): { io: FakeIo; connection: Connection } {
    const clock = new Clock(new FakeTime());
    const io = new FakeIo();
    const info = connectionInfoOf(io, new ListenPlace(io.localAddress), 7, clock.nowMs);
    const timers = new TimerWheel(clock, (callback) => callback(), new FakeTime());
    const owner = { onConnectionClosed: (): void => {} };
    const connection = new Connection(info, io, owner, timers, () => clock.nowMs);
    connection.setFilter(factory.createFilter(connection));
    connection.start();
    return { io, connection };
  }

  test("echo answers with what came, as fast as the client reads, and ends with it", () => {
    const { io, connection } = connectionOn(echoFactory);
    connection.onRead(Buffer.from("abc__"), 3);
    expect(io.sent).toBe("abc");
    io.isFast = false;
    connection.onRead(Buffer.from("d"), 1);
    expect(io.readDisables).toBe(1);
    connection.onWritable();
    expect(io.readDisables).toBe(0);
    connection.onEnd();
    expect(io.fate).toBe("closed");
  });

  test("direct_response says its words and closes", () => {
    const { io } = connectionOn(new DirectResponseFactory(Buffer.from("bye\n")));
    expect(io.sent).toBe("bye\n");
    expect(io.fate).toBe("closed");
  });
});

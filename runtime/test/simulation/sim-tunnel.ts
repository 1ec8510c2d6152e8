// Tunnels and TCP proxy streams: a client and an upstream that say agreed bytes to each other in both
// directions at once, through each of the ways that the proxy has for raw bytes. Every byte is checked
// where it arrives; judgeTunnels() asks whether all of them did.
import type { Dice } from "../../src/engine-sim/dice.ts";
import type { SimEngine } from "../../src/engine-sim/sim-engine.ts";
import type { IoEvents, IoHandle, ListenEvents } from "../../src/engine/network-engine.ts";
import { tunnelPorts, type TunnelWay, type UpstreamAddress } from "./bootstrap-yaml.ts";
import type { Party } from "./party.ts";

const listenOptions = { reusePort: false, backlog: 0, ipv4Compat: false, mode: 0 };
/** Longer than any timeout of the configuration. */
const giveUpMs = 900_000;
/** Who has said the end and all of whose bytes are there is heard within this time; an idle timeout has 120 s. */
const endMsMax = 60_000;
/** The stream to the upstream begins with the tunnel's number. */
const idBytes = 8;

const asks: Readonly<Record<TunnelWay, string>> = {
  raw: "",
  through: "",
  ended: "CONNECT sim:1 HTTP/1.1\r\nHost: sim:1\r\n\r\n",
  upgrade: "GET / HTTP/1.1\r\nHost: sim\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
};
const switched =
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/** What is to pass in one direction, and how much of it has arrived. */
class Flow {
  readonly bytes: number;
  readonly #salt: number;
  sent = 0;
  received = 0;
  /** The receiver has seen the end. */
  isEnded = false;
  /** How long after the last byte, or after it was said; 0 where the sender did not say it. */
  endMs = 0;
  #heardMs = 0;
  #saidMs = Number.POSITIVE_INFINITY;

  constructor(bytes: number, salt: number) {
    this.bytes = bytes;
    this.#salt = salt;
  }

  #at(offset: number): number {
    return (Math.imul(offset + this.#salt, 0x9e3779b1) >>> 13) & 0xff;
  }

  /** The next piece. */
  take(size: number): Buffer {
    const piece = Buffer.alloc(Math.min(size, this.bytes - this.sent));
    for (let i = 0; i < piece.length; i += 1) piece[i] = this.#at(this.sent + i);
    this.sent += piece.length;
    return piece;
  }

  sayEnd(nowMs: number): void {
    this.#saidMs = nowMs;
  }

  hearEnd(nowMs: number): void {
    this.isEnded = true;
    this.endMs = Math.max(0, nowMs - Math.max(this.#heardMs, this.#saidMs));
  }

  /** "" or what is wrong with bytes that arrived. */
  accept(bytes: Buffer, nowMs: number): string {
    this.#heardMs = nowMs;
    if (this.isEnded) return "bytes after the end";
    for (let i = 0; i < bytes.length; i += 1) {
      if (bytes[i] !== this.#at(this.received + i)) return `another byte at ${this.received + i}`;
    }
    this.received += bytes.length;
    return this.received > this.sent ? "more than was sent" : "";
  }
}

type Ending = "none" | "client-reset" | "client-close" | "upstream-reset" | "upstream-close";

/** One tunnel: what both its sides share. */
export class Tunnel implements IoEvents {
  readonly id: number;
  readonly way: TunnelWay;
  readonly up: Flow;
  readonly down: Flow;
  /** Why it may be incomplete; "" = it may not. */
  excuse = "";
  isDone = false;
  /** The client says FIN behind its last byte, when it has heard all; otherwise the upstream does. */
  readonly clientEndsFirst: boolean;
  /** The upstream does not know when it has heard all: it waits for the client's FIN. */
  readonly awaitsEnd: boolean;
  readonly #party: Party;
  readonly #dice: Dice;
  readonly #ending: Ending;
  #io: IoHandle | null = null;
  #isBlocked = false;
  #isAsked = false;
  #isOpen: boolean;
  #head = "";
  #isHalfClosed = false;
  upstream: TunnelEnd | null = null;

  constructor(id: number, party: Party, dice: Dice, bytesMax: number) {
    this.id = id;
    this.#party = party;
    this.#dice = dice;
    this.way = dice.pick(["raw", "ended", "upgrade", "through"]);
    this.up = new Flow(sizeOf(dice, bytesMax), id * 7919);
    this.down = new Flow(sizeOf(dice, bytesMax), id * 104_729);
    this.#ending = dice.weighted({
      none: 8,
      "client-reset": 1,
      "client-close": 1,
      "upstream-reset": 1,
      "upstream-close": 1,
    });
    this.clientEndsFirst = this.way === "through" && dice.chance(0.5);
    this.awaitsEnd = this.way === "raw" && dice.chance(0.5);
    this.#isOpen = asks[this.way] === "";
  }

  start(): void {
    this.#io = this.#party.connect(tunnelPorts[this.way], this);
    this.#party.later(giveUpMs, "give-up", this.id, () => this.#giveUp());
    this.#party.readSlowly(this.id, this.#io, () => !this.isDone);
    if (this.#ending === "none") return;
    this.#party.later(this.#dice.spread(1, 400), this.#ending, this.id, () => this.#breakOff());
  }

  describe(): string {
    const { up, down } = this;
    const count = (flow: Flow): string => `${flow.received}/${flow.sent}/${flow.bytes}`;
    return `tunnel ${this.id} ${this.way} ${this.#ending} up ${count(up)} down ${count(down)}`;
  }

  // ---- The client's events.

  onConnect(): void {
    const ask = asks[this.way];
    const number = this.id.toString(16).padStart(idBytes, "0");
    // As often right behind the request as after the answer.
    this.#isAsked = this.#isOpen || this.#dice.chance(0.5);
    this.#write(Buffer.from(this.#isAsked ? ask + number : ask, "latin1"));
    if (this.#isAsked) this.#sendMore();
  }

  onRead(buffer: Buffer, length: number): void {
    let bytes = buffer.subarray(0, length);
    if (!this.#isOpen) {
      this.#head += bytes.toString("latin1");
      const end = this.#head.indexOf("\r\n\r\n") + 4;
      if (end < 4) return;
      const head = this.#head.slice(0, end);
      if (!/^HTTP\/1.1 (101|200) /.test(head)) {
        this.#over(`answered ${head.slice(9, 12)}`);
        this.#io?.reset();
        return;
      }
      this.#isOpen = true;
      bytes = Buffer.from(this.#head.slice(end), "latin1");
      if (!this.#isAsked) {
        this.#write(Buffer.from(this.id.toString(16).padStart(idBytes, "0"), "latin1"));
        this.#sendMore();
      }
    }
    const problem = this.down.accept(bytes, this.#party.nowMs);
    if (problem !== "") this.fail(`the client got ${problem}`);
    this.#endIfAll();
  }

  onWritable(): void {
    this.#isBlocked = false;
    this.#sendMore();
  }

  onEnd(): void {
    this.down.hearEnd(this.#party.nowMs);
    if (this.isDone) return;
    this.isDone = true;
    this.#io?.close();
  }

  onClose(): void {
    if (!this.isDone) this.#over("the client's connection broke");
  }

  // ---- Both sides.

  fail(problem: string): never {
    return this.#party.fail(`${this.describe()}: ${problem}`, undefined);
  }

  #write(bytes: Buffer): void {
    if (this.#io?.write(bytes) === false) this.#isBlocked = true;
  }

  #sendMore(): void {
    if (this.isDone || this.#isBlocked) return;
    if (this.up.sent < this.up.bytes) {
      this.#write(this.up.take(this.#dice.spread(1, 20_000)));
      this.#party.later(this.#dice.spread(0, 20), "up", this.id, () => this.#sendMore());
    }
    this.#endIfAll();
  }

  /** In the same turn as the last byte, or later. */
  #endIfAll(): void {
    const { up, down } = this;
    if (this.isDone || this.#isHalfClosed || !this.#isOpen || up.sent < up.bytes) return;
    const mayEnd = this.way === "raw" || (this.clientEndsFirst && down.received === down.bytes);
    if (!mayEnd) return;
    this.#isHalfClosed = true;
    up.sayEnd(this.#party.nowMs);
    this.#io?.shutdownWrite();
  }

  #breakOff(): void {
    if (this.isDone) return;
    this.excuse = this.#ending;
    if (this.#ending.startsWith("upstream")) {
      this.upstream?.breakOff(this.#ending === "upstream-reset");
      return;
    }
    this.isDone = true;
    if (this.#ending === "client-reset") this.#io?.reset();
    else this.#io?.close();
  }

  #giveUp(): void {
    if (this.isDone) return;
    this.#over("given up");
    this.#io?.reset();
  }

  #over(why: string): void {
    this.isDone = true;
    if (this.excuse === "") this.excuse = `? ${why}`;
  }
}

/** A host of tunnels: takes raw bytes, or an upgrade or CONNECT first. */
export class TunnelHost implements ListenEvents {
  readonly #party: Party;
  readonly #dice: Dice;
  readonly #speaksHttp: boolean;
  readonly tunnels: ReadonlyMap<number, Tunnel>;

  constructor(party: Party, dice: Dice, tunnels: ReadonlyMap<number, Tunnel>, speaksHttp: boolean) {
    this.#party = party;
    this.#dice = dice;
    this.#speaksHttp = speaksHttp;
    this.tunnels = tunnels;
  }

  listen(engine: SimEngine, address: UpstreamAddress): void {
    engine.listen({ ...address, family: "ipv4" }, listenOptions, this);
  }

  onListening(): void {}

  onError(code: string): void {
    this.#party.fail(`a host of tunnels cannot listen: ${code}`, undefined);
  }

  onAccept(io: IoHandle): IoEvents {
    return new TunnelEnd(this, io, this.#party, this.#dice.fork(), this.#speaksHttp);
  }
}

/** The upstream's end of one tunnel. */
class TunnelEnd implements IoEvents {
  readonly #host: TunnelHost;
  readonly #io: IoHandle;
  readonly #party: Party;
  readonly #dice: Dice;
  #needsHead: boolean;
  #text = "";
  #tunnel: Tunnel | null = null;
  #isBlocked = false;
  #isShut = false;
  #isGone = false;

  constructor(host: TunnelHost, io: IoHandle, party: Party, dice: Dice, speaksHttp: boolean) {
    this.#host = host;
    this.#io = io;
    this.#party = party;
    this.#dice = dice;
    this.#needsHead = speaksHttp;
  }

  breakOff(withReset: boolean): void {
    if (this.#isGone) return;
    this.#isGone = true;
    if (withReset) this.#io.reset();
    else this.#io.close();
  }

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    if (this.#tunnel !== null) {
      this.#accept(this.#tunnel, buffer.subarray(0, length));
      return;
    }
    this.#text += buffer.toString("latin1", 0, length);
    if (this.#needsHead) {
      const end = this.#text.indexOf("\r\n\r\n") + 4;
      if (end < 4) return;
      const answer = this.#text.startsWith("CONNECT ") ? "HTTP/1.1 200 OK\r\n\r\n" : switched;
      this.#needsHead = false;
      this.#text = this.#text.slice(end);
      this.#io.writeText(answer);
    }
    if (this.#text.length < idBytes) return;
    const tunnel = this.#host.tunnels.get(Number.parseInt(this.#text.slice(0, idBytes), 16));
    if (tunnel === undefined) {
      this.#party.fail(`no tunnel begins with ${this.#text.slice(0, idBytes)}`, undefined);
    }
    if (tunnel.upstream !== null) tunnel.fail("a second connection carries it");
    tunnel.upstream = this;
    this.#tunnel = tunnel;
    this.#party.readSlowly(tunnel.id, this.#io, () => !this.#isGone);
    this.#sendMore();
    this.#accept(tunnel, Buffer.from(this.#text.slice(idBytes), "latin1"));
  }

  onWritable(): void {
    this.#isBlocked = false;
    this.#sendMore();
  }

  onEnd(): void {
    const tunnel = this.#tunnel;
    this.#isGone = true;
    tunnel?.up.hearEnd(this.#party.nowMs);
    // Both sides have said all, or the tunnel is over.
    if (tunnel?.way === "raw" && tunnel.down.sent < tunnel.down.bytes) this.#isGone = false;
    else if (this.#isShut || tunnel?.way !== "raw") this.#io.close();
    else this.#shut();
  }

  onClose(): void {
    this.#isGone = true;
  }

  #accept(tunnel: Tunnel, bytes: Buffer): void {
    const problem = tunnel.up.accept(bytes, this.#party.nowMs);
    if (problem !== "") tunnel.fail(`the upstream got ${problem}`);
    this.#endIfAll(tunnel);
  }

  #sendMore(): void {
    const tunnel = this.#tunnel;
    if (tunnel === null || this.#isGone || this.#isBlocked || this.#isShut) return;
    if (tunnel.down.sent < tunnel.down.bytes) {
      if (!this.#io.write(tunnel.down.take(this.#dice.spread(1, 20_000)))) this.#isBlocked = true;
      this.#party.later(this.#dice.spread(0, 20), "down", tunnel.id, () => this.#sendMore());
    } else this.#endIfAll(tunnel);
  }

  /** The upstream says the end, when it has said and heard all. */
  #endIfAll(tunnel: Tunnel): void {
    const { up, down } = tunnel;
    if (this.#isShut || tunnel.clientEndsFirst || (tunnel.awaitsEnd && !up.isEnded)) return;
    if (up.received === up.bytes && down.sent === down.bytes) this.#shut();
  }

  #shut(): void {
    this.#isShut = true;
    this.#tunnel?.down.sayEnd(this.#party.nowMs);
    this.#io.shutdownWrite();
  }
}

/** Mostly little, and as much as there may be often enough. */
function sizeOf(dice: Dice, bytesMax: number): number {
  return dice.chance(0.4) ? dice.between(bytesMax >> 1, bytesMax) : dice.spread(0, bytesMax);
}

/** All has arrived, where nothing has disturbed it. */
export function judgeTunnels(tunnels: Iterable<Tunnel>, isBroken: boolean): void {
  for (const tunnel of tunnels) {
    const { up, down, excuse } = tunnel;
    if (!tunnel.isDone) tunnel.fail("no end");
    if (isBroken || (excuse !== "" && !excuse.startsWith("?"))) continue;
    if (excuse !== "") tunnel.fail(`ended without a cause: ${excuse}`);
    const endMs = Math.max(up.endMs, down.endMs);
    if (endMs > endMsMax) tunnel.fail(`an end was heard after ${endMs} ms`);
    if (up.received < up.bytes || down.received < down.bytes) tunnel.fail("bytes are missing");
  }
}

// Clients that are connected when the process is told to stop, and speak only then: with TLS their handshakes have not
// begun, and some have a request, or have sent half of its head before. What they are owed is one answer, which tells
// them to leave, and a quick end.
import type { Dice } from "../../src/engine-sim/dice.ts";
import type { SimIo } from "../../src/engine-sim/sim-io.ts";
import { goodManners } from "../../src/engine-sim/sim-tls-io.ts";
import type { IoEvents } from "../../src/engine/network-engine.ts";
import { fieldOf, type Head, type MessageEvents, MessageReader } from "./message-reader.ts";
import type { PeerIo } from "./party.ts";
import type { RunPlan } from "./plan.ts";
import { secureClient } from "./secure-peers.ts";
import type { Simulation } from "./simulation.ts";

const latecomersMax = 6;
/** They are accepted by then, and silent for less than a worker that stops waits for those who have just come. */
const connectMs = 300;
/** All workers have heard that they shall stop. */
const hearMs = 100;
/** A second until the proxy believes that nobody asks, one of closing, late ticks; an idle timeout has eight. */
const leaveMsMax = 4000;

/** They connect, and time passes until they have; they speak a little later. Judged by the caller. */
export function latecomers(
  run: Simulation,
  dice: Dice,
  connect: (events: IoEvents) => SimIo,
): Latecomer[] {
  const all: Latecomer[] = [];
  if (!isPunctual(run.plan)) return all;
  for (let i = dice.between(1, latecomersMax); i > 0; i -= 1) {
    const manner = dice.pick(["is silent", "asks", "has begun"] as const);
    const latecomer = new Latecomer(run, connect, manner);
    all.push(latecomer);
    run.later(connectMs + hearMs, "speak", i, () => latecomer.speak());
  }
  run.loop.pass(connectMs);
  return all;
}

/** Nobody is turned away, and what is sent arrives soon. */
function isPunctual(plan: RunPlan): boolean {
  return plan.overload === null && !plan.isChoppy;
}

type Manner = "is silent" | "asks" | "has begun";
/** The half of a head, and the rest. */
const halves = ["GET /direct HTTP/1.1\r\nho", "st: late\r\n\r\n"] as const;

export class Latecomer implements IoEvents, MessageEvents {
  readonly #run: Simulation;
  readonly #manner: Manner;
  readonly #reader: MessageReader;
  #io: PeerIo;
  #isConnected: boolean;
  /** The handshake, if there is one, is over. */
  #isReady: boolean;
  /** Halves of its head that it may send. */
  #mayAsk: number;
  #asked: number;
  #isAnswered: boolean;
  #isOver: boolean;
  #sinceMs: number;
  #endMs: number;

  constructor(run: Simulation, connect: (events: IoEvents) => SimIo, manner: Manner) {
    this.#run = run;
    this.#manner = manner;
    this.#reader = new MessageReader(true, this);
    this.#isConnected = false;
    this.#isReady = false;
    this.#mayAsk = manner === "has begun" ? 1 : 0;
    this.#asked = 0;
    this.#isAnswered = false;
    this.#isOver = false;
    this.#sinceMs = run.loop.nowMs;
    this.#endMs = Number.POSITIVE_INFINITY;
    this.#io = connect(this);
  }

  speak(): void {
    if (this.#isOver || !this.#isConnected) return;
    this.#sinceMs = this.#run.loop.nowMs;
    if (this.#manner !== "is silent") this.#mayAsk = halves.length;
    if (this.#manner !== "has begun") this.#begin();
    this.#ask();
  }

  judge(): void {
    if (!this.#isConnected) return;
    const keptMs = this.#endMs - this.#sinceMs;
    if (keptMs > leaveMsMax) this.#run.fail(`a latecomer is kept for ${keptMs} ms`, undefined);
    // Whose handshake was cut short has asked nothing; a guest that traps may break what it has.
    const isOwed = this.#asked === halves.length && !this.#run.plan.has("wasmTraps");
    if (isOwed && !this.#isAnswered) this.#run.fail("a latecomer has no answer", undefined);
  }

  #begin(): void {
    if (this.#run.plan.tls.downstream) {
      this.#io = secureClient(this.#io as SimIo, this, goodManners);
    } else this.#isReady = true;
  }

  #ask(): void {
    while (this.#isReady && this.#asked < this.#mayAsk) {
      this.#io.writeText(halves[this.#asked] as string);
      this.#asked += 1;
    }
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#endMs = this.#run.loop.nowMs;
  }

  // ---- IoEvents.

  /** Of the bare connection, and once more when the handshake is over. */
  onConnect(): void {
    if (this.#isConnected) this.#isReady = true;
    else {
      this.#isConnected = true;
      if (this.#manner === "has begun") this.#begin();
    }
    this.#ask();
  }

  onRead(buffer: Buffer, length: number): void {
    this.#reader.read(buffer.subarray(0, length));
    if (this.#reader.error !== "") this.#run.fail(`a latecomer: ${this.#reader.error}`, undefined);
  }

  onWritable(): void {}

  onEnd(): void {
    if (!this.#isOver) this.#io.close();
    this.#end();
  }

  onClose(): void {
    this.#end();
  }

  // ---- MessageEvents.

  onHead(head: Head): void {
    if (fieldOf(head, "connection") !== "close")
      this.#run.fail(`a latecomer is not told to leave: ${head.startLine}`, undefined);
    this.#isAnswered = true;
  }

  onBody(): void {}

  onComplete(): void {}

  isBodiless(): boolean {
    return false;
  }
}

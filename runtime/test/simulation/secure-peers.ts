// TLS between the simulated proxy and its peers: clients and upstreams speak it when the plan says so, and strays come to
// the proxy's port who do not get through a handshake, each in a way of its own.
import { createSecureContext } from "node:tls";
import type { Dice } from "../../src/engine-sim/dice.ts";
import type { SimIo } from "../../src/engine-sim/sim-io.ts";
import { clientHello } from "../../src/engine-sim/sim-records.ts";
import { goodManners, SimTlsIo, type TlsManners } from "../../src/engine-sim/sim-tls-io.ts";
import { CloseReason, type IoEvents, type IoHandle } from "../../src/engine/network-engine.ts";
import type {
  TlsClientStart,
  TlsEvents,
  TlsFailure,
  TlsServerStart,
} from "../../src/engine/tls.ts";
import type { Party } from "./party.ts";

export interface TlsPlan {
  readonly downstream: boolean;
  readonly upstream: boolean;
  /** Strays, upstreams that refuse, peers that leave without close_notify. */
  readonly hasTroubles: boolean;
  /** The listener looks at first bytes. */
  readonly inspects: boolean;
}

export function newTlsPlan(dice: Dice): TlsPlan {
  const [downstream, upstream] = [dice.chance(0.25), dice.chance(0.25)];
  return { downstream, upstream, hasTroubles: dice.chance(0.5), inspects: dice.chance(0.3) };
}

const context = createSecureContext({});
const clientStart: TlsClientStart = {
  side: "client",
  context,
  protocols: ["http/1.1"],
  onKeyLog: null,
  serverName: "sim.example",
  session: null,
  onSession: null,
};
const serverStart: TlsServerStart = {
  side: "server",
  context,
  protocols: [],
  onKeyLog: null,
  chooseContext: null,
  clientCertificate: "none",
  staple: null,
  ticketKeys: { keys: [] },
  sessions: null,
};

/** Hides the handshake from who has no TlsEvents: it is a part of connecting. */
class Handshake implements TlsEvents {
  readonly #events: IoEvents;

  constructor(events: IoEvents) {
    this.#events = events;
  }

  onSecured(): void {
    this.#events.onConnect();
  }

  onHandshakeFailed({ code }: TlsFailure): void {
    this.#events.onClose(CloseReason.ConnectFailed, code);
  }

  onConnect(): void {}

  onRead(buffer: Buffer, length: number): void {
    this.#events.onRead(buffer, length);
  }

  onWritable(): void {
    this.#events.onWritable();
  }

  onEnd(): void {
    this.#events.onEnd();
  }

  onClose(reason: CloseReason, code: string): void {
    this.#events.onClose(reason, code);
  }
}

/** A client's end, which may not be connected yet. */
export function secureClient(io: SimIo, events: IoEvents, manners: TlsManners): SimTlsIo {
  return new SimTlsIo(io, clientStart, new Handshake(events), manners);
}

/** An upstream's end. */
export function secureServer(io: SimIo, manners: TlsManners): SimTlsIo {
  return new SimTlsIo(io, serverStart, new Handshake(nobody), manners);
}

/** As troubles have it; otherwise polite. */
export function drawManners(dice: Dice, { hasTroubles }: TlsPlan, mayRefuse: boolean): TlsManners {
  if (!hasTroubles) return goodManners;
  return { refuses: mayRefuse && dice.chance(0.1), isCurt: dice.chance(0.4) };
}

const nobody: IoEvents = {
  onConnect() {},
  onRead() {},
  onWritable() {},
  onEnd() {},
  onClose() {},
};

const hello = clientHello(clientStart);
const straysMax = 12;
const strayWays = ["text", "garbage", "part", "silence", "refusal", "nothing"] as const;

/** Connections without a request; the proxy must get rid of each. */
export function planStrays(party: Party, dice: Dice, connect: (events: IoEvents) => SimIo): void {
  for (let i = dice.between(1, straysMax); i > 0; i -= 1) {
    party.later(dice.spread(1, 2500), "stray", i, () => new Stray(dice, connect).start(party, i));
  }
}

class Stray implements IoEvents {
  readonly #way: (typeof strayWays)[number];
  readonly #dice: Dice;
  #io: IoHandle;
  #isOver: boolean;

  constructor(dice: Dice, connect: (events: IoEvents) => SimIo) {
    this.#way = dice.pick(strayWays);
    this.#dice = dice;
    this.#isOver = false;
    const io = connect(this);
    const speaksTls = this.#way === "refusal" || this.#way === "nothing";
    const manners = { refuses: this.#way === "refusal", isCurt: dice.chance(0.5) };
    this.#io = speaksTls ? secureClient(io, this, manners) : io;
  }

  /** Most leave at some time; the others wait for the proxy. */
  start(party: Party, subject: number): void {
    if (this.#dice.chance(0.3)) return;
    party.later(this.#dice.spread(1, 4000), "stray-leaves", subject, () => {
      if (this.#isOver) return;
      this.#isOver = true;
      if (this.#dice.chance(0.5)) this.#io.close();
      else this.#io.reset();
    });
  }

  onConnect(): void {
    if (this.#way === "text") this.#io.writeText("GET / HTTP/1.1\r\nhost: stray\r\n\r\n");
    else if (this.#way === "garbage") this.#io.writeText("\x16\x03\x01\x00\x03abc");
    else if (this.#way === "part") {
      this.#io.write(hello.subarray(0, this.#dice.between(1, hello.length - 1)));
    }
  }

  onRead(): void {}

  onWritable(): void {}

  onEnd(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#io.close();
  }

  onClose(): void {
    this.#isOver = true;
  }
}

/** For the proxy: where a listener's chain or a cluster has its transport socket. */
export function transportSocketYaml(side: "Downstream" | "Upstream", more: string): string {
  const type = `type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.${side}TlsContext`;
  return `transport_socket: { name: tls, typed_config: { "@type": ${type}, ${more} } }`;
}

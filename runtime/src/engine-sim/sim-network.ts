// A network of one machine that exists in memory only: addresses, listeners, and connections that
// misbehave as a profile says, all from one seed. The engines of several parties share it: the
// proxy's, its clients', its upstreams'. Nothing here waits for real time.
import type { ListenOptions, SocketAddress } from "../engine/network-engine.ts";
import type { Dice } from "./dice.ts";
import type { FaultProfile } from "./fault-profile.ts";
import { type FaultCounts, inRange, Link } from "./link.ts";
import type { SimLoop } from "./sim-loop.ts";
import { SimSocket } from "./sim-socket.ts";

/** How long a kernel waits for an answer. */
const kernelTimeoutMs = 120_000;
const firstEphemeralPort = 32_768;

/** What a listening socket does when somebody has connected. */
export interface Accepting {
  readonly address: SocketAddress;
  readonly options: ListenOptions;
  /** `socket` may be reset or closed already. */
  onConnection(socket: SimSocket): void;
}

/** "lost" in the accept queue of a thread that has ended. */
export type Fault = "cut" | "hang" | "lost";

/** Hears of the end of a connect, once: a joined socket, or why not. */
export type ConnectDone = (socket: SimSocket | null, code: string) => void;

export class SimNetwork {
  readonly loop: SimLoop;
  readonly counts: FaultCounts;
  /** Told of each connection that no party broke, with the connecting side's end. */
  onFault: ((kind: Fault, connecting: SimSocket) => void) | null = null;
  readonly #dice: Dice;
  readonly #listening: Map<string, Accepting[]>;
  #nextPort: number;
  #nextSocketId: number = 0;

  constructor(loop: SimLoop, dice: Dice) {
    this.loop = loop;
    this.counts = {
      refused: 0,
      unreachable: 0,
      lost: 0,
      cut: 0,
      hung: 0,
      stalls: 0,
      shortReads: 0,
      shortWrites: 0,
    };
    this.#dice = dice;
    this.#listening = new Map();
    this.#nextPort = firstEphemeralPort;
  }

  /** Returns the address that is bound, or the error's name. */
  bind(wanted: SocketAddress, options: ListenOptions): SocketAddress | string {
    if (wanted.family === "unix") {
      return this.#listening.has(keyOf(wanted)) ? "EADDRINUSE" : wanted;
    }
    if (!isLocal(wanted.address)) return "EADDRNOTAVAIL";
    const address = wanted.port === 0 ? { ...wanted, port: this.takePort() } : wanted;
    const others = this.#listening.get(keyOf(address)) ?? [];
    const isShared = options.reusePort && others.every((other) => other.options.reusePort);
    return others.length > 0 && !isShared ? "EADDRINUSE" : address;
  }

  listen(accepting: Accepting): void {
    const key = keyOf(accepting.address);
    this.#listening.set(key, [...(this.#listening.get(key) ?? []), accepting]);
  }

  unlisten(accepting: Accepting): void {
    const key = keyOf(accepting.address);
    const others = (this.#listening.get(key) ?? []).filter((other) => other !== accepting);
    if (others.length > 0) this.#listening.set(key, others);
    else this.#listening.delete(key);
  }

  /** Nobody will ever accept this end. */
  noteLostAccept(accepted: SimSocket): void {
    if (accepted.peer !== null) this.onFault?.("lost", accepted.peer);
  }

  takePort(): number {
    this.#nextPort = this.#nextPort === 65_535 ? firstEphemeralPort : this.#nextPort + 1;
    return this.#nextPort;
  }

  /** Answers in a later turn, in two minutes if the connect is lost. */
  connect(
    address: SocketAddress,
    bindAddress: SocketAddress | null,
    profile: FaultProfile,
    done: ConnectDone,
  ): void {
    const dice = this.#dice;
    const id = ++this.#nextSocketId;
    const fail = (code: string, delayMs: number): void => {
      this.loop.after(delayMs, code, id, () => done(null, code));
    };
    const roundTripMs = inRange(dice, profile.latencyMs) * 2;
    const unbindable = bindProblem(address, bindAddress);
    if (unbindable !== "") fail(unbindable, 0);
    else if (address.family !== "unix" && !isLocal(address.address)) fail("ENETUNREACH", 0);
    else if (dice.chance(profile.unreachableChance)) {
      this.counts.unreachable += 1;
      fail("EHOSTUNREACH", roundTripMs);
    } else if (dice.chance(profile.lostConnectChance)) {
      this.counts.lost += 1;
      fail("ETIMEDOUT", kernelTimeoutMs);
    } else if (dice.chance(profile.refuseChance)) {
      this.counts.refused += 1;
      fail("ECONNREFUSED", roundTripMs);
    } else {
      const source = sourceOf(address, bindAddress, this);
      const kind = "connect";
      this.loop.after(roundTripMs, kind, id, () => this.#join(id, address, source, profile, done));
    }
  }

  #join(
    id: number,
    address: SocketAddress,
    source: SocketAddress,
    profile: FaultProfile,
    done: ConnectDone,
  ): void {
    const accepting = this.#find(address);
    if (accepting === null) {
      const isPath = address.family === "unix" && !address.address.startsWith("@");
      done(null, isPath ? "ENOENT" : "ECONNREFUSED");
      return;
    }
    const dice = this.#dice.fork();
    const [near, far] = [
      new SimSocket(id, source, address, this.loop, new Link(dice, profile, this.counts)),
      new SimSocket(-id, address, source, this.loop, new Link(dice.fork(), profile, this.counts)),
    ];
    near.join(far);
    this.#planFaults(near, far, profile, dice);
    const acceptMs = inRange(dice, profile.latencyMs);
    this.loop.after(acceptMs, "accept", id, () => accepting.onConnection(far));
    done(near, "");
  }

  #planFaults(near: SimSocket, far: SimSocket, profile: FaultProfile, dice: Dice): void {
    if (dice.chance(profile.cutChance)) {
      this.loop.after(inRange(dice, profile.cutAfterMs), "cut", near.id, () => {
        if (near.isOver) return;
        this.counts.cut += 1;
        this.onFault?.("cut", near);
        near.break("ECONNRESET");
        far.break("ECONNRESET");
      });
    } else if (dice.chance(profile.hangChance)) {
      this.loop.after(inRange(dice, profile.hangAfterMs), "hang", near.id, () => {
        if (near.isOver) return;
        this.counts.hung += 1;
        this.onFault?.("hang", near);
        near.hang();
        far.hang();
      });
      this.loop.after(profile.hangAfterMs[1] + kernelTimeoutMs, "timeout", near.id, () => {
        near.break("ETIMEDOUT");
        far.break("ETIMEDOUT");
      });
    }
  }

  #find(address: SocketAddress): Accepting | null {
    const candidates = [
      ...(this.#listening.get(keyOf(address)) ?? []),
      ...(this.#listening.get(keyOf({ ...address, address: "0.0.0.0" })) ?? []),
      ...(this.#listening.get(keyOf({ ...address, address: "::" })) ?? []),
    ].filter(({ address: bound, options }) => {
      const isOther = bound.family !== address.family;
      return !isOther || (bound.address === "::" && options.ipv4Compat);
    });
    return candidates.length === 0 ? null : this.#dice.pick(candidates);
  }
}

function keyOf({ address, port, family }: SocketAddress): string {
  return family === "unix" ? address : `${address}|${port}`;
}

/** Why the source address cannot be had; "" = it can. */
function bindProblem(address: SocketAddress, bindAddress: SocketAddress | null): string {
  if (bindAddress === null || address.family === "unix") return "";
  if (bindAddress.family !== address.family) return "EINVAL";
  return isLocal(bindAddress.address) ? "" : "EADDRNOTAVAIL";
}

function isLocal(address: string): boolean {
  return /^(127\.|0\.0\.0\.0$|::1?$)/.test(address);
}

function sourceOf(
  address: SocketAddress,
  bindAddress: SocketAddress | null,
  network: SimNetwork,
): SocketAddress {
  if (address.family === "unix") return { address: "", port: 0, family: "unix" };
  const host = bindAddress?.address ?? (address.family === "ipv6" ? "::1" : "127.0.0.1");
  return { address: host, port: bindAddress?.port || network.takePort(), family: address.family };
}

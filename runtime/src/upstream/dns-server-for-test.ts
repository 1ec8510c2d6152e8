// A DNS server on a loopback port (UDP) for tests: answers A questions as the test says, or in none
// of the ways that servers should.
import { createSocket } from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";
import { once } from "node:events";

/** Addresses; or what goes wrong. */
export type DnsReaction = readonly string[] | "refused" | "servfail" | "nxdomain" | "silence";

const codes: Readonly<Record<string, number>> = { servfail: 2, nxdomain: 3, refused: 5 };
const QTYPE_A = 1;

export class DnsServer {
  /** Names that were asked for, with the type of the question. */
  readonly asked: string[];
  readonly reactions: Map<string, DnsReaction>;
  ttlSeconds: number = 60;
  readonly #socket: Socket;

  static async start(): Promise<DnsServer> {
    const server = new DnsServer();
    server.#socket.bind(0, "127.0.0.1");
    await once(server.#socket, "listening");
    return server;
  }

  private constructor() {
    this.asked = [];
    this.reactions = new Map();
    this.#socket = createSocket("udp4");
    this.#socket.on("message", (question, from) => this.#onQuestion(question, from));
  }

  get address(): string {
    return `127.0.0.1:${this.#socket.address().port}`;
  }

  close(): void {
    this.#socket.close();
  }

  #onQuestion(question: Buffer, from: RemoteInfo): void {
    const { name, end } = readName(question);
    const type = question.readUInt16BE(end);
    this.asked.push(`${name} ${type === QTYPE_A ? "A" : "AAAA"}`);
    const reaction = this.reactions.get(name) ?? "nxdomain";
    if (reaction === "silence") return;
    const addresses = typeof reaction === "string" || type !== QTYPE_A ? [] : reaction;
    const code = typeof reaction === "string" ? (codes[reaction] ?? 0) : 0;
    const header = Buffer.alloc(12);
    question.copy(header, 0, 0, 2);
    // An answer with recursion desired and available; one question.
    header.writeUInt16BE(0x8180 | code, 2);
    header.writeUInt16BE(1, 4);
    header.writeUInt16BE(addresses.length, 6);
    const records = addresses.map((address) => this.#record(address));
    const answer = Buffer.concat([header, question.subarray(12, end + 4), ...records]);
    this.#socket.send(answer, from.port, from.address);
  }

  #record(address: string): Buffer {
    const record = Buffer.alloc(16);
    // The name is the question's.
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(QTYPE_A, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(this.ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    for (const [index, part] of address.split(".").entries()) record[12 + index] = Number(part);
    return record;
  }
}

function readName(question: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (;;) {
    const length = question[at] ?? 0;
    at += 1;
    if (length === 0) return { name: labels.join("."), end: at };
    labels.push(question.toString("latin1", at, at + length));
    at += length;
  }
}

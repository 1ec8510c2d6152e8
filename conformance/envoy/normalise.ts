// Replaces what differs from run to run (dates, ids, times, ports) by names; all else stays exact.
import { createHash } from "node:crypto";
import { networkInterfaces } from "node:os";
import type { Places } from "./bootstrap.ts";

const DATE = /\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT/g;
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-([0-9a-f])[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b/g;
const ISO_TIME = /\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g;
const SERVICE_TIME = /^(x-envoy-upstream-service-time: ?)\d+$/i;
const LOOPBACK_PEER = /^(x-forwarded-for: (?:.*,)?)127\.0\.0\.1$/;
/** Record and version, and behind the record's length the type of the message. */
const HANDSHAKE = "\u0016\u0003\u0001";
const CLIENT_HELLO = "\u0001";
const BODY_TEXT_MAX = 600;

/** A date of this run, and not one that a case sent. */
function isNow(date: string): boolean {
  return Math.abs(Date.parse(date) - Date.now()) < 600_000;
}

/** One per case: numbers ids in the order in which they appear, on whatever side. */
export class Normaliser {
  readonly #ports: readonly (readonly [string, string])[];
  readonly #hostAddresses: readonly string[];
  readonly #folder: string;
  readonly #masks: readonly (readonly [string, string])[];
  readonly #uuids: Map<string, string>;

  readonly #sent: string;

  /** `sent` is what the case itself wrote: ids that stand in it are not replaced. */
  constructor(places: Places, sent = "") {
    this.#sent = sent;
    const named: (readonly [string, string])[] = [];
    for (const [site, port] of Object.entries(places.sitePorts)) {
      named.push([String(port), `{port:${site}}`]);
    }
    for (const [name, port] of Object.entries(places.upstreamPorts)) {
      named.push([String(port), `{up:${name}}`]);
    }
    this.#ports = named;
    this.#folder = places.folder;
    this.#masks = places.certificates?.masks ?? [];
    this.#uuids = new Map();
    this.#hostAddresses = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter((entry) => !entry.internal && entry.family === "IPv4")
      .map((entry) => entry.address);
  }

  /** Dates, ids, known ports, addresses and certificates in any text. */
  text(text: string): string {
    let out = text.replace(DATE, (date: string) => (isNow(date) ? "{date}" : date));
    out = out.replace(ISO_TIME, (time: string) => (isNow(time) ? "{time}" : time));
    out = out.replace(UUID, (uuid: string, version: string) => this.#uuid(uuid, version));
    for (const [port, name] of this.#ports) {
      out = out.replace(new RegExp(`(?<![0-9])${port}(?![0-9])`, "g"), name);
    }
    for (const address of this.#hostAddresses) out = out.replaceAll(address, "{host-ip}");
    out = out.replace(/(\b127\.0\.0\.\d+:|\[::1\]:(?=\d{5}))\d{2,5}\b/g, "$1{port}");
    for (const [text, name] of this.#masks) out = out.replaceAll(text, name);
    return out.replaceAll(this.#folder, "{folder}");
  }

  /** A header line; the service time is a number of milliseconds. */
  header(line: string): string {
    let timed = line.replace(SERVICE_TIME, "$1{ms}");
    // A loopback peer is the host's own address, which is loopback itself where there is no other.
    if (this.#hostAddresses.length === 0) timed = timed.replace(LOOPBACK_PEER, "$1{host-ip}");
    return this.text(timed);
  }

  /** A body; a long one becomes its length and digest. What a TLS library offers is its own choice. */
  body(body: string): string {
    if (body.startsWith(HANDSHAKE) && body[5] === CLIENT_HELLO) return "{ClientHello}";
    if (body.length <= BODY_TEXT_MAX) return this.text(body);
    const digest = createHash("sha256").update(body, "latin1").digest("hex").slice(0, 16);
    return `{${body.length} bytes, sha256 ${digest}}`;
  }

  #uuid(uuid: string, version: string): string {
    if (this.#sent.includes(uuid)) return uuid;
    let name = this.#uuids.get(uuid);
    if (name === undefined) {
      name = `{uuid ${this.#uuids.size + 1}, version ${version}}`;
      this.#uuids.set(uuid, name);
    }
    return name;
  }
}

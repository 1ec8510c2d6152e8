// JA3 and JA4: what a ClientHello tells of the library that wrote it. Used by tls_inspector when it
// is told to. Values of GREASE (RFC 8701), which are chance, count for nothing in both.
import { createHash } from "node:crypto";
import { Reader } from "./client-hello.ts";

const ServerName = 0;
const SupportedGroups = 10;
const PointFormats = 11;
const SignatureAlgorithms = 13;
const Alpn = 16;
const SupportedVersions = 43;

/** Hex digits of a JA4 hash. */
const JA4_DIGITS = 12;
const COUNT_MAX = 99;

interface HelloParts {
  readonly version: number;
  readonly suites: readonly number[];
  readonly extensions: readonly number[];
  readonly groups: readonly number[];
  readonly pointFormats: readonly number[];
  readonly signatures: readonly number[];
  /** Of supported_versions; the highest. 0 = it has none. */
  readonly newestVersion: number;
  readonly firstProtocol: string;
}

/** `message` is a ClientHello that was read whole. */
export function ja3Of(message: Buffer): string {
  const hello = partsOf(message);
  const lists = [hello.suites, hello.extensions, hello.groups, hello.pointFormats];
  const text = [String(hello.version), ...lists.map((list) => list.join("-"))].join(",");
  return createHash("md5").update(text).digest("hex");
}

/** Source: FoxIO's description of JA4. */
export function ja4Of(message: Buffer): string {
  const hello = partsOf(message);
  const version = versionNames[hello.newestVersion || hello.version] ?? "00";
  const destination = hello.extensions.includes(ServerName) ? "d" : "i";
  const counts = count(hello.suites) + count(hello.extensions);
  const head = `t${version}${destination}${counts}${protocolMark(hello.firstProtocol)}`;
  const suites = hello.suites.map(hex).toSorted().join(",");
  const named = hello.extensions.filter((type) => type !== ServerName && type !== Alpn);
  const extensions = named.map(hex).toSorted().join(",");
  const signatures = hello.signatures.map(hex).join(",");
  const rest = signatures === "" ? extensions : `${extensions}_${signatures}`;
  return `${head}_${shortHash(suites)}_${shortHash(rest)}`;
}

const versionNames: Readonly<Record<number, string>> = {
  0x0304: "13",
  0x0303: "12",
  0x0302: "11",
  0x0301: "10",
  0x0300: "s3",
};

function partsOf(message: Buffer): HelloParts {
  const hello = new Reader(message, 0, message.length);
  const version = hello.uint(2);
  hello.skip(32);
  hello.vector(1);
  const suites = numbers(hello.vector(2), 2);
  hello.vector(1);
  const bodies = new Map<number, Reader>();
  const list = hello.isAtEnd ? new Reader(message, 0, 0) : hello.vector(2);
  while (!list.isAtEnd) {
    const type = list.uint(2);
    const body = list.vector(2);
    if (!list.isBad && !isGrease(type)) bodies.set(type, body);
  }
  const inside = (type: number, head: number, size: number): number[] => {
    const body = bodies.get(type);
    return body === undefined ? [] : numbers(body.vector(head), size);
  };
  const protocols = bodies.get(Alpn)?.vector(2);
  return {
    version,
    suites,
    extensions: [...bodies.keys()],
    groups: inside(SupportedGroups, 2, 2),
    pointFormats: inside(PointFormats, 1, 1),
    signatures: inside(SignatureAlgorithms, 2, 2),
    newestVersion: Math.max(0, ...inside(SupportedVersions, 1, 2)),
    firstProtocol: protocols === undefined ? "" : protocols.vector(1).text(),
  };
}

function numbers(list: Reader, size: number): number[] {
  const found: number[] = [];
  while (!list.isAtEnd) {
    const value = list.uint(size);
    if (!list.isBad && !(size === 2 && isGrease(value))) found.push(value);
  }
  return found;
}

function isGrease(value: number): boolean {
  return (value & 0x0f0f) === 0x0a0a && value >> 8 === (value & 0xff);
}

function hex(value: number): string {
  return value.toString(16).padStart(4, "0");
}

function count(list: readonly number[]): string {
  return String(Math.min(list.length, COUNT_MAX)).padStart(2, "0");
}

/** First and last letter of the first protocol; of what is no letter or digit, of its hex. */
function protocolMark(protocol: string): string {
  if (protocol === "") return "00";
  const ends = protocol.charAt(0) + protocol.charAt(protocol.length - 1);
  if (/^[0-9A-Za-z]{2}$/.test(ends)) return ends;
  const digits = Buffer.from(protocol, "latin1").toString("hex");
  return digits.charAt(0) + digits.charAt(digits.length - 1);
}

function shortHash(text: string): string {
  if (text === "") return "0".repeat(JA4_DIGITS);
  return createHash("sha256").update(text).digest("hex").slice(0, JA4_DIGITS);
}

// What each thing of the kit adds to a filter: `node sdk-assemblyscript/test/kit-sizes.ts` prints it
// for README.md; kit-sizes.test.ts compares the two.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import asc from "assemblyscript/asc";
import { strippedSize } from "../build.mjs";

const ROOT = join(import.meta.dirname, "../..");
const ENTRY = "sdk-assemblyscript/test/guests/header/assembly/index.ts";

/** What a filter would call, and what it imports for it. */
const USES: Readonly<Record<string, readonly [imports: string, use: string]>> = {
  base64: ["base64, fromBase64", "base64(fromBase64(text)!);"],
  bytes: [
    "isSameSecretText, utf8Bytes, utf8Text",
    "isSameSecretText(text, utf8Text(utf8Bytes(text)));",
  ],
  cidr: ["Cidr", "Cidr.parse(text)!.containsText(text);"],
  cookies: ["cookieValue, SetCookie", "new SetCookie(text, cookieValue(text, text)!).header();"],
  ecdsa: ["EcdsaKey", "EcdsaKey.fromJwk(text, text)!.verify(bytes, bytes);"],
  gunzip: ["gunzip", "gunzip(bytes, 1000000);"],
  gzip: ["gzip", "gzip(bytes);"],
  hex: ["fromHex, hex", "hex(fromHex(text)!);"],
  hmac: ["hmacSha256", "hmacSha256(bytes, bytes);"],
  "http-date": ["httpDate, parseHttpDate", "httpDate(parseHttpDate(text));"],
  json: [
    "parseJson",
    "const v = parseJson(bytes)!.get(text)!; v.text(); v.whole(); v.number(); v.at(1);",
  ],
  "json-writer": [
    "JsonWriter",
    "const w = new JsonWriter(); w.beginObject(); w.name(text); w.text(text); w.whole(1); w.endObject(); w.bytes();",
  ],
  jwt: ["Jwt", "const t = Jwt.parse(text)!; t.hasAudience(text); t.isCurrent(1); t.algorithm;"],
  percent: ["decodePercent, encodePercent", "decodePercent(encodePercent(text));"],
  protobuf: [
    "ProtoReader, ProtoWriter",
    "const w = new ProtoWriter(); w.u64(1, 1); w.text(2, text); const r = new ProtoReader(w.finish()); while (r.next()) { r.u64(); r.text(); }",
  ],
  query: ["Query", "const q = Query.parse(text); q.set(text, q.get(text)!); q.toString();"],
  regex: ["Regex", "const r = Regex.compile(text)!; r.test(text); r.find(text)!.group(1);"],
  rsa: ["RsaKey", "RsaKey.fromJwk(text, text)!.verify(new Sha256(), bytes, bytes);"],
  sha1: ["sha1", "sha1(bytes);"],
  sha256: ["sha256", "sha256(bytes);"],
  sha512: ["sha512", "sha512(bytes);"],
  url: ["Url", "const u = Url.parse(text)!; u.normalizedPath(); u.target(); u.toString();"],
};

/** Everything whose size is measured. */
export const KIT_NAMES: readonly string[] = Object.keys(USES);

const HASH = 'import { Sha256 } from "@headgate/sdk-assemblyscript/kit/sha256";';

/**
 * Bytes of the header filter, without names; with one thing of the kit when it is named, imported by
 * its own door or by that of the whole kit.
 */
export async function sizeWith(name?: string, door = `kit/${name}`): Promise<number> {
  const base = readFileSync(join(ROOT, ENTRY), "utf8");
  const [imports, use] = USES[name ?? ""] ?? [];
  if (imports === undefined) return sizeOf(base);
  const lines = [
    base,
    `import { ${imports} } from "@headgate/sdk-assemblyscript/${door}";`,
    name === "rsa" ? HASH : "",
    // Behind an export, so that nothing of it is known when it is compiled.
    `export function use(text: string, bytes: Uint8Array): void { ${use} }`,
  ];
  return sizeOf(lines.join("\n"));
}

async function sizeOf(source: string): Promise<number> {
  let wasm: Uint8Array | null = null;
  const stderr = asc.createMemoryStream();
  const options = ["--config", "sdk-assemblyscript/asconfig.json", "--target", "release"];
  const { error } = await asc.main([ENTRY, ...options, "-o", "out.wasm", "--baseDir", ROOT], {
    stderr,
    readFile: (name, folder) => {
      if (name === ENTRY) return source;
      try {
        return readFileSync(join(folder, name), "utf8");
      } catch {
        return null;
      }
    },
    writeFile: (name, content) => {
      if (name === "out.wasm") wasm = content as Uint8Array;
    },
  });
  if (error !== null || wasm === null)
    throw new Error(`asc: ${error?.message}\n${stderr.toString()}`);
  return strippedSize(wasm);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const bare = await sizeWith();
  for (const name of KIT_NAMES) {
    const added = (await sizeWith(name)) - bare;
    console.log(`${name.padEnd(12)} ${(added / 1024).toFixed(1)} KiB`);
  }
}

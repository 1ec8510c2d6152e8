// Turns BoringSSL's cipher rules ("[A|B]:C:!D", with aliases) into the names that OpenSSL knows, in
// the order of preference that BoringSSL gives them. Called by tls-parameters-reader.ts.

interface Suite {
  readonly name: string;
  /** As the RFCs call it: rules may use that, too. */
  readonly standardName: string;
  /** Words that select it, with those of all in front. */
  readonly tags: readonly string[];
}

/** The order in which an alias adds them: BoringSSL's, where the processor knows AES. */
const suites: readonly Suite[] = [
  suite("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
  suite("ECDHE-RSA-AES128-GCM-SHA256", "ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
  suite("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
  suite("ECDHE-RSA-AES256-GCM-SHA384", "ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
  suite("ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
  suite("ECDHE-RSA-CHACHA20-POLY1305", "ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
  suite("ECDHE-ECDSA-AES128-SHA", "ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
  suite("ECDHE-RSA-AES128-SHA", "ECDHE_RSA_WITH_AES_128_CBC_SHA"),
  suite("ECDHE-ECDSA-AES256-SHA", "ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
  suite("ECDHE-RSA-AES256-SHA", "ECDHE_RSA_WITH_AES_256_CBC_SHA"),
  suite("AES128-GCM-SHA256", "RSA_WITH_AES_128_GCM_SHA256"),
  suite("AES256-GCM-SHA384", "RSA_WITH_AES_256_GCM_SHA384"),
  suite("AES128-SHA", "RSA_WITH_AES_128_CBC_SHA"),
  suite("AES256-SHA", "RSA_WITH_AES_256_CBC_SHA"),
];

/** No alias adds them: only their names do. */
const suitesByNameOnly: readonly Suite[] = [
  suite("ECDHE-RSA-AES128-SHA256", "ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
];

/** What BoringSSL has and Node's OpenSSL has not, or nobody can use without a shared key. */
const absent: ReadonlyMap<string, string> = new Map([
  ["DES-CBC3-SHA", "OpenSSL is built without 3DES"],
  ["TLS_RSA_WITH_3DES_EDE_CBC_SHA", "OpenSSL is built without 3DES"],
  ["3DES", "OpenSSL is built without 3DES"],
]);

/** Suites with pre-shared keys, which no configuration of Envoy can give: never chosen. */
const PRE_SHARED = /^(?:(?:ECDHE-)?PSK-(?:AES(?:128|256)-CBC-SHA|CHACHA20-POLY1305)|k?PSK|aPSK)$/;

const aliasTags: Readonly<Record<string, string>> = {
  ALL: "ALL",
  kRSA: "kRSA",
  kECDHE: "ECDHE",
  kEECDH: "ECDHE",
  ECDH: "ECDHE",
  ECDHE: "ECDHE",
  EECDH: "ECDHE",
  aRSA: "aRSA",
  aECDSA: "ECDSA",
  ECDSA: "ECDSA",
  RSA: "kRSA",
  AES128: "AES128",
  AES256: "AES256",
  AES: "AES",
  AESGCM: "AESGCM",
  CHACHA20: "CHACHA20",
  SHA1: "SHA1",
  SHA: "SHA1",
  SSLv3: "SHA1",
  TLSv1: "SHA1",
  "TLSv1.2": "TLSv1.2",
  HIGH: "ALL",
  FIPS: "ALL",
};

function suite(name: string, standard: string): Suite {
  const isRsaExchange = standard.startsWith("RSA_");
  const isAead = /GCM|POLY1305/.test(standard);
  const isAes = standard.includes("AES");
  const tags = ["ALL", isRsaExchange ? "kRSA" : "ECDHE"];
  tags.push(standard.includes("ECDSA") ? "ECDSA" : "aRSA");
  if (isAes) tags.push("AES", standard.includes("AES_128") ? "AES128" : "AES256");
  if (standard.includes("GCM")) tags.push("AESGCM");
  if (!isAes) tags.push("CHACHA20");
  tags.push(isAead || standard.endsWith("SHA256") ? "TLSv1.2" : "SHA1");
  return { name, standardName: `TLS_${standard}`, tags };
}

export interface CipherChoice {
  /** OpenSSL's names, the best first; [] = no rule has selected any. */
  readonly names: readonly string[];
  /** A client that has ChaCha20 in front of AES gets it. */
  readonly prefersClientChaCha: boolean;
}

/** `rejected`: what cannot be used, each with the reason; "" = there is no such cipher. */
export interface CipherProblem {
  readonly rejected: readonly (readonly [string, string])[];
  /** Wrong in itself, not one of its names; "" = nothing. */
  readonly syntax: string;
}

/** `text`: rules of which each is a line of cipher_suites, joined by ":" as Envoy joins them. */
export function chooseCiphers(text: string): CipherChoice | CipherProblem {
  const list = new CipherList();
  const rejected: [string, string][] = [];
  for (const rule of splitRules(text)) {
    if (typeof rule !== "object") return { rejected, syntax: "found [ and ] that do not match" };
    const names = rule.names.filter((name) => {
      const why = whyNot(name);
      if (why !== null) rejected.push([name, why]);
      return why === null;
    });
    if (rule.isGroup) list.addGroup(names.map((name) => select(name)));
    else if (names.length > 0) list.apply(rule.operator, select(names[0] as string));
  }
  if (rejected.length > 0) return { rejected, syntax: "" };
  if (list.names.length === 0) return { rejected, syntax: "found no cipher that can be used" };
  return { names: list.names, prefersClientChaCha: list.hasChaChaGroup };
}

interface Rule {
  readonly operator: string;
  readonly isGroup: boolean;
  readonly names: readonly string[];
}

/** False for brackets that do not match. */
function* splitRules(text: string): Generator<Rule | false> {
  for (const word of text.split(/[:;]/)) {
    if (word === "") continue;
    const group = /^\[([^[\]]*)\]$/.exec(word);
    if (group !== null) {
      yield { operator: "", isGroup: true, names: (group[1] as string).split("|") };
    } else if (/[[\]|]/.test(word)) yield false;
    else {
      const [, operator = "", name = ""] = /^([-+!]?)(.*)$/.exec(word) ?? [];
      yield { operator, isGroup: false, names: [name] };
    }
  }
}

/** Null when the name selects something, if only nothing that can be used. */
function whyNot(name: string): string | null {
  const why = absent.get(name);
  if (why !== undefined) return why;
  if (/^TLS_(?:AES|CHACHA20)_/.test(name)) return "ciphers of TLS 1.3 cannot be chosen";
  if (PRE_SHARED.test(name) || byName(name) !== undefined) return null;
  const isKnown = name.split("+").every((word) => aliasTags[word] !== undefined);
  return isKnown ? null : "";
}

function byName(name: string): Suite | undefined {
  const isIt = (one: Suite): boolean => one.name === name || one.standardName === name;
  return suites.find(isIt) ?? suitesByNameOnly.find(isIt);
}

function select(name: string): readonly Suite[] {
  const one = byName(name);
  if (one !== undefined) return [one];
  const tags = name.split("+").map((word) => aliasTags[word] ?? "");
  return suites.filter((candidate) => tags.every((tag) => candidate.tags.includes(tag)));
}

/** What the rules so far have chosen. */
class CipherList {
  names: string[];
  hasChaChaGroup: boolean;
  readonly #killed: Set<string>;

  constructor() {
    this.names = [];
    this.hasChaChaGroup = false;
    this.#killed = new Set();
  }

  apply(operator: string, chosen: readonly Suite[]): void {
    const names = chosen.map((one) => one.name);
    const others = this.names.filter((name) => !names.includes(name));
    const known = this.names.filter((name) => names.includes(name));
    if (operator === "+") this.names = [...others, ...known];
    else if (operator === "") this.#append(names);
    else this.names = others;
    if (operator === "!") for (const name of names) this.#killed.add(name);
  }

  /** Of equals BoringSSL takes what the client prefers: OpenSSL can do that for ChaCha20. */
  addGroup(choices: readonly (readonly Suite[])[]): void {
    const names = choices.flat().map((one) => one.name);
    if (names.some((name) => name.includes("CHACHA20"))) this.hasChaChaGroup = true;
    this.#append(names);
  }

  #append(names: readonly string[]): void {
    for (const name of names) {
      if (!this.#killed.has(name) && !this.names.includes(name)) this.names.push(name);
    }
  }
}

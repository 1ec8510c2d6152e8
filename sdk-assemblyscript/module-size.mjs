// What a module weighs: by section and by function, from its bytes alone.

const SECTIONS = [
  "custom",
  "type",
  "import",
  "function",
  "table",
  "memory",
  "global",
  "export",
  "start",
  "element",
  "code",
  "data",
  "data count",
];
const CUSTOM = 0;
const IMPORT = 2;
const CODE = 10;

/**
 * `bytes` all of it, `stripped` without custom sections, which a proxy does not keep. `sections` in
 * their order, `functions` from the largest; a function without a name has its index, as "#12".
 */
export function moduleSize(bytes) {
  const sections = sectionsOf(bytes);
  const custom = sections.filter(({ id }) => id === CUSTOM);
  const size = sections.map(({ name, from, to }) => ({ name, bytes: to - from }));
  return {
    bytes: bytes.length,
    stripped: custom.reduce((left, { from, to }) => left - (to - from), bytes.length),
    sections: size,
    functions: functionsOf(bytes, sections).toSorted((a, b) => b.bytes - a.bytes),
  };
}

/** Bytes of a module without its custom sections: what a proxy keeps of it. */
export function strippedSize(bytes) {
  return moduleSize(bytes).stripped;
}

/** `from` is where its id stands, `start` where its content begins. */
function sectionsOf(bytes) {
  const sections = [];
  const reader = new Reader(bytes, 8);
  while (reader.at < bytes.length) {
    const from = reader.at;
    const id = reader.byte();
    const length = reader.u32();
    const start = reader.at;
    const name = id === CUSTOM ? reader.text() : (SECTIONS[id] ?? `section ${id}`);
    reader.at = start + length;
    sections.push({ id, name, from, start, to: reader.at });
  }
  return sections;
}

function functionsOf(bytes, sections) {
  const code = sections.find(({ id }) => id === CODE);
  if (code === undefined) return [];
  const names = namesOf(bytes, sections);
  const imported = importedFunctions(bytes, sections);
  const reader = new Reader(bytes, code.start);
  return Array.from({ length: reader.u32() }, (_, index) => {
    const from = reader.at;
    const length = reader.u32();
    reader.at += length;
    const at = imported + index;
    return { index: at, name: names.get(at) ?? `#${at}`, bytes: reader.at - from };
  });
}

/** Names of functions by their index; of the name section, subsection 1. */
function namesOf(bytes, sections) {
  const names = new Map();
  const section = sections.find(({ id, name }) => id === CUSTOM && name === "name");
  if (section === undefined) return names;
  const reader = new Reader(bytes, section.start);
  reader.text();
  while (reader.at < section.to) {
    const id = reader.byte();
    const end = reader.u32() + reader.at;
    if (id === 1) {
      for (let left = reader.u32(); left > 0; left -= 1) names.set(reader.u32(), reader.text());
    }
    reader.at = end;
  }
  return names;
}

function importedFunctions(bytes, sections) {
  const section = sections.find(({ id }) => id === IMPORT);
  if (section === undefined) return 0;
  const reader = new Reader(bytes, section.start);
  let count = 0;
  for (let left = reader.u32(); left > 0; left -= 1) {
    reader.text();
    reader.text();
    const kind = reader.byte();
    if (kind === 0) count += 1;
    reader.skipImport(kind);
  }
  return count;
}

class Reader {
  constructor(bytes, at) {
    this.bytes = bytes;
    this.at = at;
  }

  byte() {
    this.at += 1;
    return this.bytes[this.at - 1];
  }

  u32() {
    let value = 0;
    let shift = 0;
    let byte;
    do {
      byte = this.byte();
      value |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte >= 0x80);
    return value >>> 0;
  }

  text() {
    const length = this.u32();
    this.at += length;
    return new TextDecoder().decode(this.bytes.subarray(this.at - length, this.at));
  }

  /** Passes what an import says of its type. */
  skipImport(kind) {
    if (kind === 0) return this.u32();
    if (kind === 3) {
      this.at += 2;
      return undefined;
    }
    if (kind === 1) this.byte();
    const limits = this.byte();
    this.u32();
    return (limits & 1) === 0 ? undefined : this.u32();
  }
}

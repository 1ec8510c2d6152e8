// The house check: import walls, sizes, data-plane bans and dead paths. Run by tidy.test.ts.
import { readFileSync, readdirSync, existsSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { parseSync } from "oxc-parser";

const FILE_LINES_MAX = 500;
const TEST_FILE_LINES_MAX = 900;
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 100;

/** Rooms where a promise, `delete` or an emitter is a fault. `upstream/pool` is part of a room. */
const DATA_PLANE = [
  "codec",
  "engine-node",
  "engine-uring",
  "filter",
  "hcm",
  "network",
  "router",
  "tcp-proxy",
  "upstream/pool",
  "wasm",
];

/** Built-ins that only some rooms may name, with the reason. */
const BUILTIN_WALLS: readonly { module: string; rooms: readonly string[]; why: string }[] = [
  {
    module: "node:net",
    rooms: ["engine-node", "admin", "server", "upstream"],
    why: "sockets belong to the engine",
  },
  {
    module: "node:tls",
    rooms: ["engine", "engine-node", "tls", "config"],
    why: "TLS connections belong to the engine, contexts to tls",
  },
  { module: "node:events", rooms: [], why: "no emitters between rooms" },
];

/** Packages that only some rooms may name. */
const PACKAGE_WALLS: readonly { module: RegExp; rooms: readonly string[]; why: string }[] = [
  {
    module: /^(yaml|@bufbuild\/)/,
    rooms: ["config"],
    why: "workers load neither yaml nor protobuf",
  },
  { module: /^pino$/, rooms: ["server"], why: "rooms log through core/logger.ts" },
  {
    module: /^proxy-wasm-types$/,
    rooms: ["wasm", "module", "config", "server"],
    why: "the ABI's book",
  },
];

interface SourceFile {
  /** Relative to the repository, with "/". */
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [key: string]: unknown;
}

/** All problems of the house at `root`, one line each; [] = tidy. */
export function tidy(root: string): string[] {
  const problems: string[] = [];
  const table = readImportTable(root, problems);
  for (const file of sourceFiles(root)) {
    checkSizes(file, problems);
    const lineOf = lineCounter(file.text);
    const program = parseSync(file.path, file.text).program as unknown as Node;
    visit(program, (node) => {
      if (!file.isTest) checkFunction(file, node, lineOf, problems);
      if (!file.isTest && isDataPlane(file.path)) checkDataPlane(file, node, lineOf, problems);
      if (/^runtime\/src\/(core|upstream)\//.test(file.path) || isDataPlane(file.path)) {
        checkField(file, node, lineOf, problems);
      }
      const target = importTarget(node);
      if (target !== null) checkImport(root, file, target, lineOf(node.start), table, problems);
    });
  }
  checkPaths(root, problems);
  return problems;
}

/** Room -> rooms it may import, from ARCHITECTURE.md's table. "*" = all. */
function readImportTable(root: string, problems: string[]): Map<string, ReadonlySet<string>> {
  const table = new Map<string, ReadonlySet<string>>();
  const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  for (const line of text.split("\n")) {
    const row = /^\| `([a-z-]+|[a-z-]+\.ts)` \| ([^|]+) \|/.exec(line);
    if (row === null) continue;
    const cell = (row[2] as string).trim();
    const rooms = cell === "all of the above" ? ["*"] : cell.replaceAll("*", "").split(/, ?/);
    table.set(row[1] as string, new Set(rooms));
  }
  if (table.size < 10) problems.push("ARCHITECTURE.md: the import table was not found");
  for (const room of readdirSync(join(root, "runtime/src"))) {
    if (!table.has(room)) problems.push(`runtime/src/${room}: not in ARCHITECTURE.md's table`);
  }
  return table;
}

function sourceFiles(root: string): SourceFile[] {
  const files: SourceFile[] = [];
  const folders = ["abi", "runtime", "filters", "examples", "conformance", "bench"];
  const skip = /(^|\/)(node_modules|build|dist|assembly|fixtures|golden)(\/|$)/;
  const walk = (folder: string): void => {
    for (const name of readdirSync(folder).sort()) {
      const full = join(folder, name);
      const path = relative(root, full).replaceAll("\\", "/");
      if (skip.test(path)) continue;
      if (statSync(full).isDirectory()) walk(full);
      else if (/\.(ts|mjs)$/.test(name) && !name.endsWith(".d.ts")) {
        const isTest = /\.test\.ts$|-for-test\.ts$|\/test\//.test(path) || !path.includes("/src/");
        files.push({ path, text: readFileSync(full, "utf8"), isTest });
      }
    }
  };
  for (const folder of folders) walk(join(root, folder));
  return files;
}

function checkSizes(file: SourceFile, problems: string[]): void {
  const lines = file.text.split("\n");
  const most = file.isTest ? TEST_FILE_LINES_MAX : FILE_LINES_MAX;
  if (lines.length - 1 > most)
    problems.push(`${file.path}: ${lines.length - 1} lines, at most ${most}`);
  if (file.isTest) return;
  for (const [index, line] of lines.entries()) {
    if (line.length > LINE_COLUMNS_MAX) {
      problems.push(
        `${file.path}:${index + 1}: ${line.length} columns, at most ${LINE_COLUMNS_MAX}`,
      );
    }
  }
  if (!/^(#!.*\n)?\/[/*]/.test(file.text))
    problems.push(`${file.path}: does not open with what it is`);
}

type LineOf = (offset: number) => number;

function lineCounter(text: string): LineOf {
  const starts = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= offset) low = middle;
      else high = middle - 1;
    }
    return low + 1;
  };
}

function checkFunction(file: SourceFile, node: Node, lineOf: LineOf, problems: string[]): void {
  if (!/^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression)$/.test(node.type)) return;
  const line = lineOf(node.start);
  const size = lineOf(node.end) - line + 1;
  if (size > FUNCTION_LINES_MAX) {
    problems.push(`${file.path}:${line}: function of ${size} lines, at most ${FUNCTION_LINES_MAX}`);
  }
}

function isDataPlane(path: string): boolean {
  return DATA_PLANE.some((room) => path.startsWith(`runtime/src/${room}/`));
}

/** A promise costs a microtask per hop, `delete` changes the hidden class. */
function checkDataPlane(file: SourceFile, node: Node, lineOf: LineOf, problems: string[]): void {
  let banned = "";
  if (node.type === "AwaitExpression") banned = "await";
  else if (node["async"] === true) banned = "async";
  else if (node.type === "UnaryExpression" && node["operator"] === "delete") banned = "delete";
  else if (node.type === "Identifier" && node["name"] === "Promise") banned = "Promise";
  else if (node.type === "Identifier" && node["name"] === "EventEmitter") banned = "EventEmitter";
  if (banned !== "")
    problems.push(`${file.path}:${lineOf(node.start)}: ${banned} on the data plane`);
}

/**
 * Such a field holds undefined first, so V8 keeps no plain number in it: each fraction that is
 * written (every time stamp) is a new heap object, 7 ns and garbage instead of a store.
 */
function checkField(file: SourceFile, node: Node, lineOf: LineOf, problems: string[]): void {
  if (node.type !== "PropertyDefinition" || node["value"] !== null) return;
  if (node["readonly"] === true || node["static"] === true) return;
  const outer = node["typeAnnotation"] as { typeAnnotation?: { type?: string } } | null | undefined;
  if (outer?.typeAnnotation?.type !== "TSNumberKeyword") return;
  problems.push(`${file.path}:${lineOf(node.start)}: number field without an initial value`);
}

/** What an import or re-export names; null for other nodes. */
function importTarget(node: Node): string | null {
  if (
    !/^(ImportDeclaration|ExportNamedDeclaration|ExportAllDeclaration|ImportExpression)$/.test(
      node.type,
    )
  ) {
    return null;
  }
  const source = node["source"] as { readonly value?: unknown } | null | undefined;
  return typeof source?.value === "string" ? source.value : null;
}

function checkImport(
  root: string,
  file: SourceFile,
  target: string,
  line: number,
  table: ReadonlyMap<string, ReadonlySet<string>>,
  problems: string[],
): void {
  const at = `${file.path}:${line}`;
  if (file.path.startsWith("abi/src/") && !target.startsWith(".") && !target.startsWith("node:")) {
    if (!file.isTest) problems.push(`${at}: abi imports nothing, found ${target}`);
    return;
  }
  const room = roomOf(file.path);
  if (room === null || file.isTest) return;
  if (!target.startsWith(".")) {
    checkPackage(at, room, target, problems);
    return;
  }
  const full = join(root, file.path, "..", target);
  if (!existsSync(full)) problems.push(`${at}: ${target} does not exist`);
  const other = roomOf(relative(root, full).replaceAll("\\", "/"));
  if (other === null) problems.push(`${at}: ${target} is outside runtime/src`);
  else if (other !== room && !allowed(table, room, other)) {
    problems.push(`${at}: ${room} may not import ${other} (ARCHITECTURE.md, "Rooms and walls")`);
  }
}

function checkPackage(at: string, room: string, target: string, problems: string[]): void {
  for (const wall of BUILTIN_WALLS) {
    if (wall.module === target && !wall.rooms.includes(room)) {
      problems.push(`${at}: ${room} may not import ${target}: ${wall.why}`);
    }
  }
  for (const wall of PACKAGE_WALLS) {
    if (wall.module.test(target) && !wall.rooms.includes(room)) {
      problems.push(`${at}: ${room} may not import ${target}: ${wall.why}`);
    }
  }
}

function allowed(
  table: ReadonlyMap<string, ReadonlySet<string>>,
  room: string,
  other: string,
): boolean {
  const row = table.get(room);
  return row !== undefined && (row.has("*") || row.has(other));
}

/** The room of a path below runtime/src/, null elsewhere. */
function roomOf(path: string): string | null {
  const match = /^runtime\/src\/([^/]+)/.exec(path);
  return match === null ? null : (match[1] as string);
}

/** Every path in back-quotes that a page names must exist. */
function checkPaths(root: string, problems: string[]): void {
  for (const page of ["ARCHITECTURE.md", "README.md", "CONTRIBUTING.md", "runtime/README.md"]) {
    if (!existsSync(join(root, page))) {
      problems.push(`${page}: missing`);
      continue;
    }
    const text = readFileSync(join(root, page), "utf8");
    for (const [, path] of text.matchAll(/`([a-z][\w./-]*\/[\w.-]*\.(?:ts|mjs|md|yaml))`/g)) {
      const places = [
        path as string,
        join("runtime/src", path as string),
        join("runtime", path as string),
      ];
      if (!places.some((place) => existsSync(join(root, place)))) {
        problems.push(`${page}: ${path} does not exist`);
      }
    }
  }
}

/** Every object with a `type` text in this tree is an ESTree node. */
function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value;
}

function visit(value: unknown, callback: (node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) visit(item, callback);
  } else if (isNode(value)) {
    callback(value);
    for (const child of Object.values(value)) visit(child, callback);
  }
}

// What the transform knows of asc's syntax trees. They are no stable interface: asc is pinned, and
// syntax.test.ts compares these numbers with the compiler's own declarations.

/** Kinds of nodes, as asc's `NodeKind`. */
export const Kind = {
  NamedType: 1,
  FunctionType: 2,
  Identifier: 7,
  Call: 10,
  False: 14,
  Function: 15,
  Literal: 17,
  New: 18,
  Null: 19,
  PropertyAccess: 22,
  This: 25,
  True: 26,
  UnaryPrefix: 29,
  Block: 31,
  Break: 32,
  Continue: 33,
  Do: 34,
  Export: 36,
  Expression: 39,
  For: 40,
  ForOf: 41,
  Import: 43,
  Switch: 45,
  Variable: 48,
  While: 50,
  ClassDeclaration: 52,
  EnumDeclaration: 53,
  FieldDeclaration: 55,
  FunctionDeclaration: 56,
  InterfaceDeclaration: 58,
  MethodDeclaration: 59,
  NamespaceDeclaration: 60,
  TypeDeclaration: 61,
  VariableDeclaration: 62,
};

/** What has a body of its own. */
export const FUNCTIONS = new Set([Kind.Function, Kind.FunctionDeclaration, Kind.MethodDeclaration]);

/** Kinds of literals, as asc's `LiteralKind`. */
export const Literal = { Float: 0, Integer: 1, String: 2, Template: 3, Array: 5 };

/** What a declaration says of itself, as asc's `CommonFlags`. */
export const Flag = {
  Export: 2,
  Const: 8,
  Static: 32,
  Readonly: 64,
  Abstract: 128,
  Private: 512,
  Protected: 1024,
  Get: 2048,
  Set: 4096,
  Constructor: 524288,
};

/** asc's kinds of sources that are not of a package; its own runtime counts as an entry, too. */
const SourceKind = { User: 0, UserEntry: 1 };

export function isUsers(source) {
  const { sourceKind, internalPath } = source;
  const isOutside = sourceKind === SourceKind.User || sourceKind === SourceKind.UserEntry;
  return isOutside && !internalPath.startsWith("~lib/");
}

/** The author's entry file, from asc's parser or program. */
export function entryOf({ sources }) {
  return sources.find((one) => one.sourceKind === SourceKind.UserEntry && isUsers(one));
}

/** The text of a node as the author wrote it. */
export function textOf(node) {
  return node.range.source.text.slice(node.range.start, node.range.end);
}

/** `path:line` of a node, for messages that name a second place. */
export function placeOf(node) {
  const { source, start } = node.range;
  return `${source.normalizedPath}:${source.lineAt(start)}`;
}

/**
 * Adds an error at the author's line. `emitter` is asc's parser or its program: both keep a list of
 * what they found.
 */
export function report(emitter, node, message) {
  add(emitter, "error", node, message);
}

/** The same for what need not be wrong. */
export function warn(emitter, node, message) {
  add(emitter, "warning", node, message);
}

function add(emitter, kind, node, message) {
  const { diagnostics } = emitter;
  const before = diagnostics.length;
  // 109 is asc's code for what a transform finds; its text is ours.
  emitter[kind](109, node.range, "headgate", message);
  // Nothing is added for a second mistake at the same place.
  if (diagnostics.length > before) diagnostics.at(-1).message = message;
}

/** Calls `visit(child)` for each node right below this one. */
export function eachChild(node, visit) {
  for (const key of Object.keys(node)) {
    // A parameter's field is made of nodes that the parameter has, too.
    if (key === "range" || key === "implicitFieldDeclaration") continue;
    const value = node[key];
    if (Array.isArray(value)) {
      for (const item of value) if (isNode(item)) visit(item);
    } else if (isNode(value)) {
      visit(value);
    }
  }
}

/** Calls `visit(node)` for this node and, while it does not answer false, for what is inside. */
export function walk(node, visit) {
  if (visit(node) === false) return;
  eachChild(node, (child) => walk(child, visit));
}

function isNode(value) {
  return (
    typeof value === "object" && value !== null && typeof value.kind === "number" && value.range
  );
}

/** The decorator of that name; undefined when there is none. */
export function decoratorOf(declaration, name) {
  return declaration.decorators?.find((decorator) => decorator.name.text === name);
}

/** The name of a type without arguments, qualifiers or `| null`; null for other types. */
export function simpleTypeName(type) {
  if (type === null || type.kind !== Kind.NamedType || type.name.next !== null) return null;
  return type.name.identifier.text;
}

/**
 * What a literal stands for: a string, boolean, bigint, number (with a fraction or an exponent), or
 * an array of them; undefined for anything that is not written out.
 */
export function constantOf(node) {
  switch (node.kind) {
    case Kind.True:
      return true;
    case Kind.False:
      return false;
    case Kind.UnaryPrefix: {
      const operand = constantOf(node.operand);
      const isNumber = typeof operand === "bigint" || typeof operand === "number";
      return isNumber && textOf(node).startsWith("-") ? -operand : undefined;
    }
    case Kind.Literal:
      return literalOf(node);
    default:
      return undefined;
  }
}

function literalOf(node) {
  const text = textOf(node).replaceAll("_", "");
  switch (node.literalKind) {
    case Literal.Float:
      return Number(text);
    case Literal.Integer:
      return BigInt(text);
    case Literal.String:
      return node.value;
    case Literal.Array: {
      const values = node.elementExpressions.map(constantOf);
      return values.includes(undefined) ? undefined : values;
    }
    default:
      return undefined;
  }
}

/**
 * Parses AssemblyScript that stands in the file of `place`, the node that it is written for: names in
 * it mean what they mean there, and traps and errors in it are told at that node. Answers its
 * statements; what they import is read by asc afterwards.
 */
export function parseInto(parser, place, text) {
  const { internalPath, normalizedPath } = place.range.source;
  const count = parser.sources.length;
  // The parser passes over a path that it knows.
  parser.donelog.delete(internalPath);
  parser.parseFile(text, normalizedPath, false);
  const [parsed] = parser.sources.splice(count, 1);
  const move = (node) => {
    node.range = place.range;
  };
  for (const statement of parsed.statements) walk(statement, move);
  return parsed.statements;
}

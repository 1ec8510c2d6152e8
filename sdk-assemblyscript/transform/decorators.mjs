// Says which decorators nobody reads: asc passes over those that it does not know, and so would a
// limit that is misspelt.
import { isNear } from "./near.mjs";
import { decoratorOf, eachChild, FUNCTIONS, isUsers, Kind, report, warn } from "./syntax.mjs";

/** On the fields of a @config class. */
export const FIELD_DECORATORS = new Set([
  "required",
  "range",
  "oneOf",
  "minLength",
  "pattern",
  "key",
  "duration",
  "bytes",
  "secret",
]);
const OTHERS = ["filter", "plugin", "config", "maxBody"];
/** The compiler's own. */
const ASCS = [
  "global",
  "operator",
  "unmanaged",
  "sealed",
  "final",
  "inline",
  "external",
  "builtin",
  "lazy",
  "unsafe",
];
const KNOWN = [...FIELD_DECORATORS, ...OTHERS, ...ASCS];

export function checkDecorators(parser) {
  for (const source of parser.sources) {
    if (isUsers(source)) for (const statement of source.statements) check(parser, statement);
  }
}

function check(parser, node) {
  for (const decorator of node.decorators ?? []) {
    // Those with a dot are asc's: @operator.binary.
    const name = decorator.name.kind === Kind.Identifier ? decorator.name.text : ASCS[0];
    if (KNOWN.includes(name)) continue;
    const meant = advice(name, KNOWN);
    // Another transform may have some of its own.
    const tell = meant === "" ? warn : report;
    tell(parser, decorator, `no such decorator: @${name}${meant}`);
  }
  // What is inside of functions has none; who reads a configuration has told of its members.
  if (FUNCTIONS.has(node.kind)) return;
  const isConfig = decoratorOf(node, "config") !== undefined;
  eachChild(node, (child) => {
    if (!isConfig || child.kind !== Kind.FieldDeclaration) check(parser, child);
  });
}

/** What somebody may have meant who wrote `name`. */
export function advice(name, known) {
  const near = [...known].find((one) => isNear(one, name, Math.min(2, name.length / 2)));
  return near === undefined ? "" : `, did you mean @${near}?`;
}

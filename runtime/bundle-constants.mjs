// esbuild writes top-level `const` as `var`. V8 builds the value of a `const` into compiled code, where it
// has to load and check what a `var` holds each time: 2 % of a request's CPU at 64 connections.
import { parseSync } from "oxc-parser";

/** The same module with `const` for each top-level variable that is set once, where it stands. */
export function withConstants(source) {
  const { body } = parseSync("worker.mjs", source).program;
  const assigned = new Set();
  findAssigned(body, assigned);
  let out = "";
  let from = 0;
  for (const statement of body) {
    if (statement.type !== "VariableDeclaration" || statement.kind === "const") continue;
    out += source.slice(from, statement.start);
    from = statement.end;
    for (const { id, init, start, end } of statement.declarations) {
      const isConstant = id.type === "Identifier" && init !== null && !assigned.has(id.name);
      out += `${isConstant ? "const" : statement.kind} ${source.slice(start, end)};`;
    }
  }
  return out + source.slice(from);
}

/** Names that something is assigned to, whatever they stand for there: too many are only `var`s. */
function findAssigned(node, names) {
  if (node === null || typeof node !== "object") return;
  if (node.type === "AssignmentExpression") addNames(node.left, names);
  else if (node.type === "UpdateExpression") addNames(node.argument, names);
  else if (node.type === "ForInStatement" || node.type === "ForOfStatement") {
    addNames(node.left, names);
  }
  for (const child of Object.values(node)) findAssigned(child, names);
}

function addNames(pattern, names) {
  if (pattern === null) return;
  if (pattern.type === "Identifier") names.add(pattern.name);
  else if (pattern.type === "ObjectPattern") {
    for (const { value, argument } of pattern.properties) addNames(value ?? argument, names);
  } else if (pattern.type === "ArrayPattern") {
    for (const element of pattern.elements) addNames(element, names);
  } else if (pattern.type === "AssignmentPattern") addNames(pattern.left, names);
  else if (pattern.type === "RestElement") addNames(pattern.argument, names);
}

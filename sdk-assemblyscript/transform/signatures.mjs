// Compares the hooks that an author overrides with the SDK's: asc takes a misspelt hook for a method
// of the author's own, and says of a wrong parameter only that something is incompatible.
import { CALLBACK_OF_HOOK } from "./hooks.mjs";
import { isSdks } from "./names.mjs";
import { isNear } from "./near.mjs";
import { Kind, report, textOf } from "./syntax.mjs";

const ALIAS = { boolean: "bool", number: "f64" };

/** Checks the methods of a filter's or plugin's class and of the author's classes above it. */
export function checkHooks(parser, names, declaration) {
  const chain = [];
  for (let at = declaration; at !== null && !chain.includes(at); ) {
    chain.push(at);
    at = names.findClass(at.range.source, at.extendsType);
  }
  const sdks = chain.filter(isSdks);
  const hooks = new Map();
  for (const base of sdks.toReversed()) {
    for (const member of base.members) {
      if (member.kind === Kind.MethodDeclaration) hooks.set(member.name.text, member);
    }
  }
  for (const own of chain.filter((one) => !isSdks(one))) {
    for (const member of own.members) {
      if (member.kind === Kind.MethodDeclaration)
        check(parser, names, member, hooks, sdks[0].name.text);
    }
  }
}

function check(parser, names, member, hooks, base) {
  const name = member.name.text;
  const hook = hooks.get(name);
  if (hook !== undefined) {
    if (!isSame(names, member, hook)) {
      report(parser, member.name, `${base} has this hook as ${name}${signatureOf(hook)}`);
    }
    return;
  }
  if (!/^on[A-Z]/i.test(name)) return;
  if (Object.hasOwn(CALLBACK_OF_HOOK, name)) {
    return report(parser, member.name, `${base} has no hook ${name}: nobody would call it`);
  }
  const near = [...hooks.keys()].find((one) => one.startsWith("on") && isNear(one, name));
  if (near !== undefined) {
    report(parser, member.name, `${base} has no hook ${name}: did you mean ${near}?`);
  }
}

function isSame(names, member, hook) {
  const own = member.signature;
  const wanted = hook.signature;
  return (
    own.parameters.length === wanted.parameters.length &&
    own.parameters.every((one, i) => isSameType(names, one.type, wanted.parameters[i].type)) &&
    isSameType(names, own.returnType, wanted.returnType)
  );
}

function isSameType(names, own, wanted) {
  if (own.isNullable !== wanted.isNullable) return false;
  const ownText = plain(own);
  const wantedText = plain(wanted);
  // A type parameter of the SDK's class: its meaning is asc's business.
  if (ownText === wantedText || /^[A-Z]$/.test(wantedText)) return true;
  if (own.kind !== Kind.NamedType || wanted.kind !== Kind.NamedType) return false;
  const found = names.find(own.range.source, ownText);
  return found !== null && found === names.find(wanted.range.source, wantedText);
}

function plain(type) {
  const text = textOf(type).replace(/\s*\|\s*null$/, "");
  return ALIAS[text] ?? text;
}

function signatureOf(hook) {
  const parameters = hook.signature.parameters.map(
    (one) => `${one.name.text}: ${textOf(one.type)}`,
  );
  return `(${parameters.join(", ")}): ${textOf(hook.signature.returnType)}`;
}

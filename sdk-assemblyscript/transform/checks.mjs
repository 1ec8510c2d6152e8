// Refuses, at the author's line, what asc compiles wrongly or says badly: endless for loops, and
// functions that use what is around them.
import { constantOf, eachChild, Flag, FUNCTIONS, isUsers, Kind, report } from "./syntax.mjs";

/** Checks all files of the author's. */
export function checkSources(parser, names) {
  for (const source of parser.sources) {
    if (!isUsers(source)) continue;
    for (const statement of source.statements) {
      if (statement.kind === Kind.ClassDeclaration) checkAncestry(parser, names, statement);
      new Scopes(parser).visit(statement);
    }
  }
}

/** asc overflows its stack on `class X extends Base<X>`, also by way of other classes. */
function checkAncestry(parser, names, declaration) {
  const reached = new Set();
  const queue = [declaration];
  while (queue.length > 0) {
    const at = queue.pop();
    for (const one of at.extendsType === null ? [] : classesIn(names, at, at.extendsType)) {
      if (one === declaration) {
        const name = declaration.name.text;
        const message = `${name} extends a class of ${name} itself, on which the compiler crashes: give it another type argument`;
        return report(parser, declaration.extendsType, message);
      }
      if (reached.has(one)) continue;
      reached.add(one);
      queue.push(one);
    }
  }
}

/** Declarations of the classes that a type names, in its arguments too. */
function classesIn(names, { range }, type) {
  const own = names.findClass(range.source, type);
  const inner = (type.typeArguments ?? []).flatMap((one) => classesIn(names, { range }, one));
  return own === null ? inner : [own, ...inner];
}

/** Names that are in scope while a tree is walked. Only functions' own: globals may be used. */
class Scopes {
  #parser;
  /** From the outermost: { names, function }; the last is where the walk is. */
  #scopes = [];
  #function = null;

  constructor(parser) {
    this.#parser = parser;
  }

  visit(node) {
    if (FUNCTIONS.has(node.kind)) return this.#visitFunction(node);
    if (node.kind === Kind.For && node.condition === null) {
      report(
        this.#parser,
        node,
        "a for loop without a condition is compiled wrongly: write while (true)",
      );
    }
    if (node.kind === Kind.Call) this.#checkOffset(node);
    if (node.kind === Kind.NamedType || node.kind === Kind.FunctionType) return;
    if (node.kind === Kind.Identifier) return this.#use(node);
    if (node.kind === Kind.This) return this.#useThis(node);
    if (node.kind === Kind.PropertyAccess) return this.visit(node.expression);
    const opens = node.kind === Kind.Block || node.kind === Kind.For || node.kind === Kind.Switch;
    if (opens) this.#scopes.push({ names: new Map(), function: this.#function });
    this.#declare(node);
    this.#visitChildren(node);
    if (opens) this.#scopes.pop();
  }

  /** The offset of an instruction has no sign; asc writes a trap for one. */
  #checkOffset({ expression, args }) {
    const at = { load: 1, store: 2 }[expression.text];
    const offset = at === undefined || args.length <= at ? 0n : constantOf(args[at]);
    if (typeof offset !== "bigint" || offset >= 0n) return;
    const message = `${expression.text} with a negative offset always traps: subtract from the address`;
    report(this.#parser, args[at], message);
  }

  #visitChildren(node) {
    eachChild(node, (child) => {
      // A name that is declared, or of a member, is no use of it.
      const isName = child === node.name || node.names?.includes(child) === true;
      if (!isName && !node.decorators?.includes(child)) this.visit(child);
    });
  }

  #visitFunction(node) {
    // An expression's declaration is the function itself.
    const declaration = node.kind === Kind.Function ? node.declaration : node;
    const outer = this.#function;
    this.#function = { isExpression: node.kind === Kind.Function, outer };
    const names = new Map();
    for (const parameter of declaration.signature.parameters) {
      names.set(parameter.name.text, parameter);
    }
    this.#scopes.push({ names, function: this.#function });
    if (declaration.body !== null) this.visit(declaration.body);
    this.#scopes.pop();
    this.#function = outer;
  }

  /** Names of a block count in all of it. */
  #declare(node) {
    const scope = this.#scopes.at(-1);
    if (scope === undefined) return;
    eachChild(node, (child) => {
      const isStatement = child.kind === Kind.Variable;
      for (const one of isStatement ? child.declarations : []) scope.names.set(one.name.text, one);
      if (child.kind === Kind.FunctionDeclaration) scope.names.set(child.name.text, child);
    });
  }

  #use(node) {
    const scope = this.#scopes.findLast(({ names }) => names.has(node.text));
    if (scope === undefined || scope.function === this.#function) return;
    const declared = scope.names.get(node.text);
    // asc puts the value of such a constant in the place of its name.
    const isConst =
      declared.kind === Kind.VariableDeclaration && (declared.flags & Flag.Const) !== 0;
    if (
      isConst &&
      declared.initializer !== null &&
      constantOf(declared.initializer) !== undefined
    ) {
      return;
    }
    report(
      this.#parser,
      node,
      `a function cannot use ${node.text} of the one around it: pass it as an argument, or keep it in a field`,
    );
  }

  #useThis(node) {
    if (this.#function?.isExpression !== true) return;
    report(
      this.#parser,
      node,
      "a function cannot use this of the one around it: take the object as an argument, (self, ...) =>",
    );
  }
}

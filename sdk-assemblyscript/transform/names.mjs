// Finds what a name in an author's file stands for, across imports and re-exports, before asc does.
import { Kind } from "./syntax.mjs";

const DECLARATIONS = new Set([
  Kind.ClassDeclaration,
  Kind.EnumDeclaration,
  Kind.FunctionDeclaration,
  Kind.InterfaceDeclaration,
  Kind.NamespaceDeclaration,
  Kind.TypeDeclaration,
]);

const SDK = "~lib/@headgate/sdk-assemblyscript/";

/** Whether a declaration is the SDK's own. */
export function isSdks(declaration) {
  return declaration.range.source.internalPath.startsWith(SDK);
}

export class Names {
  #sources;

  constructor(parser) {
    this.#sources = new Map(parser.sources.map((source) => [source.internalPath, source]));
  }

  /** The declaration that `name` means in a source; null when it is none of a file's top level. */
  find(source, name) {
    return findDeclared(source, name) ?? this.#findImported(source, name, new Set());
  }

  /** The declaration of the class that a type names without further ado; null for other types. */
  findClass(source, type) {
    if (type === null || type.kind !== Kind.NamedType || type.name.next !== null) return null;
    const found = this.find(source, type.name.identifier.text);
    return found?.kind === Kind.ClassDeclaration ? found : null;
  }

  #findImported(source, name, passed) {
    for (const statement of source.statements) {
      if (statement.kind !== Kind.Import) continue;
      const member = statement.declarations?.find((one) => one.name.text === name);
      if (member === undefined) continue;
      return this.#findExported(statement.internalPath, member.foreignName.text, passed);
    }
    return null;
  }

  #findExported(path, name, passed) {
    const source = this.#sources.get(path) ?? this.#sources.get(`${path}/index`);
    // Files may export from one another in a circle.
    if (source === undefined || passed.has(source)) return null;
    passed.add(source);
    const declared = findDeclared(source, name);
    if (declared !== null) return declared;
    for (const statement of source.statements) {
      if (statement.kind !== Kind.Export) continue;
      const found = this.#findInExport(source, statement, name, passed);
      if (found !== null) return found;
    }
    return null;
  }

  #findInExport(source, statement, name, passed) {
    if (statement.members === null) {
      return this.#findExported(statement.internalPath, name, passed);
    }
    const member = statement.members.find((one) => one.exportedName.text === name);
    if (member === undefined) return null;
    const local = member.localName.text;
    if (statement.internalPath !== null) {
      return this.#findExported(statement.internalPath, local, passed);
    }
    return findDeclared(source, local) ?? this.#findImported(source, local, passed);
  }
}

function findDeclared(source, name) {
  for (const statement of source.statements) {
    if (DECLARATIONS.has(statement.kind) && statement.name.text === name) return statement;
  }
  return null;
}

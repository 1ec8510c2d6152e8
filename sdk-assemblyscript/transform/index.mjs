// The transform of asc that makes filters of decorated classes. asconfig.json names it; asc calls
// afterParse when all files are read, and afterCompile before it optimises.
import { maximaOf } from "./bodies.mjs";
import { checkSources } from "./checks.mjs";
import { compilerProblem } from "./compiler-version.mjs";
import { Configs } from "./config.mjs";
import { checkDecorators } from "./decorators.mjs";
import { initialOf, READER, readingOf } from "./decode.mjs";
import {
  askingSources,
  callbacksOf,
  exportsFor,
  Filters,
  importsOf,
  membersOfPlugin,
  registrationOf,
  SDK,
} from "./filters.mjs";
import {
  calledName,
  CallGraph,
  foreignImports,
  providedImports,
  topLevelHostcalls,
  uselessCallbacks,
} from "./module.mjs";
import { Names } from "./names.mjs";
import { schemaFile } from "./schema-file.mjs";
import { schemaText } from "./schema.mjs";
import { checkHooks } from "./signatures.mjs";
import {
  decoratorOf,
  entryOf,
  FUNCTIONS,
  isUsers,
  Kind,
  parseInto,
  report,
  textOf,
  walk,
} from "./syntax.mjs";

export default class HeadgateTransform {
  /** Callbacks of overridden hooks; null when there is no decorated class. */
  #callbacks = null;
  #schema = null;

  afterParse(parser) {
    const problem = compilerProblem(this.program.options);
    // With another one nothing else that is found can be trusted.
    if (problem !== null) return report(parser, topOf(entryOf(parser)), problem);
    const names = new Names(parser);
    const configs = new Configs(parser, names);
    const filters = new Filters(parser, names, configs);
    const maxima = new Map();
    for (const { declaration, hooks } of filters.all) {
      checkHooks(parser, names, declaration);
      maxima.set(declaration, maximaOf(parser, declaration, hooks));
    }
    checkSources(parser, names);
    checkDecorators(parser);
    // What is refused is not worth writing code for.
    if (parser.diagnostics.some(isError)) return;
    const readers = writeConfigs(parser, configs);
    const { naming, reading } = writeFilters(parser, filters);
    for (const [declaration, text] of maxima) addMembers(parser, declaration, text);
    addImports(parser, new Set([...readers, ...reading]), READER_IMPORT);
    addImports(parser, naming, SDK_IMPORT);
    if (filters.all.length === 0) return;
    this.#callbacks = callbacksOf(filters.all);
    this.#schema = schemaText(filters.all, configs);
    const entry = entryOf(parser);
    entry.statements.push(
      ...parseInto(parser, entry, exportsFor(this.#callbacks, askingSources(parser))),
    );
  }

  async afterCompile(module) {
    const graph = new CallGraph(module.emitText());
    // asc has put it there.
    const { program } = this;
    for (const source of program.sources.filter(isUsers)) refuseHostcalls(program, graph, source);
    const entry = entryOf(program);
    for (const name of foreignImports(graph)) refuseImport(program, entry, name);
    if (this.#callbacks === null) return;
    for (const name of uselessCallbacks(graph, this.#callbacks)) module.removeExport(name);
    const file = schemaFile(this.baseDir);
    if (file !== null && this.#schema !== null)
      await this.writeFile(file, this.#schema, this.baseDir);
  }
}

function isError(diagnostic) {
  // asc's DiagnosticCategory.Error.
  return diagnostic.category === 3;
}

const READER_IMPORT = `import * as ${READER} from "@headgate/sdk-assemblyscript/assembly/config-reader";`;
const SDK_IMPORT = `import * as ${SDK} from "@headgate/sdk-assemblyscript/assembly/decorated";`;

function writeConfigs(parser, configs) {
  const sources = new Set();
  for (const model of configs.all) {
    sources.add(model.source);
    addMembers(parser, model.declaration, readingOf(model));
    for (const field of model.fields) addInitialiser(parser, field);
  }
  return sources;
}

function addMembers(parser, declaration, text) {
  const [made] = parseInto(parser, declaration.name, `class Made {${text}}`);
  declaration.members.push(...made.members);
}

function addInitialiser(parser, field) {
  const text = field.declaration.initializer === null ? initialOf(field) : undefined;
  if (text === undefined) return;
  const [made] = parseInto(parser, field.declaration.name, `class Made { made: i32 = ${text}; }`);
  field.declaration.initializer = made.members[0].initializer;
}

/** Answers the sources that name the SDK, and those that read configurations. */
function writeFilters(parser, filters) {
  const naming = new Set();
  const reading = new Set();
  for (const one of filters.all) {
    const { declaration } = one;
    const { source } = declaration.range;
    naming.add(source);
    if (one.configName === null) naming.add(addNoConfig(parser, one.bare));
    else reading.add(source);
    if (one.base === "Plugin") {
      addMembers(parser, declaration, membersOfPlugin(one, filters.filters));
    }
    const text = importsOf(one, filters.filters) + registrationOf(one);
    source.statements.push(...parseInto(parser, declaration.name, text));
  }
  return { naming, reading };
}

function addImports(parser, sources, text) {
  for (const source of sources) {
    source.statements.unshift(...parseInto(parser, topOf(source), text));
  }
}

/** asc looks for a type argument's default in the author's file, where it is not known. */
function addNoConfig(parser, declaration) {
  const { source } = declaration.range;
  const text = `class Made extends ${SDK}.Plugin<${SDK}.NoConfig> {}`;
  const [made] = parseInto(parser, declaration.name, text);
  declaration.extendsType.typeArguments = made.extendsType.typeArguments;
  return source;
}

/** The host's functions are not there yet when a module starts. */
function refuseHostcalls(program, graph, source) {
  const provided = providedImports();
  const found = topLevelHostcalls(graph, source.internalPath).filter(({ hostcall }) =>
    // Others are refused wherever they are.
    provided.has(hostcall),
  );
  if (found.length === 0) return;
  const places = topLevelNames(source);
  for (const { target, hostcall } of found) {
    const at = places.findIndex(({ text }) => text === calledName(target));
    const [place] = at < 0 ? [topOf(source)] : places.splice(at, 1);
    const message = `this calls the host at top level (${hostcall}): no proxy is ready for it then`;
    report(program, place, message);
  }
}

/** Names that code at the top level of a file uses, in their order. */
function topLevelNames(source) {
  const names = [];
  const visit = (node) => {
    if (FUNCTIONS.has(node.kind)) return false;
    if (node.kind === Kind.Identifier) names.push(node);
    return true;
  };
  for (const statement of source.statements) {
    // Imports name things, too, and do nothing.
    if (statement.kind !== Kind.Import && statement.kind !== Kind.Export) walk(statement, visit);
  }
  return names;
}

/** What brings an import along, as authors write it, and what to write instead. */
const ORIGINS = [
  [/^env\.seed$/, /^Math\.random$/, ": a filter has no randomness of its own"],
  [/^env\.Date\.now$/, /^Date\.now$/, ": nowMs() tells the time"],
  [/^env\.console\./, /^console\.\w+$/, ": write log.info(...)"],
  [/^env\.trace$/, /^trace$/, ": write log.trace(...)"],
  [/^env\.crypto\./, /^crypto\.\w+$/, ": a filter has no randomness of its own"],
  [/^env\.performance\./, /^performance\.\w+$/, ": nowMs() tells the time"],
];

/** At the places that bring it along, else at the top of the entry file. */
function refuseImport(program, entry, name) {
  const origin = ORIGINS.find(([imported]) => imported.test(name));
  const [, pattern = /^$/, advice = ""] = origin ?? [];
  const message = `no proxy provides ${name}${advice}`;
  let isFound = false;
  for (const source of program.sources.filter(isUsers)) {
    for (const statement of source.statements) {
      walk(statement, (node) => {
        const isNamed = node.kind === Kind.PropertyAccess || node.kind === Kind.Identifier;
        const isUse = isNamed && pattern.test(textOf(node));
        if (!isUse && !declaresImport(node, name)) return true;
        isFound = true;
        report(program, node, message);
        return false;
      });
    }
  }
  if (!isFound) report(program, topOf(entry), message);
}

/** Whether a function without a body stands for that import. */
function declaresImport(node, name) {
  if (node.kind !== Kind.FunctionDeclaration || node.body !== null) return false;
  const [own = node.name] = decoratorOf(node, "external")?.args?.slice(-1) ?? [];
  return name.endsWith(`.${own.value ?? own.text}`);
}

function topOf(source) {
  const range = new source.range.constructor(0, 1);
  range.source = source;
  return { range };
}

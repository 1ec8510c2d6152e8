// Finds the author's @filter and @plugin classes, and writes their registration and the exports of
// the entry file: the callbacks of hooks that are overridden, and no other.
import { posix } from "node:path";
import { READ, READER } from "./decode.mjs";
import {
  ANSWERS_OF_HOSTCALL,
  BRIEF_OF_HOOK,
  CALLBACK_OF_HOOK,
  COLLECTING,
  FILE_OF_CALLBACK,
  SIGN_OF_HOSTCALL,
} from "./hooks.mjs";
import { isSdks } from "./names.mjs";
import {
  constantOf,
  decoratorOf,
  Flag,
  isUsers,
  Kind,
  placeOf,
  report,
  simpleTypeName,
  walk,
} from "./syntax.mjs";

const { dirname, relative } = posix;
const BASES = { HttpFilter: "createHttpFilter", NetworkFilter: "createNetworkFilter" };
/** What the registration calls, as it is imported into the author's file. */
export const SDK = "__headgate";
/** The SDK's classes that an author's extend, and the method of a plugin that makes one. */
const PARTS = { ...BASES, Plugin: null };
const PACKAGE = "@headgate/sdk-assemblyscript";
const EXPORTS = `${PACKAGE}/exports`;

/** What a module's decorated classes are, and what must be written for them. */
export class Filters {
  /** { declaration, rootId, base, config (declaration), configName, hooks } of each. */
  filters = [];
  plugins = [];
  #parser;
  #names;
  #configs;

  constructor(parser, names, configs) {
    this.#parser = parser;
    this.#names = names;
    this.#configs = configs;
    for (const source of parser.sources) {
      if (!isUsers(source)) continue;
      for (const statement of source.statements) {
        if (statement.kind === Kind.ClassDeclaration) this.#read(statement);
      }
    }
    this.#pair();
  }

  get all() {
    return [...this.filters, ...this.plugins];
  }

  #read(declaration) {
    const asFilter = decoratorOf(declaration, "filter");
    const asPlugin = decoratorOf(declaration, "plugin");
    if (asFilter === undefined && asPlugin === undefined) return this.#readPlain(declaration);
    const decorator = asFilter ?? asPlugin;
    const rootId = rootIdOf(decorator);
    if (rootId === undefined) {
      return this.#refuse(decorator, `expected @${decorator.name.text}("root-id")`);
    }
    const found = this.#baseOf(declaration);
    const wanted = asFilter === undefined ? ["Plugin"] : Object.keys(BASES);
    if (found === null || !wanted.includes(found.base)) {
      const classes = wanted.map((name) => `${name}<Config>`).join(" or ");
      return this.#refuse(
        declaration.name,
        `@${decorator.name.text} is for classes that extend ${classes}`,
      );
    }
    if ((declaration.flags & Flag.Abstract) !== 0 || declaration.isGeneric) {
      return this.#refuse(
        declaration.name,
        `@${decorator.name.text} is for a class that can be made as it is`,
      );
    }
    const isKnown = found.configName === null || this.#configs.get(found.config) !== undefined;
    if (!isKnown && !found.isConfigured) {
      return this.#refuse(found.configType, `${found.configName} must be a @config class`);
    }
    const one = { declaration, decorator, rootId, ...found };
    (asFilter === undefined ? this.plugins : this.filters).push(one);
  }

  /** A plugin that is registered by hand. */
  #readPlain(declaration) {
    const found = this.#baseOf(declaration);
    if (found?.base !== "Plugin" || found.isConfigured) return;
    if ((declaration.flags & Flag.Abstract) !== 0) return;
    this.#refuse(declaration.name, "decorate the plugin by @plugin, or override configure");
  }

  /**
   * Walks up to the SDK's class: its name, the configuration's class, and the hooks overridden on
   * the way. Null when the class does not come from the SDK.
   */
  #baseOf(declaration) {
    const hooks = new Set();
    let isConfigured = false;
    const passed = new Set();
    // What the type parameters of the class at hand stand for.
    let meaning = new Map();
    let at = declaration;
    while (at !== null && !isSdks(at) && !passed.has(at)) {
      passed.add(at);
      for (const member of at.members) {
        if (Object.hasOwn(CALLBACK_OF_HOOK, member.name.text)) hooks.add(member.name.text);
      }
      isConfigured ||= hasMethod(at, "configure");
      const { source } = at.range;
      const parent = this.#names.findClass(source, at.extendsType);
      if (parent === null) return null;
      const types = (at.extendsType.typeArguments ?? []).map((type) => {
        const name = simpleTypeName(type);
        return meaning.get(name) ?? { type, declaration: this.#names.findClass(source, type) };
      });
      meaning = new Map((parent.typeParameters ?? []).map((one, i) => [one.name.text, types[i]]));
      if (isSdks(parent)) {
        const base = parent.name.text;
        if (!Object.hasOwn(PARTS, base)) return null;
        const [config] = types;
        if (config === undefined) {
          const classes = [...passed];
          return { base, config: null, configName: null, bare: at, hooks, isConfigured, classes };
        }
        const configName = simpleTypeName(config.type);
        const { type: configType, declaration: found } = config;
        return {
          base: parent.name.text,
          config: found,
          configName,
          configType,
          hooks,
          isConfigured,
          classes: [...passed],
        };
      }
      at = parent;
    }
    return null;
  }

  /** A plugin without a root id of its own belongs to the only filter. */
  #pair() {
    for (const plugin of this.plugins) {
      plugin.rootId ??= this.filters.length === 1 ? (this.filters[0].rootId ?? "") : "";
    }
    const taken = new Map();
    for (const filter of this.filters) {
      filter.rootId ??= "";
      this.#takeOnce(taken, filter);
      filter.plugin = this.plugins.find((plugin) => plugin.rootId === filter.rootId) ?? null;
      if (filter.plugin !== null && filter.plugin.config !== filter.config) {
        const { configName, declaration } = filter.plugin;
        this.#refuse(
          filter.declaration.name,
          `its plugin is configured by ${configName}, ${placeOf(declaration)}`,
        );
      }
    }
    const plugins = new Map();
    for (const plugin of this.plugins) this.#takeOnce(plugins, plugin);
  }

  #takeOnce(taken, one) {
    const other = taken.get(one.rootId);
    taken.set(one.rootId, one);
    if (other === undefined) return;
    const what = one.rootId === "" ? "every root id" : `root id "${one.rootId}"`;
    this.#refuse(one.decorator, `${what} is taken by ${placeOf(other.declaration)}`);
  }

  #refuse(node, message) {
    report(this.#parser, node, message);
  }
}

/** null when the decorator says none, undefined when it says something else. */
function rootIdOf(decorator) {
  const args = decorator.args ?? [];
  if (args.length === 0) return null;
  const rootId = constantOf(args[0]);
  return typeof rootId === "string" && args.length === 1 ? rootId : undefined;
}

/** Text of the members that a @plugin class gets. */
export function membersOfPlugin(plugin, filters) {
  const filter = filters.find((one) => one.plugin === plugin);
  const has = (name) => hasMethod(plugin.declaration, name);
  const members = [];
  if (!plugin.isConfigured) members.push(configureOf(configIn(plugin)));
  if (filter !== undefined && !has(BASES[filter.base])) {
    members.push(createOf(filter, configIn(plugin), classIn(filter, plugin)));
  }
  return members.join("");
}

/** Text of the statements that register a class, for its own file. */
export function registrationOf(one) {
  const { name } = one.declaration;
  const rootId = JSON.stringify(one.rootId);
  if (one.base === "Plugin") return `${SDK}.registerPlugin(${rootId}, () => new ${name.text}());\n`;
  // Its plugin registers it.
  if (one.plugin !== null) return "";
  const made = `__headgate_plugin_${name.text}`;
  return `
class ${made} extends ${SDK}.Plugin<${configIn(one)}> {${configureOf(configIn(one))}
  ${createOf(one, configIn(one), name.text)}
}
${SDK}.registerPlugin(${rootId}, () => ${makingOf(one, made)});
`;
}

/** What makes the plugin of a filter; see exports/brief.ts. */
function makingOf(one, made) {
  if (!one.classes.every(keepsNothing)) return `new ${made}()`;
  return `{
  const plugin = new ${made}();
  plugin.state = ${SDK}.REUSING;
  return plugin;
}`;
}

/** A class without fields, whose methods hand its objects to nobody. */
function keepsNothing(declaration) {
  const isMethod = (member) =>
    member.kind === Kind.MethodDeclaration && (member.flags & Flag.Constructor) === 0;
  if (!declaration.members.every(isMethod)) return false;
  let bare = 0;
  walk(declaration, (node) => {
    if (node.kind === Kind.This) bare += 1;
    if (node.kind === Kind.PropertyAccess && node.expression.kind === Kind.This) bare -= 1;
  });
  return bare === 0;
}

/** Imports into the file of a class what its registration names and the file does not. */
export function importsOf(one, filters) {
  let text = "";
  const { source } = one.declaration.range;
  if (isElsewhere(one.config, source)) text += importOf(one.config, configIn(one), source);
  const filter = one.base === "Plugin" ? filters.find((other) => other.plugin === one) : undefined;
  if (filter !== undefined && isElsewhere(filter.declaration, source)) {
    text += importOf(filter.declaration, classIn(filter, one), source);
  }
  return text;
}

function importOf(declaration, name, source) {
  // It need not be exported for its author; in another file than the entry that changes nothing.
  declaration.flags |= Flag.Export;
  const path = relative(dirname(source.internalPath), declaration.range.source.internalPath);
  const from = path.startsWith(".") ? path : `./${path}`;
  return `import { ${declaration.name.text} as ${name} } from "${from}";\n`;
}

function isElsewhere(declaration, source) {
  return declaration !== null && declaration.range.source !== source;
}

/** The configuration's class as the file of `one` calls it. */
function configIn(one) {
  if (one.configName === null) return `${SDK}.NoConfig`;
  if (!isElsewhere(one.config, one.declaration.range.source)) return one.configName;
  return `__headgate_config_${one.config.name.text}`;
}

function classIn(filter, plugin) {
  const { name } = filter.declaration;
  const isNear = filter.declaration.range.source === plugin.declaration.range.source;
  return isNear ? name.text : `__headgate_filter_${name.text}`;
}

function configureOf(config) {
  if (config === `${SDK}.NoConfig`) {
    return `
  configure(source: ${SDK}.Configuration): ${config} | null {
    return ${SDK}.none(source);
  }`;
  }
  return `
  configure(source: ${SDK}.Configuration): ${config} | null {
    const config = new ${config}();
    if (${READER}.begin(source)) {
      config.${READ}(0);
      ${READER}.end();
    }
    return config;
  }`;
}

function createOf(filter, config, name) {
  return `
  ${BASES[filter.base]}(): ${SDK}.${filter.base}<${config}> | null {
    return new ${name}();
  }`;
}

function hasMethod(declaration, name) {
  return declaration.members.some(
    (member) => member.kind === Kind.MethodDeclaration && member.name.text === name,
  );
}

/** Callback -> the file of `exports/` to take it from, for each hook that is overridden. */
export function callbacksOf(all) {
  const hooks = new Set(all.flatMap((one) => [...one.hooks]));
  const callbacks = new Map();
  for (const hook of hooks) {
    const callback = CALLBACK_OF_HOOK[hook];
    callbacks.set(callback, FILE_OF_CALLBACK[callback]);
  }
  for (const [hook, collecting] of Object.entries(COLLECTING)) {
    if (hooks.has(hook)) for (const callback of collecting) callbacks.set(callback, "bodies");
  }
  return callbacks;
}

/**
 * Text of the exports for the entry file. Callbacks that bring answers are among them, where a source
 * looks as if it asked for something; after compiling, module.mjs takes those away that the module
 * has no use for.
 */
export function exportsFor(callbacks, sources) {
  const all = new Map(callbacks);
  for (const [hostcall, answers] of Object.entries(ANSWERS_OF_HOSTCALL)) {
    if (!sources.some((source) => SIGN_OF_HOSTCALL[hostcall].test(source.text))) continue;
    for (const callback of answers) all.set(callback, FILE_OF_CALLBACK[callback]);
  }
  const brief = all.size === callbacks.size ? briefOf(callbacks, sources) : null;
  if (brief !== null) all.set(brief, "brief");
  const lines = Array.from(
    all,
    ([callback, file]) => `export { ${callback} } from "${EXPORTS}/${file}";\n`,
  );
  return `export * from "${EXPORTS}/base";\n${lines.join("")}`;
}

/** Null when a stream's end, or anything else than its one hook, means something to a filter. */
function briefOf(callbacks, sources) {
  const [[callback, file] = []] = callbacks;
  if (callbacks.size !== 1 || file !== "http") return null;
  if (sources.some(({ text }) => /\bonDelete\b/.test(text))) return null;
  const hook = Object.keys(BRIEF_OF_HOOK).find((name) => CALLBACK_OF_HOOK[name] === callback);
  return hook === undefined ? null : BRIEF_OF_HOOK[hook];
}

/** Sources that may ask the host for something: the author's, and packages that use the SDK. */
export function askingSources({ sources }) {
  return sources.filter(
    (source) =>
      isUsers(source) ||
      source.statements.some(
        (one) => one.kind === Kind.Import && one.path.value.startsWith(PACKAGE),
      ),
  );
}

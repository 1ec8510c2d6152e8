// Reads the author's @config classes into models, from which decode.mjs writes the reading and
// schema.mjs the JSON Schema. What cannot be read is refused at the author's line.
import { fieldTypeOf } from "./config-types.mjs";
import { advice, FIELD_DECORATORS } from "./decorators.mjs";
import { isSdks } from "./names.mjs";
import { constantOf, decoratorOf, Flag, isUsers, Kind, placeOf, report } from "./syntax.mjs";

/** The member that tells variants apart. */
export const TAG = "type";

/** All @config classes of the author's, by their declaration. */
export class Configs {
  #models = new Map();
  #parser;
  #names;

  constructor(parser, names) {
    this.#parser = parser;
    this.#names = names;
    for (const source of parser.sources) {
      if (!isUsers(source)) continue;
      for (const statement of source.statements) {
        if (statement.kind !== Kind.ClassDeclaration) continue;
        if (decoratorOf(statement, "config") !== undefined) this.#add(statement);
        else this.#refuseFieldDecorators(statement);
      }
    }
    // Fields may be of classes that come later.
    for (const model of this.#models.values()) this.#connect(model);
    for (const model of this.#models.values()) this.#readFields(model);
    for (const model of this.#models.values()) this.#refuseEndless(model);
  }

  get all() {
    return [...this.#models.values()];
  }

  /** The model of a class; undefined when the class is no @config class. */
  get(declaration) {
    return this.#models.get(declaration);
  }

  #add(declaration) {
    const decorator = decoratorOf(declaration, "config");
    const [tag] = decorator.args ?? [];
    const model = {
      name: declaration.name.text,
      declaration,
      source: declaration.range.source,
      isAbstract: (declaration.flags & Flag.Abstract) !== 0,
      base: null,
      tag: tag === undefined ? null : constantOf(tag),
      variants: [],
      fields: [],
      hasValidate: hasMethod(declaration, "validate"),
    };
    this.#models.set(declaration, model);
    if (declaration.isGeneric)
      this.#refuse(declaration.name, "a @config class has no type parameters");
    if (model.tag !== null && (typeof model.tag !== "string" || decorator.args.length > 1)) {
      this.#refuse(decorator, '@config takes one text, the variant\'s name: @config("redirect")');
      model.tag = null;
    }
    for (const member of declaration.members) {
      if ((member.flags & Flag.Constructor) === 0) continue;
      if (member.signature.parameters.every((parameter) => parameter.initializer !== null))
        continue;
      this.#refuse(member.name, "a @config class is made without arguments: give them defaults");
    }
  }

  #connect(model) {
    const { declaration, source } = model;
    const place = declaration.name;
    if (declaration.extendsType !== null) {
      const parent = this.#names.findClass(source, declaration.extendsType);
      model.base = parent === null ? null : (this.#models.get(parent) ?? null);
      if (model.base === null) {
        this.#refuse(declaration.extendsType, "a @config class extends @config classes only");
        return;
      }
    }
    const root = model.base;
    if (model.tag === null) {
      const isNamed = decoratorOf(declaration, "config").args?.length > 0;
      if (root?.isAbstract === true && !model.isAbstract && !isNamed) {
        this.#refuse(place, `name this variant of ${root.name}: @config("...")`);
      }
      return;
    }
    if (root === null || !root.isAbstract) {
      this.#refuse(place, "a variant extends an abstract @config class");
    } else if (root.source !== source) {
      this.#refuse(
        place,
        `variants of ${root.name} stand in its file, ${placeOf(root.declaration)}`,
      );
    } else if (root.variants.some((other) => other.tag === model.tag)) {
      this.#refuse(place, `${root.name} has a variant "${model.tag}" already`);
    } else {
      root.variants.push(model);
    }
  }

  #readFields(model) {
    const keys = new Map();
    for (let up = model.base; up !== null; up = up.base) {
      for (const member of up.declaration.members) {
        if (isMember(member)) keys.set(keyOf(member), member);
      }
    }
    for (const member of model.declaration.members) {
      if (member.kind !== Kind.FieldDeclaration) continue;
      if (!isMember(member)) {
        this.#refuseDecorators(member, "a member that a configuration sets is public, not static");
        continue;
      }
      this.#refuseUnknown(member);
      const key = keyOf(member);
      if (keys.has(key)) {
        this.#refuse(member.name, `"${key}" is a member already, ${placeOf(keys.get(key))}`);
      } else if (key === TAG && (model.tag !== null || model.isAbstract)) {
        this.#refuse(member.name, `"${TAG}" is the member that tells variants apart`);
      }
      keys.set(key, member);
      this.#readField(model, member, key);
    }
  }

  #readField(model, member, key) {
    const type = fieldTypeOf(member, model, {
      refuse: (node, message) => this.#refuse(node, message),
      findModel: (typeNode) => {
        const found = this.#names.findClass(model.source, typeNode);
        return found === null ? undefined : this.#models.get(found);
      },
    });
    if (type === null) return;
    // The reading assigns it, which only a constructor may do to a readonly one.
    member.flags &= ~Flag.Readonly;
    model.fields.push({
      name: member.name.text,
      key,
      declaration: member,
      type,
      isRequired: decoratorOf(member, "required") !== undefined,
      isSecret: decoratorOf(member, "secret") !== undefined,
    });
  }

  /** A class that needs one of itself to be made would never be ready. */
  #refuseEndless(model) {
    const passed = new Set();
    const contains = (at) => {
      if (passed.has(at)) return false;
      passed.add(at);
      return allFields(at).some(({ type }) => {
        if (type.kind !== "class" || type.isNullable) return false;
        return type.model === model || contains(type.model);
      });
    };
    if (contains(model)) {
      this.#refuse(
        model.declaration.name,
        `${model.name} contains itself: use "| null" or an array`,
      );
    }
  }

  #refuseFieldDecorators(declaration) {
    // A class of the SDK, or of nobody we know, says nothing to us.
    for (const member of declaration.members) {
      this.#refuseDecorators(member, `${declaration.name.text} is no @config class`);
    }
  }

  #refuseDecorators(member, message) {
    const decorator = member.decorators?.find((one) => FIELD_DECORATORS.has(one.name.text));
    if (decorator !== undefined) this.#refuse(decorator, message);
  }

  #refuseUnknown(member) {
    for (const decorator of member.decorators ?? []) {
      if (!FIELD_DECORATORS.has(decorator.name.text)) {
        const { text } = decorator.name;
        const meant = advice(text, FIELD_DECORATORS);
        this.#refuse(decorator, `no such decorator of a configuration: @${text}${meant}`);
      }
    }
  }

  #refuse(node, message) {
    report(this.#parser, node, message);
  }
}

/** All fields of a class, those of its bases first. */
export function allFields(model) {
  return model.base === null ? model.fields : [...allFields(model.base), ...model.fields];
}

/** Private and protected fields are the author's own: derived values, for instance. */
function isMember(member) {
  const hidden = Flag.Private | Flag.Protected | Flag.Static;
  return member.kind === Kind.FieldDeclaration && (member.flags & hidden) === 0;
}

function keyOf(member) {
  const [argument] = decoratorOf(member, "key")?.args ?? [];
  const key = argument === undefined ? undefined : constantOf(argument);
  return typeof key === "string" ? key : member.name.text;
}

function hasMethod(declaration, name) {
  return declaration.members.some(
    (member) => member.kind === Kind.MethodDeclaration && member.name.text === name,
  );
}

/** Whether a class is one of the SDK's with that name. */
export function isSdkClass(declaration, name) {
  return declaration !== null && declaration.name.text === name && isSdks(declaration);
}

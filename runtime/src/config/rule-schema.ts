// Takes the PGV rules (validate.rules and friends) out of the descriptors, once per message type;
// called by field-rules.ts.
import {
  type DescExtension,
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  isFieldSet,
  type Message,
} from "@bufbuild/protobuf";
import type { Schema } from "./schema.ts";

/**
 * The set fields of one rule message by proto name. Rule messages are read generically: their types
 * live in the descriptor set, not in generated code.
 */
export interface Rule {
  readonly [name: string]: RuleValue;
}
export type RuleValue = string | number | bigint | boolean | Uint8Array | Rule | RuleValue[];

export interface RuledField {
  readonly field: DescField;
  /** Kind of the rule (`string`, `uint32`, `duration`, `repeated` ...), "" when there is none. */
  readonly kind: string;
  readonly rule: Rule;
  readonly isRequired: boolean;
  /** The rules inside the message that this field holds are not to be checked. */
  readonly isSkipped: boolean;
}

/** What PGV asks of one message type. */
export interface RuledMessage {
  readonly fields: readonly RuledField[];
  /** Oneofs of which one field must be set, with their fields' names. */
  readonly requiredOneofs: readonly { readonly name: string; readonly fields: readonly string[] }[];
}

const validateFile = "validate/validate.proto";
const noRules: RuledMessage = { fields: [], requiredOneofs: [] };

export class RuleSchema {
  readonly #rules: DescExtension;
  readonly #required: DescExtension;
  readonly #disabled: DescExtension;
  readonly #ignored: DescExtension;
  readonly #messages: Map<DescMessage, RuledMessage>;

  constructor(schema: Schema) {
    this.#rules = schema.getExtension(validateFile, "validate.rules");
    this.#required = schema.getExtension(validateFile, "validate.required");
    this.#disabled = schema.getExtension(validateFile, "validate.disabled");
    this.#ignored = schema.getExtension(validateFile, "validate.ignored");
    this.#messages = new Map();
  }

  rulesOf(message: DescMessage): RuledMessage {
    let rules = this.#messages.get(message);
    if (rules === undefined) {
      rules = this.#isOff(message) ? noRules : this.#read(message);
      this.#messages.set(message, rules);
    }
    return rules;
  }

  #isOff(message: DescMessage): boolean {
    if (message.proto.options === undefined) return false;
    for (const option of [this.#disabled, this.#ignored]) {
      if (hasOption(message, option) && getOption(message, option) === true) return true;
    }
    return false;
  }

  #read(message: DescMessage): RuledMessage {
    const fields: RuledField[] = [];
    for (const field of message.fields) {
      const ruled = this.#readField(field);
      if (ruled !== undefined) fields.push(ruled);
    }
    const requiredOneofs = [];
    for (const oneof of message.oneofs) {
      if (!hasOption(oneof, this.#required) || getOption(oneof, this.#required) !== true) continue;
      requiredOneofs.push({ name: oneof.name, fields: oneof.fields.map((field) => field.name) });
    }
    return { fields, requiredOneofs };
  }

  #readField(field: DescField): RuledField | undefined {
    if (field.proto.options === undefined || !hasOption(field, this.#rules)) return undefined;
    const description = this.#rules.message;
    if (description === undefined) return undefined;
    const rules = toRule(description, getOption(field, this.#rules) as Message);
    const onMessage = asRule(rules["message"]);
    const kind = Object.keys(rules).find((name) => name !== "message") ?? "";
    const rule = asRule(rules[kind]);
    return {
      field,
      kind,
      rule,
      isRequired: onMessage["required"] === true || rule["required"] === true,
      isSkipped: onMessage["skip"] === true,
    };
  }
}

/** A nested rule, empty when there is none. */
export function asRule(value: RuleValue | undefined): Rule {
  return value !== undefined && typeof value === "object" && !Array.isArray(value)
    ? (value as Rule)
    : {};
}

// protobuf-es gives messages without generated types as objects with fields by local name.
function toRule(description: DescMessage, message: Message): Rule {
  const rule: Record<string, RuleValue> = {};
  const values = message as unknown as Record<string, unknown>;
  for (const field of description.fields) {
    if (!isFieldSet(message, field)) continue;
    const holder = field.oneof === undefined ? undefined : values[field.oneof.localName];
    const value =
      field.oneof === undefined ? values[field.localName] : (holder as { value: unknown }).value;
    const isMessage = field.message !== undefined && field.fieldKind === "message";
    rule[field.name] = isMessage ? toRule(field.message, value as Message) : (value as RuleValue);
  }
  return rule;
}

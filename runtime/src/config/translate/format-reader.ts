// Reads substitution formats and header mutations, and checks their %COMMANDS%.
import { compileFormat, compileText } from "../../formatter/formatter.ts";
import type { FormatError } from "../../formatter/formatter.ts";
import type { ConfigNode } from "../config-node.ts";
import type {
  HeaderAddConfig,
  HeaderMutationsConfig,
  JsonValue,
  SubstitutionFormatConfig,
} from "../snapshot.ts";
import { readDataSource } from "./data-source.ts";
import { toLatin1 } from "./translation.ts";
import type { Translation } from "./translation.ts";

const actions: Readonly<Record<string, HeaderAddConfig["action"]>> = {
  APPEND_IF_EXISTS_OR_ADD: "append_if_exists_or_add",
  ADD_IF_ABSENT: "add_if_absent",
  OVERWRITE_IF_EXISTS_OR_ADD: "overwrite_if_exists_or_add",
  OVERWRITE_IF_EXISTS: "overwrite_if_exists",
};

/** No change at all. */
export const noMutations: HeaderMutationsConfig = {
  requestAdd: [],
  requestRemove: [],
  responseAdd: [],
  responseRemove: [],
};

/** The four lists that routes, virtual hosts, tables and weighted clusters have. */
export function readHeaderMutations(t: Translation, node: ConfigNode): HeaderMutationsConfig {
  return {
    requestAdd: readHeaderAdds(t, node, "request_headers_to_add"),
    requestRemove: readRemovals(t, node, "request_headers_to_remove"),
    responseAdd: readHeaderAdds(t, node, "response_headers_to_add"),
    responseRemove: readRemovals(t, node, "response_headers_to_remove"),
  };
}

/** A list of HeaderValueOption. */
export function readHeaderAdds(t: Translation, node: ConfigNode, field: string): HeaderAddConfig[] {
  return node.nodes(field).map((option) => readHeaderAdd(t, option));
}

function readHeaderAdd(t: Translation, option: ConfigNode): HeaderAddConfig {
  const header = option.node("header");
  const name = header?.string("key", "").toLowerCase() ?? "";
  const format = header?.string("value", "") ?? "";
  const action = readAction(t, option);
  const keepEmptyValue = option.bool("keep_empty_value", false);
  if (header !== undefined) {
    if (header.hasEffect("raw_value")) {
      header.accept("raw_value", "Envoy does not use it here");
      t.warn(header, "raw_value has no effect here, as in Envoy: expected value", "raw_value");
    }
    if (name.startsWith(":") || name === "host") {
      t.wrong(header, ":-prefixed or host headers may not be modified", "key");
    }
    checkHeaderFormat(t, header, format);
  }
  return { name, format: toLatin1(format), action, keepEmptyValue };
}

/** append_action, or the deprecated `append`, which holds when append_action is the default. */
function readAction(t: Translation, option: ConfigNode): HeaderAddConfig["action"] {
  const action = actions[option.enum("append_action")] ?? "append_if_exists_or_add";
  const append = option.bool("append");
  if (append === undefined) return action;
  if (action !== "append_if_exists_or_add") {
    t.wrong(option, "both append and append_action are set, expected one of them", "append");
  }
  return append ? "append_if_exists_or_add" : "overwrite_if_exists_or_add";
}

function readRemovals(t: Translation, node: ConfigNode, field: string): string[] {
  return node.strings(field).map((text) => {
    const name = text.toLowerCase();
    if (name.startsWith(":") || name === "host") {
      t.wrong(node, ":-prefixed or host headers may not be removed", field);
    }
    return name;
  });
}

function checkHeaderFormat(t: Translation, header: ConfigNode, format: string): void {
  const compiled = compileText(format, { hostname: "", omitEmptyValues: true });
  if (typeof compiled === "function") return;
  if (!compiled.isUnimplemented) t.wrong(header, compiled.message, "value");
  else t.guarded(header, commandOf(compiled), "a client's own header would pass", "value");
}

/** "the command %X%" of a formatter's words about a command that is not implemented. */
function commandOf(error: FormatError): string {
  return error.message.split(" is not implemented")[0] as string;
}

/** A SubstitutionFormatString; null when it is wrong (a problem is noted). */
export function readFormat(t: Translation, node: ConfigNode): SubstitutionFormatConfig | null {
  const omitEmptyValues = node.bool("omit_empty_values", false);
  const contentType = node.string("content_type", "");
  const base = { omitEmptyValues, contentType, text: "", json: null };
  node.node("json_format_options")?.accept("sort_properties", "keys are always sorted");
  const kind = node.oneof("format");
  switch (kind) {
    case "json_format": {
      const json = (node.json(kind) ?? {}) as JsonValue;
      return checkedFormat(t, node, { ...base, kind: "json", json }, kind);
    }
    case "text_format_source": {
      const source = readDataSource(t, node.node(kind));
      if (source === null) return null;
      const text = source.toString("utf8");
      return checkedFormat(t, node, { ...base, kind: "text", text }, kind);
    }
    case "text_format": {
      const text = node.string(kind, "");
      return checkedFormat(t, node, { ...base, kind: "text", text }, kind);
    }
    default:
      return null;
  }
}

/** Notes a problem with `field` and answers null when the format does not compile. */
export function checkedFormat(
  t: Translation,
  node: ConfigNode,
  format: SubstitutionFormatConfig,
  field: string,
): SubstitutionFormatConfig | null {
  const compiled = compileFormat(format, "");
  if (typeof compiled === "function") return format;
  if (compiled.isUnimplemented) t.unsupported(node, commandOf(compiled), field);
  else t.wrong(node, compiled.message, field);
  return null;
}

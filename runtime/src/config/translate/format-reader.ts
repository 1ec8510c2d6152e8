// Reads substitution formats and header mutations, and checks their %COMMANDS%.
import { compileFormat, compileText } from "../../formatter/formatter.ts";
import type { ConfigNode } from "../config-node.ts";
import type {
  HeaderAddConfig,
  HeaderMutationsConfig,
  JsonValue,
  SubstitutionFormatConfig,
} from "../snapshot.ts";
import { readDataSource } from "./string-reader.ts";
import type { Translation } from "./translation.ts";

const actions: Readonly<Record<string, HeaderAddConfig["action"]>> = {
  APPEND_IF_EXISTS_OR_ADD: "append_if_exists_or_add",
  ADD_IF_ABSENT: "add_if_absent",
  OVERWRITE_IF_EXISTS_OR_ADD: "overwrite_if_exists_or_add",
  OVERWRITE_IF_EXISTS: "overwrite_if_exists",
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

export function readHeaderAdds(t: Translation, node: ConfigNode, field: string): HeaderAddConfig[] {
  return node.nodes(field).map((option) => readHeaderAdd(t, option));
}

function readHeaderAdd(t: Translation, option: ConfigNode): HeaderAddConfig {
  const header = option.node("header") as ConfigNode;
  const name = header.string("key", "").toLowerCase();
  const raw = header.bytes("raw_value");
  const format =
    raw === undefined ? header.string("value", "") : Buffer.from(raw).toString("latin1");
  if (name.startsWith(":") || name === "host") {
    t.wrong(header, ":-prefixed or host headers may not be modified", "key");
  }
  checkFormat(t, header, format, "value");
  let action = actions[option.enum("append_action")] ?? "append_if_exists_or_add";
  const append = option.bool("append");
  if (append !== undefined) {
    if (option.has("append_action") && action !== "append_if_exists_or_add") {
      t.wrong(option, "both append and append_action are set, expected one of them", "append");
    }
    action = append ? "append_if_exists_or_add" : "overwrite_if_exists_or_add";
  }
  return {
    name,
    format: toLatin1(format),
    action,
    keepEmptyValue: option.bool("keep_empty_value", false),
  };
}

/** Configuration text is UTF-8; on the wire each byte is one character of a latin1 text. */
export function toLatin1(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
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

function checkFormat(t: Translation, node: ConfigNode, format: string, field: string): void {
  const compiled = compileText(format, { hostname: "", omitEmptyValues: true });
  if (typeof compiled === "function") return;
  if (compiled.isUnimplemented) t.unsupported(node, compiled.message, field);
  else t.wrong(node, compiled.message, field);
}

/** A SubstitutionFormatString; null when it is wrong (a problem is noted). */
export function readFormat(t: Translation, node: ConfigNode): SubstitutionFormatConfig | null {
  const omitEmptyValues = node.bool("omit_empty_values", false);
  const contentType = node.string("content_type", "");
  const base = { omitEmptyValues, contentType, text: "", json: null };
  node.node("json_format_options")?.accept("sort_properties", "keys are always sorted");
  switch (node.oneof("format")) {
    case "json_format": {
      const json = (node.json("json_format") ?? {}) as JsonValue;
      return checked(t, node, { ...base, kind: "json", json });
    }
    case "text_format_source": {
      const source = readDataSource(t, node.node("text_format_source") as ConfigNode);
      return checked(t, node, { ...base, kind: "text", text: source?.toString("utf8") ?? "" });
    }
    default:
      return checked(t, node, { ...base, kind: "text", text: node.string("text_format", "") });
  }
}

/** Notes a problem when the format does not compile. */
export function checked(
  t: Translation,
  node: ConfigNode,
  format: SubstitutionFormatConfig,
): SubstitutionFormatConfig | null {
  const compiled = compileFormat(format, "");
  if (typeof compiled === "function") return format;
  if (compiled.isUnimplemented) t.unsupported(node, compiled.message);
  else t.wrong(node, compiled.message);
  return null;
}

// JSON read and written, behind exports.
import { jsonProblem, JsonValue, parseJson, parseJsonText } from "@headgate/sdk-assemblyscript/kit/json";
import { JsonWriter } from "@headgate/sdk-assemblyscript/kit/json-writer";
import { bytesOf, giveBool, giveText, textOf } from "./exchange";

/** Reads, and writes what was read; null when it was refused. */
export function json_again(): usize {
  const value = parseJson(bytesOf(0));
  if (value === null) return giveText(null);
  const writer = new JsonWriter();
  write(value, writer);
  return giveText(writer.isWhole ? writer.toString() : "not whole");
}

/** The same by the writer itself. */
export function json_copied(): usize {
  const value = parseJson(bytesOf(0));
  if (value === null) return giveText(null);
  const writer = new JsonWriter();
  writer.value(value);
  return giveText(writer.isWhole ? writer.toString() : "not whole");
}

function write(value: JsonValue, writer: JsonWriter): void {
  if (value.isObject) {
    writer.beginObject();
    const length = value.length;
    for (let i = 0; i < length; i++) {
      writer.name(value.nameAt(i)!);
      write(value.at(i)!, writer);
    }
    writer.endObject();
  } else if (value.isArray) {
    writer.beginArray();
    const length = value.length;
    for (let i = 0; i < length; i++) write(value.at(i)!, writer);
    writer.endArray();
  } else if (value.isText) {
    writer.text(value.text()!);
  } else if (value.isNumber) {
    writer.number(value.number());
  } else if (value.isBool) {
    writer.bool(value.bool());
  } else {
    writer.null();
  }
}

export function json_problem(): usize {
  return giveText(parseJsonText(textOf(0)) === null ? jsonProblem() : "none");
}

/** Everything that can be asked of a member. */
export function json_member(): usize {
  const value = parseJsonText(textOf(0))!.get(textOf(1));
  if (value === null) return giveText(null);
  const text = value.text();
  const number = value.numberText();
  const all: string[] = [
    text === null ? "-" : text,
    number === null ? "-" : number,
    value.number(-1).toString(),
    value.whole(-1).toString(),
    value.bool(true).toString(),
    value.bool(false).toString(),
    value.isNull.toString(),
    value.length.toString(),
    (value.at(-1) === null).toString(),
    (value.at(value.length) === null).toString(),
    (value.nameAt(0) === null).toString(),
    (value.get("a") === null).toString(),
    (value.getText("a") === null).toString(),
  ];
  return giveText(all.join(" "));
}

/** Elements in an order that jumps about. */
export function json_jumps(): usize {
  const root = parseJsonText(textOf(0))!;
  let all = "";
  for (let i = 0; i < root.length; i++) {
    const index = (i * 7) % root.length;
    all += root.at(index)!.whole().toString() + " ";
  }
  return giveText(all);
}

export function json_text(): usize {
  const writer = new JsonWriter();
  writer.text(textOf(0));
  return giveText(writer.toString());
}

/** Calls by letter: `{` `}` `[` `]` `n`ame `t`ext `w`hole; the text, and "?" when it is not whole. */
export function json_calls(): usize {
  const writer = new JsonWriter();
  const calls = textOf(0);
  for (let i = 0; i < calls.length; i++) {
    const call = calls.charAt(i);
    if (call == "{") writer.beginObject();
    else if (call == "}") writer.endObject();
    else if (call == "[") writer.beginArray();
    else if (call == "]") writer.endArray();
    else if (call == "n") writer.name("n" + i.toString());
    else if (call == "t") writer.text("t");
    else writer.whole(-7);
  }
  return giveText(writer.isWhole ? writer.toString() : "?");
}

export function json_number(value: f64): usize {
  const writer = new JsonWriter();
  writer.number(value);
  return giveText(writer.toString());
}

export function json_is_taken(): usize {
  return giveBool(parseJsonText(textOf(0)) !== null);
}

// One change of a query: envoy.config.core.v3.KeyValueMutation.
import { ConfigArray, ConfigObject, utf8Text } from "@headgate/sdk-assemblyscript";
import { decodePercent, encodePercent } from "@headgate/sdk-assemblyscript/kit/percent";
import { Template } from "../../_common/assembly/template";
import { AppendAction, appendActionOf } from "./append-action";

/** Names in their order, each with its values. */
class QueryParameters {
  private readonly values: Map<string, string[]> = new Map();

  constructor(query: string) {
    const parts: string[] = query == "" ? [] : query.split("&");
    for (let i = 0; i < parts.length; i++) {
      const part = unchecked(parts[i]);
      const equals = part.indexOf("=");
      const name = equals < 0 ? part : part.substring(0, equals);
      this.add(decodePercent(name), equals < 0 ? "" : decodePercent(part.substring(equals + 1)));
    }
  }

  has(name: string): bool {
    return this.values.has(name);
  }

  add(name: string, value: string): void {
    if (this.values.has(name)) this.values.get(name).push(value);
    else this.values.set(name, [value]);
  }

  set(name: string, value: string): void {
    this.values.set(name, [value]);
  }

  remove(name: string): void {
    this.values.delete(name);
  }

  /** With "?", names sorted; "" = there are none. */
  text(): string {
    const names = this.values.keys().sort();
    let text = "";
    for (let i = 0; i < names.length; i++) {
      const name = unchecked(names[i]);
      const values = this.values.get(name);
      for (let k = 0; k < values.length; k++) {
        text += (text == "" ? "?" : "&") + encodePercent(name) + "=" + encodePercent(unchecked(values[k]), "!'()*=");
      }
    }
    return text;
  }
}

export class QueryChange {
  constructor(
    readonly name: string,
    /** Null = it is removed. */
    readonly value: Template | null,
    readonly action: AppendAction,
  ) {}

  apply(parameters: QueryParameters): void {
    const name = this.name;
    const value = this.value;
    const action = this.action;
    if (value === null) {
      parameters.remove(name);
      return;
    }
    const text = utf8Text(value.bytes());
    if (action == AppendAction.AppendOrAdd) parameters.add(name, text);
    else if (action == AppendAction.OverwriteOrAdd) parameters.set(name, text);
    else if (parameters.has(name) == (action == AppendAction.OverwriteIfExists)) {
      parameters.set(name, text);
    }
  }
}

/** The path with its query changed. */
export function changeQuery(path: string, changes: QueryChange[]): string {
  const start = path.indexOf("?");
  const parameters = new QueryParameters(start < 0 ? "" : path.substring(start + 1));
  for (let i = 0; i < changes.length; i++) unchecked(changes[i]).apply(parameters);
  return (start < 0 ? path : path.substring(0, start)) + parameters.text();
}

export function readQueryChanges(list: ConfigArray | null): QueryChange[] {
  const changes: QueryChange[] = [];
  if (list === null) return changes;
  for (let i = 0; i < list.length; i++) {
    const item = list.object(i);
    if (item === null) continue;
    const append = item.object("append");
    const removed = item.string("remove");
    if ((append === null) == (removed == "")) list.fail(i, "expected append or remove");
    if (append !== null) readAppend(changes, append);
    else changes.push(new QueryChange(removed, null, AppendAction.AppendOrAdd));
  }
  return changes;
}

function readAppend(changes: QueryChange[], config: ConfigObject): void {
  const action = appendActionOf(config.string("action"));
  const record = config.object("record");
  if (record === null) {
    config.fail("record", "is required");
    return;
  }
  changes.push(new QueryChange(record.string("key"), Template.of(record, "value"), action));
}

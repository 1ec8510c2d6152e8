// One change of a header map: envoy.config.common.mutation_rules.v3.HeaderMutation.
import { asciiLower, ConfigArray, ConfigObject, HeaderMap, HeaderName } from "@headgate/sdk-assemblyscript";
import { fromBase64 } from "@headgate/sdk-assemblyscript/kit/base64";
import { StringMatcher } from "../../_common/assembly/string-matcher";
import { Template, valueLength } from "../../_common/assembly/template";
import { AppendAction, appendActionOf } from "./append-action";

export abstract class HeaderChange {
  abstract apply(headers: HeaderMap): void;
}

class Removal extends HeaderChange {
  constructor(private readonly name: string) {
    super();
  }

  override apply(headers: HeaderMap): void {
    headers.remove(this.name);
  }
}

class RemovalOnMatch extends HeaderChange {
  constructor(private readonly matcher: StringMatcher) {
    super();
  }

  override apply(headers: HeaderMap): void {
    const names = headers.keys();
    for (let i = 0; i < names.length; i++) {
      const name = unchecked(names[i]);
      if (this.matcher.matches(name)) headers.remove(name);
    }
  }
}

class Append extends HeaderChange {
  private readonly encodedName: HeaderName;

  constructor(
    private readonly name: string,
    private readonly value: Template,
    private readonly action: AppendAction,
    private readonly keepsEmpty: bool,
  ) {
    super();
    this.encodedName = new HeaderName(name);
  }

  override apply(headers: HeaderMap): void {
    const value = this.value.start();
    const length = valueLength();
    if (length == 0 && !this.keepsEmpty) return;
    const name = this.encodedName;
    const action = this.action;
    if (action == AppendAction.AppendOrAdd) headers.addAt(name, value, length);
    else if (action == AppendAction.OverwriteOrAdd) headers.setAt(name, value, length);
    else if (headers.has(this.name) == (action == AppendAction.OverwriteIfExists)) {
      headers.setAt(name, value, length);
    }
  }
}

export function readHeaderChanges(list: ConfigArray | null): HeaderChange[] {
  const changes: HeaderChange[] = [];
  if (list === null) return changes;
  for (let i = 0; i < list.length; i++) {
    const item = list.object(i);
    if (item === null) continue;
    const append = item.object("append");
    const match = item.object("remove_on_match");
    if (append !== null) changes.push(readAppend(append));
    else if (match !== null) readMatch(changes, match);
    else changes.push(new Removal(asciiLower(item.string("remove"))));
  }
  return changes;
}

function readMatch(changes: HeaderChange[], config: ConfigObject): void {
  const matcher = config.object("key_matcher");
  if (matcher !== null) changes.push(new RemovalOnMatch(StringMatcher.read(matcher)));
}

function readAppend(config: ConfigObject): HeaderChange {
  const header = config.object("header");
  let action = appendActionOf(config.string("append_action"));
  // The older field: false overwrites.
  if (config.has("append") && !config.bool("append")) action = AppendAction.OverwriteOrAdd;
  const keepsEmpty = config.bool("keep_empty_value");
  if (header === null) {
    config.fail("header", "is required");
    return new Removal("");
  }
  const name = asciiLower(header.string("key"));
  if (name.startsWith(":") || name == "host") {
    header.fail("key", ":-prefixed or host headers may not be modified");
  }
  if (!header.has("raw_value")) {
    return new Append(name, Template.of(header, "value"), action, keepsEmpty);
  }
  const raw = fromBase64(header.string("raw_value"));
  const bytes = raw === null ? new Uint8Array(0) : raw;
  return new Append(name, Template.read(header, "raw_value", bytes), action, keepsEmpty);
}

// A guest for the tests of the kit: each thing behind an export of its own.
import { Regex, regexProblem } from "@headgate/sdk-assemblyscript/kit/regex";
import { giveBool, giveText, textOf } from "./exchange";
import { registerKitFilter } from "./filter";

export * from "@headgate/sdk-assemblyscript/exports/base";
export { proxy_on_request_headers } from "@headgate/sdk-assemblyscript/exports/http";
export * from "./compression";
export * from "./documents";
export * from "./encodings";
export { begin } from "./exchange";
export * from "./hashes";
export * from "./loops";
export * from "./messages";
export * from "./signatures";
export * from "./tokens";
export * from "./web";

registerKitFilter();

let regex: Regex | null = null;

/** Null when the pattern was taken, else why not. */
export function regex_compile(): usize {
  regex = Regex.compile(textOf(0));
  return giveText(regex === null ? regexProblem() : null);
}

export function regex_test(): usize {
  return giveBool(regex!.test(textOf(0)));
}

export function regex_matches(): usize {
  return giveBool(regex!.matches(textOf(0)));
}

/** "start,end" of every group, joined by blanks. */
export function regex_find(from: i32): usize {
  const match = regex!.find(textOf(0), from);
  if (match === null) return giveText(null);
  let all = "";
  for (let i = 0; i <= regex!.groupCount; i++) {
    all += (i == 0 ? "" : " ") + match.start(i).toString() + "," + match.end(i).toString();
  }
  return giveText(all);
}

export function regex_group(): usize {
  const match = regex!.findWhole(textOf(0));
  return giveText(match === null ? null : match.group(regex!.groupNamed(textOf(1))));
}

export function regex_length(): i32 {
  return regex!.length;
}

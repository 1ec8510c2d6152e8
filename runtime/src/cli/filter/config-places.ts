// Where in a project's envoy.yaml the problems are that Headgate has found in what `headgate filter
// run` made of it: both have the same field paths, and only the author's file has lines to look at.
import type { PositionIndex } from "../../config/position-index.ts";
import { placeOf } from "../../server/config-loading.ts";

const PATH = /^(?::\d+:\d+)?(?:: ((?:\.?[a-zA-Z_]\w*|\[\d+\]|\["(?:[^"\\]|\\.)*"\])+): )?/;
/** As filters of the SDK name what is wrong with their configuration: by JSON pointer. */
const POINTER = /^[^\n]*?; configuration ((?:\/[^/:\s]+)+): /;

/** `text` with the author's file, line and column wherever `file` is named. */
export function withPlaces(text: string, file: string, positions: PositionIndex | null): string {
  const [before = "", ...rest] = text.split(file);
  return before + rest.map((one) => withPlace(one, positions)).join("");
}

function withPlace(text: string, positions: PositionIndex | null): string {
  const [found, path = ""] = PATH.exec(text) ?? [""];
  const words = text.slice(found.length);
  const end = path === "" ? words : `: ${path}: ${words}`;
  if (positions === null) return `configuration${end}`;
  const place = placeOf(positions, path + pointerPath(words));
  return (path === "" ? place.replace(/:\d+:\d+$/, "") : place) + end;
}

/** From a plugin's `config` to the value that its filter refuses; "" when it is not about one. */
function pointerPath(words: string): string {
  const pointer = POINTER.exec(words)?.[1];
  if (pointer === undefined) return "";
  const keys = pointer.slice(1).split("/");
  const tail = keys.map((key) => (/^\d+$/.test(key) ? `[${key}]` : `[${JSON.stringify(key)}]`));
  return `.configuration.value${tail.join("")}`;
}

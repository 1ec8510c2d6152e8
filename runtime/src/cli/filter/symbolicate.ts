// `headgate filter symbolicate`: the lines of the author in a backtrace that tells offsets.
import { isUtf8 } from "node:buffer";
import { readFileSync } from "node:fs";
import { frameIn } from "../../module/backtrace.ts";
import { ModuleError } from "../../module/module-error.ts";
import { type FoundPlace, OffsetPlaces } from "../../module/offset-places.ts";
import { SourcesError } from "../../module/source-map.ts";
import { UsageError } from "../args.ts";
import { ExitCode, parseFlags, readInput } from "./admin-client.ts";
import type { FilterCommand } from "./index.ts";

const flags = { map: { type: "string" }, json: { type: "boolean" } } as const;
/** A backtrace is not longer; a log may be. */
const INPUT_BYTES_MAX = 64 * 1024 * 1024;

/** A line of the input that has a frame. */
interface Frame extends FoundPlace {
  readonly text: string;
  readonly offset: number;
}

export const command: FilterCommand = {
  help: `usage: headgate filter symbolicate FILE.wasm [OFFSET ...] [flags] < BACKTRACE

Adds file, line and column to each frame of a backtrace; all other lines pass as they are. It reads
what Envoy ("0:  0x29e5 - name"), Headgate, Node.js, browsers and wasmtime print, or offsets alone.
FILE.wasm must be the module that ran, byte for byte up to its code.

Places come from the source map that the module names or that stands beside it (FILE.wasm.map), else
from its DWARF line table.

  --map FILE           a source map elsewhere, or the unstripped module: its code must be the same
  --json               a list of frames: text, offset, function, name, file, line, column
exit codes: 0 a place was found; 1 none was; 2 wrong use

examples:
  headgate filter symbolicate build/auth.wasm 0x29e5 0x1f3
  kubectl logs envoy | headgate filter symbolicate build/auth.wasm
  headgate filter symbolicate auth.stripped.wasm --map auth.wasm < backtrace.txt
`,
  async run(argv) {
    const { values, positionals } = parseFlags(argv, flags);
    const [file, ...offsets] = positionals;
    if (file === undefined) throw new UsageError("expected FILE.wasm");
    const wrong = offsets.find((offset) => !/^0x[0-9a-f]+$/i.test(offset));
    if (wrong !== undefined)
      throw new UsageError(`found ${wrong}, expected offsets such as 0x29e5`);
    const module = readInput(file, "module");
    if (values.map !== undefined) readInput(values.map, "--map");
    try {
      const places = await OffsetPlaces.read(module, file, values.map ?? "");
      const lines = offsets.length > 0 ? offsets : inputLines();
      return tell(lines, places, values.json === true);
    } catch (error) {
      if (!(error instanceof SourcesError) && !(error instanceof ModuleError)) throw error;
      process.stderr.write(`headgate: ${error.message}\n`);
      return ExitCode.Refused;
    }
  },
};

function tell(lines: readonly string[], places: OffsetPlaces, isJson: boolean): number {
  const frames: Frame[] = [];
  const told = lines.map((text) => {
    const frame = frameIn(text);
    if (frame === null) return text;
    const place = places.find(frame.index, frame.offset);
    frames.push({ text, offset: frame.offset, ...place });
    return text + suffixOf(text, place);
  });
  const isFound = frames.some(({ file }) => file !== "");
  process.stdout.write(isJson ? `${JSON.stringify(frames, null, 1)}\n` : `${told.join("\n")}\n`);
  if (isFound) return ExitCode.Done;
  process.stderr.write(`headgate: ${whyNot(frames.length, places)}\n`);
  return ExitCode.Refused;
}

/** The name too, when the line does not have it. */
function suffixOf(text: string, { name, file, line, column }: FoundPlace): string {
  const called = name === "" || text.includes(name) ? "" : ` ${name}`;
  return called + (file === "" ? "" : ` at ${file}:${line}:${column}`);
}

function whyNot(frames: number, places: OffsetPlaces): string {
  if (frames === 0) return 'found no frames, expected lines such as "0:  0x29e5 - name"';
  if (!places.hasSources) {
    return "found no source map and no line table: build with one, or name it by --map";
  }
  return "no offset is in a function whose source is known: is it the module that ran?";
}

function inputLines(): readonly string[] {
  if (process.stdin.isTTY) throw new UsageError("expected offsets, or a backtrace on stdin");
  const bytes = readFileSync(process.stdin.fd);
  if (bytes.length > INPUT_BYTES_MAX) {
    throw new UsageError(`found ${bytes.length} bytes, expected at most ${INPUT_BYTES_MAX}`);
  }
  const text = bytes.toString(isUtf8(bytes) ? "utf8" : "latin1");
  return text.replace(/\n$/, "").split("\n");
}

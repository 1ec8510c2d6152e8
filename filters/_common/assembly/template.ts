// A value of the configuration with %COMMANDS% in it, which the proxy fills in for each stream.
import {
  callForeign,
  ConfigObject,
  proxy_call_foreign_function,
  Status,
  utf8Bytes,
} from "@headgate/sdk-assemblyscript";

const PERCENT: u8 = 0x25;
const SUBSTITUTE = "substitute_format";
const substituteBytes = utf8Bytes(SUBSTITUTE);
/** Where the host tells address and length of its answer. */
const OUT: usize = memory.data(8, 8);

let length: u32 = 0;

/** Of the value that Template.start has told last. */
export function valueLength(): u32 {
  return length;
}

export class Template {
  private readonly isFormat: bool;

  private constructor(private readonly text: Uint8Array) {
    this.isFormat = text.includes(PERCENT);
  }

  /** A text that is no format is an error of the configuration, at `name`. */
  static read(config: ConfigObject, name: string, text: Uint8Array): Template {
    const template = new Template(text);
    if (template.isFormat && callForeign(SUBSTITUTE, text) === null) {
      config.fail(name, "malformed format");
    }
    return template;
  }

  static of(config: ConfigObject, name: string): Template {
    return Template.read(config, name, utf8Bytes(config.string(name)));
  }

  /** Address of the value for the stream whose hook runs, good until that returns: see valueLength. */
  start(): usize {
    const text = this.text;
    length = text.length;
    if (!this.isFormat) return text.dataStart;
    store<u64>(OUT, 0);
    const answer = proxy_call_foreign_function(
      substituteBytes.dataStart,
      substituteBytes.length,
      text.dataStart,
      text.length,
      OUT,
      OUT + 4,
    );
    length = answer == Status.Ok ? load<u32>(OUT, 4) : 0;
    return load<usize>(OUT);
  }

  /** A copy of it. */
  bytes(): Uint8Array {
    const start = this.start();
    const copy = new Uint8Array(length);
    memory.copy(copy.dataStart, start, length);
    return copy;
  }
}

// A value of the configuration with %COMMANDS% in it, which the proxy fills in for each stream.
import { callForeign, ConfigObject, utf8Bytes } from "@headgate/sdk-assemblyscript";

const PERCENT: u8 = 0x25;
const SUBSTITUTE = "substitute_format";
const NOTHING = new Uint8Array(0);

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

  /** For the stream whose hook runs. */
  value(): Uint8Array {
    if (!this.isFormat) return this.text;
    const value = callForeign(SUBSTITUTE, this.text);
    return value === null ? NOTHING : value;
  }
}

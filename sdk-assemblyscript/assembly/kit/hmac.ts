// HMAC (RFC 2104) with any hash of the kit. Compare what it gives with `isSameSecret`.
import { BlockHash } from "./block-hash";
import { Sha256 } from "./sha256";

/** A message authentication code in pieces: `new Hmac(new Sha512(), key)`. */
@final
export class Hmac {
  /** The key, padded to a block. */
  private readonly key: Uint8Array;

  constructor(
    private readonly hash: BlockHash,
    key: Uint8Array,
  ) {
    this.key = new Uint8Array(hash.blockBytes);
    let short = key;
    if (<u32>key.length > hash.blockBytes) {
      hash.update(key);
      short = hash.digest();
    }
    memory.copy(this.key.dataStart, short.dataStart, short.length);
    this.updateKey(0x36);
  }

  update(bytes: Uint8Array): void {
    this.hash.update(bytes);
  }

  /** The code; another may be begun with the same key then. */
  digest(): Uint8Array {
    const inner = this.hash.digest();
    this.updateKey(0x5c);
    this.hash.update(inner);
    const code = this.hash.digest();
    this.updateKey(0x36);
    return code;
  }

  private updateKey(pad: u8): void {
    const padded = new Uint8Array(this.key.length);
    for (let i = 0; i < padded.length; i++) {
      store<u8>(padded.dataStart + i, load<u8>(this.key.dataStart + i) ^ pad);
    }
    this.hash.update(padded);
  }
}

/** The 32 bytes of HMAC with SHA-256. */
export function hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array {
  const code = new Hmac(new Sha256(), key);
  code.update(data);
  return code.digest();
}

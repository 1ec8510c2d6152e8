// Hashes, behind exports. The number is the digest's size in bits.
import { Hmac, hmacSha256 } from "@headgate/sdk-assemblyscript/kit/hmac";
import { Sha1, sha1 } from "@headgate/sdk-assemblyscript/kit/sha1";
import { Sha256, sha256 } from "@headgate/sdk-assemblyscript/kit/sha256";
import { Sha384, sha384, Sha512, sha512 } from "@headgate/sdk-assemblyscript/kit/sha512";
import { BlockHash } from "@headgate/sdk-assemblyscript/assembly/kit/block-hash";
import { bytesOf, giveBytes } from "./exchange";

function hashOf(bits: i32): BlockHash {
  if (bits == 160) return new Sha1();
  if (bits == 256) return new Sha256();
  return bits == 384 ? new Sha384() : new Sha512();
}

export function hash_once(bits: i32): usize {
  const bytes = bytesOf(0);
  if (bits == 160) return giveBytes(sha1(bytes));
  if (bits == 256) return giveBytes(sha256(bytes));
  return giveBytes(bits == 384 ? sha384(bytes) : sha512(bytes));
}

/** In two pieces; an object used before must not remember. */
export function hash_pieces(bits: i32): usize {
  const hash = hashOf(bits);
  hash.update(bytesOf(1));
  hash.digest();
  hash.update(bytesOf(0));
  hash.update(bytesOf(1));
  return giveBytes(hash.digest());
}

export function hmac_pieces(bits: i32): usize {
  const code = new Hmac(hashOf(bits), bytesOf(0));
  code.update(bytesOf(1));
  code.digest();
  code.update(bytesOf(1));
  code.update(bytesOf(2));
  return giveBytes(code.digest());
}

export function hmac_sha256(): usize {
  return giveBytes(hmacSha256(bytesOf(0), bytesOf(1)));
}

// Signatures, behind exports. A key is made once and kept.
import { EcdsaKey, ecdsaSignatureFromDer } from "@headgate/sdk-assemblyscript/kit/ecdsa";
import { RsaKey } from "@headgate/sdk-assemblyscript/kit/rsa";
import { Sha1 } from "@headgate/sdk-assemblyscript/kit/sha1";
import { Sha256 } from "@headgate/sdk-assemblyscript/kit/sha256";
import { Sha384, Sha512 } from "@headgate/sdk-assemblyscript/kit/sha512";
import { bytesOf, giveBool, giveBytes, giveText, textOf } from "./exchange";

let rsa: RsaKey | null = null;
let ecdsa: EcdsaKey | null = null;

/** Null when it is no key, else its size. */
function giveRsa(): usize {
  return giveText(rsa === null ? null : rsa!.bits.toString());
}

export function rsa_jwk(): usize {
  rsa = RsaKey.fromJwk(textOf(0), textOf(1));
  return giveRsa();
}

export function rsa_spki(): usize {
  rsa = RsaKey.fromSpki(bytesOf(0));
  return giveRsa();
}

export function rsa_pem(): usize {
  rsa = RsaKey.fromPem(textOf(0));
  return giveRsa();
}

export function rsa_verify(bits: i32): usize {
  const data = bytesOf(0);
  const signature = bytesOf(1);
  if (bits == 160) return giveBool(rsa!.verify(new Sha1(), data, signature));
  if (bits == 256) return giveBool(rsa!.verify(new Sha256(), data, signature));
  if (bits == 384) return giveBool(rsa!.verify(new Sha384(), data, signature));
  return giveBool(rsa!.verify(new Sha512(), data, signature));
}

export function ecdsa_jwk(): usize {
  ecdsa = EcdsaKey.fromJwk(textOf(0), textOf(1));
  return giveBool(ecdsa !== null);
}

export function ecdsa_spki(): usize {
  ecdsa = EcdsaKey.fromSpki(bytesOf(0));
  return giveBool(ecdsa !== null);
}

export function ecdsa_pem(): usize {
  ecdsa = EcdsaKey.fromPem(textOf(0));
  return giveBool(ecdsa !== null);
}

export function ecdsa_verify(): usize {
  return giveBool(ecdsa!.verify(bytesOf(0), bytesOf(1)));
}

export function ecdsa_from_der(): usize {
  return giveBytes(ecdsaSignatureFromDer(bytesOf(0)));
}

// JSON web tokens, behind exports; by way of the kit's index.
import { EcdsaKey, Jwt, RsaKey, Sha256 } from "@headgate/sdk-assemblyscript/kit";
import { giveBool, giveText, numberOf, textOf } from "./exchange";

export function jwt_claims(): usize {
  const jwt = Jwt.parse(textOf(0));
  if (jwt === null) return giveText(null);
  const parts: string[] = [
    jwt.algorithm,
    jwt.keyId,
    jwt.issuer,
    jwt.subject,
    jwt.hasAudience(textOf(1)).toString(),
    jwt.signature.length.toString(),
  ];
  return giveText(parts.join("|"));
}

export function jwt_is_current(leeway: i32): usize {
  return giveBool(Jwt.parse(textOf(0))!.isCurrent(numberOf(1), leeway));
}

/** With a key of the kind that the algorithm asks for. */
export function jwt_verify(): usize {
  const jwt = Jwt.parse(textOf(0))!;
  if (jwt.algorithm == "ES256") {
    return giveBool(EcdsaKey.fromPem(textOf(1))!.verify(jwt.signed, jwt.signature));
  }
  const key = RsaKey.fromPem(textOf(1))!;
  return giveBool(jwt.algorithm == "RS256" && key.verify(new Sha256(), jwt.signed, jwt.signature));
}

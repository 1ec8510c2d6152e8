// @maxBody on the hook that gets a whole body: how many bytes are collected for it.
import { constantOf, decoratorOf, Kind, report } from "./syntax.mjs";
import { sizeBytes } from "./units.mjs";

/** Hook -> the method of the SDK's that says how much. */
const MAXIMUM = { onFullRequestBody: "requestBodyMax", onFullResponseBody: "responseBodyMax" };

/** Text of the members that a filter's class gets; what is wrong is refused. */
export function maximaOf(parser, declaration, hooks) {
  const methods = declaration.members.filter((member) => member.kind === Kind.MethodDeclaration);
  let text = "";
  for (const method of methods) {
    const decorator = decoratorOf(method, "maxBody");
    const name = MAXIMUM[method.name.text];
    const isSaid = methods.some((other) => other.name.text === name);
    if (decorator === undefined) {
      if (name !== undefined && !isSaid && hooks.has(method.name.text)) {
        report(
          parser,
          method.name,
          `say how much is collected: @maxBody("1MiB"), or override ${name}`,
        );
      }
      continue;
    }
    const bytes = bytesOf(decorator);
    if (name === undefined) {
      report(parser, decorator, `@maxBody is for ${Object.keys(MAXIMUM).join(" and ")}`);
    } else if (bytes === undefined) {
      report(parser, decorator, 'expected @maxBody("1MiB"), up to 4GiB');
    } else if (isSaid) {
      report(parser, decorator, `${name} says it already`);
    }
    text += `${name}(): u32 { return ${bytes}; }\n`;
  }
  return text;
}

function bytesOf(decorator) {
  const values = (decorator.args ?? []).map(constantOf);
  const bytes = typeof values[0] === "string" ? sizeBytes(values[0]) : values[0];
  const isFit = typeof bytes === "bigint" && bytes > 0n && bytes < 2n ** 32n;
  return values.length === 1 && isFit ? bytes : undefined;
}

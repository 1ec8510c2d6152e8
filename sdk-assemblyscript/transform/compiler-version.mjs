// The one version of asc whose syntax trees the transform knows.
import { readFileSync } from "node:fs";

const { dependencies } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
);

/** What is wrong with the compiler of these options (asc's own); null when it is the pinned one. */
export function compilerProblem(options, wanted = dependencies.assemblyscript) {
  const { bundleMajorVersion, bundleMinorVersion, bundlePatchVersion } = options;
  const version = `${bundleMajorVersion}.${bundleMinorVersion}.${bundlePatchVersion}`;
  return version === wanted
    ? null
    : `the SDK works with assemblyscript ${wanted}, this is ${version}`;
}

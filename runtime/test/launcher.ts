// What tests start Headgate by.
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const root: string = fileURLToPath(new URL("../..", import.meta.url));

/** From the sources, as it stands in the repository. */
export const sourceLauncher: string = join(root, "runtime/bin/headgate");

/** In the environment of a test run: the launcher of its bundle. */
export const BUNDLE_LAUNCHER = "HEADGATE_TEST_LAUNCHER";

/** From the bundle of the test run, which starts for two thirds of the CPU time; without one, from the sources. */
export const launcher: string = process.env[BUNDLE_LAUNCHER] ?? sourceLauncher;

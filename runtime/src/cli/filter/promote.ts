// `headgate filter promote`: the canary becomes the version that serves.
import { ADMIN_HELP } from "./admin-client.ts";
import { changeVersion } from "./change-version.ts";
import type { FilterCommand } from "./index.ts";

export const command: FilterCommand = {
  help: `usage: headgate filter promote --admin URL --plugin NAME [flags]

The version that is tried gets all new streams, as it runs.

  --version V          only if it is this one
${ADMIN_HELP}
example:
  headgate filter promote --admin http://127.0.0.1:9901 --plugin auth
`,
  run: (argv) => changeVersion("promote", argv),
};

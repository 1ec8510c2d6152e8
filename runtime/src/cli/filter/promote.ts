// `headgate filter promote`: the version that is tried becomes the one that serves.
import { ADMIN_HELP } from "./admin-client.ts";
import { changeVersion } from "./change-version.ts";
import type { FilterCommand } from "./index.ts";

export const command: FilterCommand = {
  help: `usage: headgate filter promote --admin URL --plugin NAME [flags]

The version that is tried gets all new streams: a canary as it runs, a shadow started anew.

  --version V          only if it is this one
${ADMIN_HELP}
example:
  headgate filter promote --admin http://127.0.0.1:9901 --plugin auth
`,
  run: (argv) => changeVersion("promote", argv),
};

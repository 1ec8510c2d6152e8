// `headgate filter rollback`: the canary goes, or the version before comes back.
import { ADMIN_HELP } from "./admin-client.ts";
import { changeVersion } from "./change-version.ts";
import type { FilterCommand } from "./index.ts";

export const command: FilterCommand = {
  help: `usage: headgate filter rollback --admin URL --plugin NAME [flags]

A version that is tried is tried no longer. Without one, the version that served before comes back:
the process keeps the last five of each plugin.

  --version V          go back to this one; headgate filter versions lists them
${ADMIN_HELP}
example:
  headgate filter rollback --admin http://127.0.0.1:9901 --plugin auth
`,
  run: (argv) => changeVersion("rollback", argv),
};

// A part of the comparison with Envoy; parts.ts says which, differential.ts how.
import { compareWithEnvoy } from "./differential.ts";

compareWithEnvoy(4);

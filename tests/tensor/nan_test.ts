import { testOnBackends } from "../backends.ts";
import { NAN_CASES } from "./nan_cases.ts";

for (const [name, body] of NAN_CASES) testOnBackends(name, body);

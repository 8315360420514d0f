import { testAlone } from "../alone.ts";

testAlone(
  "damaged files of every format are refused by name or read as others read them, in bounded memory",
  new URL("sweep_alone.ts", import.meta.url),
);

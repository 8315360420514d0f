import { testAlone } from "../alone.ts";

testAlone(
  "openTensorFile() and readAdapter() refuse damaged and hostile files by name, in little memory",
  new URL("damaged_alone.ts", import.meta.url),
);

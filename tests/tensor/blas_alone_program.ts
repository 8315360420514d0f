/** Run by blas_test.ts: the backend's line, for which nothing but the backend's own start keeps the process alive. */
import { selectBackend } from "../../lib/tensor/backend.ts";

void selectBackend({ backend: "wasm", wasm: { blas: Deno.args[0]!, threads: 2 } })
  .then(({ adapter }) => console.log(JSON.stringify({ adapter })));

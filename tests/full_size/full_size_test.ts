/** A two-layer cut of BiomedCLIP at its real width, in the real files, against PyTorch. `deno task full-size` runs all twelve. */
import { assert, assertEquals } from "@std/assert";
import { errorMessage } from "../../lib/platform/error_message.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { hasPython, skipName } from "../io/_python.ts";
import { compare, makeFiles, makeReference } from "./compare.ts";
import { inFolder } from "../folder.ts";

const isReady = await hasPython("torch", "safetensors");
const python = Deno.env.get("ACE_PYTHON") ?? "python3";

/** Largest difference to PyTorch's float64: of features, affinities and scores. */
const TOLERANCE = 2e-4;

/** Parameters of a two-layer cut, by rows of the word table. */
const PARAMETERS = { 28895: 52_895_745, 30522: 54_145_281 } as const;

/** A GPU that is not a software one, or why there is none. */
async function webgpuReason(): Promise<string | undefined> {
  try {
    await selectBackend({ backend: "webgpu", allowSoftware: false });
    return undefined;
  } catch (error) {
    return errorMessage(error).split("\n")[0];
  }
}
const reason = await webgpuReason();
const backends = [["wasm", undefined], ["webgpu", reason]] as const;

for (const vocabulary of [28895, 30522] as const) {
  for (const [backend, missing] of backends) {
    const name = `BiomedCLIP's width, ${vocabulary} words, agrees with PyTorch to ${TOLERANCE} [${backend}]`;
    Deno.test({
      name: missing === undefined
        ? skipName(name, isReady, "Python with torch and safetensors")
        : `${name} SKIPPED: ${missing}`,
      ignore: !isReady || missing !== undefined,
      fn: async () => {
        await inFolder(async (folder) => {
          const settings = { folder, layers: 2, vocabulary, python };
          assertEquals(await makeFiles(settings), PARAMETERS[vocabulary]);
          await makeReference(settings);
          await selectBackend({ backend });
          const result = await compare(folder);
          assertEquals(result.vocabulary, vocabulary, "the word table's size comes from the file");
          for (const [what, difference] of Object.entries(result.differences)) {
            assert(difference <= TOLERANCE, `${what}: largest difference ${difference}`);
          }
          assert(result.sameMembers, "the same patches are chosen");
        });
      },
    });
  }
}

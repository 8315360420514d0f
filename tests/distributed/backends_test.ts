/** What computes on each process: told by the first, from real processes on software GPUs of two drivers. */
import { assertEquals, assertMatch } from "@std/assert";
import { backendsText } from "../../lib/cli/ranks.ts";
import { type Communicator, gatherTexts } from "../../lib/distributed/communicator.ts";
import { exists } from "../../lib/io/files.ts";
import { writePairs } from "../cli/fixtures.ts";
import { inFolder } from "../folder.ts";
import { isThere, launched, LAUNCHERS } from "./launch.ts";

Deno.test("backendsText() joins ranks of one machine and backend, and warns where they may share a GPU", () => {
  const on = (node: string, backend: string) => ({ node, backend });
  const { line, warnings } = backendsText([
    ...[on("n1", "webgpu (A)"), on("n1", "webgpu (A)"), on("n1", "webgpu (B)"), on("n1", "webgpu (A)")],
    ...[on("n2", "webgpu (A)"), on("n2", "wasm (C)"), on("n2", "wasm (C)")],
  ]);
  assertEquals(
    line,
    "ranks 0-1, 3 on n1: webgpu (A); rank 2 on n1: webgpu (B); rank 4 on n2: webgpu (A); ranks 5-6 on n2: wasm (C)",
  );
  assertEquals(warnings.length, 1);
  assertMatch(warnings[0]!, /^ranks 0-1, 3 on n1 have a GPU of the same name/);
});

Deno.test("gatherTexts() keeps letters beyond ASCII and texts of unequal length", () => {
  const texts = ["GPU é 漢", "", "x"];
  const rows = texts.map((text) => new TextEncoder().encode(text));
  const ranks = {
    size: 3,
    allGather: ({ length }: Float32Array) =>
      Float32Array.from(
        length === 1
          ? rows.map((row) => row.length)
          : rows.flatMap((row) => [...row, ...Array(10 - row.length).fill(-1)]),
      ),
  } as Communicator;
  assertEquals(gatherTexts(ranks, texts[0]!), texts);
});

const MESA = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json"; // Chromium brings it
const [name, launcher] = ["Open MPI", LAUNCHERS["Open MPI"]];
const lacks = !await isThere(launcher[0])
  ? `no ${name}`
  : !await exists(MESA) || !await exists(SWIFTSHADER)
  ? "no two Vulkan drivers"
  : undefined;

Deno.test({
  name:
    `train tells the GPU that each process has, by the driver it is shown, refuses two kinds, and warns of a shared one${
      lacks ? ` (skipped: ${lacks})` : ""
    }`,
  ignore: lacks !== undefined,
  fn: async () => {
    await inFolder(async (folder) => {
      await writePairs(folder, 8);
      for (
        const [second, told] of [
          [
            SWIFTSHADER,
            /\nbackend: rank 0 on \S+: webgpu \(llvmpipe.*\); rank 1 on \S+: webgpu \(SwiftShader[^]*the same backend: that of/,
          ],
          [
            MESA,
            /\nbackend: ranks 0-1 on \S+: webgpu \(llvmpipe.*\)\nwarning: ranks 0-1 on \S+ have a GPU of the same/,
          ],
        ] as const
      ) {
        const each = [MESA, second].map((driver) => `-n 1 env VK_DRIVER_FILES=${driver} "$@"`).join(" : ");
        const shell = ["sh", "-c", `shift 2; exec ${launcher.join(" ")} ${each}`, "sh"];
        // The second is told before it is found that there is nothing to go on from: no step is taken on them.
        const line = ["train", "--pairs", "pairs.csv", "--backend", "webgpu", "--adapter", "none.safetensors"];
        const { code, stderr } = await launched(shell, 2, folder, line).output();
        const errors = new TextDecoder().decode(stderr);
        assertMatch(errors, told);
        assertEquals(code === 0, false, errors);
      }
    });
  },
});

/** Event files: their bytes by hand, and as TensorBoard itself reads them. */
import { assertEquals } from "@std/assert";
import { openEventFile } from "../../../lib/train/log/tensor_board.ts";

const python = Deno.env.get("ACE_PYTHON");
const hasTensorBoard = python !== undefined &&
  (await new Deno.Command(python, { args: ["-c", "import tensorboard"], stderr: "null" }).output()).success;

async function written(folder: string): Promise<Uint8Array> {
  const file = await openEventFile(folder, { now: () => 2000 });
  await file.write(300, { loss: 0.5 });
  file.close();
  return await Deno.readFile(file.path);
}

Deno.test("openEventFile() writes length, data and step as records of events", async () => {
  const folder = await Deno.makeTempDir();
  const bytes = await written(folder);
  const view = new DataView(bytes.buffer);
  const first = Number(view.getBigUint64(0, true));
  assertEquals(new TextDecoder().decode(bytes.subarray(12 + 11, 12 + first)), "brain.Event:2");
  const second = bytes.subarray(16 + first + 12, bytes.length - 4);
  // wall time 2.0, step 300 as 172 2, then the summary: a value of tag "loss" and 0.5.
  assertEquals([...second.subarray(0, 12)], [9, 0, 0, 0, 0, 0, 0, 0, 64, 16, 172, 2]);
  assertEquals([...second.subarray(12)], [42, 13, 10, 11, 10, 4, ...new TextEncoder().encode("loss"), 21, 0, 0, 0, 63]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("openEventFile() names each file after those that are there, in one second and with the clock set back", async () => {
  const folder = await Deno.makeTempDir();
  const names: string[] = [];
  for (const now of [2_000_000_000_000, 2_000_000_000_000, 1_000_000_000_000, 2_000_000_001_000]) {
    const file = await openEventFile(folder, { now: () => now });
    file.close();
    names.push(file.path);
  }
  assertEquals(new Set(names).size, 4);
  assertEquals(names, names.toSorted());
  await Deno.remove(folder, { recursive: true });
});

Deno.test({
  name: `TensorBoard reads the event files${hasTensorBoard ? "" : " (skipped: ACE_PYTHON has no tensorboard)"}`,
  ignore: !hasTensorBoard,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const file = await openEventFile(folder);
    if (Deno.build.os !== "windows") assertEquals((await Deno.stat(file.path)).mode! & 0o777, 0o600);
    const steps = Array.from({ length: 200 }, (_, i) => i + 1);
    for (const step of steps) await file.write(step, { loss: 1 / step, "validation/auroc": step / 200 });
    file.close();
    const code =
      "import json,sys\nfrom tensorboard.backend.event_processing.event_accumulator import EventAccumulator\n" +
      "e=EventAccumulator(sys.argv[1],size_guidance={'scalars':0}); e.Reload()\n" +
      "print(json.dumps({t:[[s.step,s.value] for s in e.Scalars(t)] for t in e.Tags()['scalars']}))";
    const { stdout, stderr } = await new Deno.Command(python!, { args: ["-c", code, folder] }).output();
    const lines = new TextDecoder().decode(stdout).trim().split("\n");
    const curves = JSON.parse(lines.at(-1) || new TextDecoder().decode(stderr));
    assertEquals(curves.loss, steps.map((step) => [step, Math.fround(1 / step)]));
    assertEquals(curves["validation/auroc"].at(-1), [200, 1]);
    await Deno.remove(folder, { recursive: true });
  },
});

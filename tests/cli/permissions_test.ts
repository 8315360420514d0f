import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { MPI_TASK_LINE, NATIVE_TASK_LINE, PERMISSIONS, taskLine } from "../../lib/cli/permissions.ts";
import { PACKAGE } from "./run.ts";

Deno.test("taskLine() is the task of deno.json for every command, and native and mpi alone run cli.ts besides", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(PACKAGE, "deno.json"))) as {
    tasks: Record<string, { command: string }>;
  };
  const lines = Object.entries(tasks).filter(([, { command }]) => / cli\.ts( |$)/.test(command));
  assertEquals(
    Object.fromEntries(lines.map(([name, { command }]) => [name, command])),
    Object.fromEntries([
      ...Object.keys(PERMISSIONS).map((name) => [name, taskLine(name)]),
      ["native", NATIVE_TASK_LINE],
      ["mpi", MPI_TASK_LINE],
    ]),
  );
});

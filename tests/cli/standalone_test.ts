/** Tasks in files of their own show a help and refuse what they do not know, before they write or measure anything. */
import { assertEquals, assertMatch } from "@std/assert";
import { PACKAGE } from "./run.ts";
import { inFolder } from "../folder.ts";

const { tasks } = JSON.parse(await Deno.readTextFile(`${PACKAGE}/deno.json`)) as {
  tasks: Record<string, { command: string }>;
};

for (const name of ["pack", "page", "full-size", "bench", "rehearse"]) {
  Deno.test(`deno task ${name} shows its help, refuses an option it does not know, and leaves nothing behind`, async () => {
    await inFolder(async (folder) => {
      // The task's own line, without the variables before it.
      const [, line = ""] = /deno (run .*)$/.exec(tasks[name]!.command) ?? [];
      const run = async (option: string) => {
        const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
          args: [...line.split(" "), option],
          cwd: PACKAGE,
          env: { INIT_CWD: folder, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
          stdin: "null",
        }).output();
        return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
      };
      const help = await run("--help");
      assertEquals([help.code, help.stderr], [0, ""]);
      assertMatch(help.stdout, new RegExp(`^Usage: deno task ${name} `, "m"));
      const refused = await run("--nonsense");
      assertEquals([refused.code, refused.stdout], [1, ""]);
      assertMatch(refused.stderr, /^error: Unknown option '--nonsense': .*\ndeno task .* --help lists the options\n$/);
      assertEquals((await Array.fromAsync(Deno.readDir(folder))).length, 0);
    });
  });
}

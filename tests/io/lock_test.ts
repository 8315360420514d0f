import { assertEquals, assertRejects } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { LockedError, lockFile } from "../../lib/io/lock.ts";
import { inFolder } from "../folder.ts";

const LOCK = fromFileUrl(new URL("../../lib/io/lock.ts", import.meta.url));

Deno.test("lockFile() keeps other processes out until it is released, or its process is killed", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, ".lock");
    const code = `const { lockFile } = await import(${JSON.stringify(LOCK)});
      await lockFile(${
      JSON.stringify(path)
    }); console.log("held"); await new Promise((done) => setTimeout(done, 60_000));`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-lock", `--allow-read=${LOCK},${folder}`, `--allow-write=${folder}`, "-"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(code));
    await writer.close();
    const reader = child.stdout.getReader();
    assertEquals(new TextDecoder().decode((await reader.read()).value), "held\n");
    const error = await assertRejects(() => lockFile(path), LockedError);
    assertEquals(error.path, path);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    const lock = await lockFile(path); // the file is there still, its lock is not
    await assertRejects(() => lockFile(path), LockedError);
    await lock.release();
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
  });
});

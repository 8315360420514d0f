/** Tests in a process of their own: what they measure of a process is not what neighbours in it take. @module */
import { assert } from "@std/assert";
import { fromFileUrl } from "@std/path";

/**
 * Registers one test that runs all tests of another file, in a process where nothing else runs.
 *
 * @param name What the file's tests show.
 * @param file The file; not named as a test file, else it would be run beside others, too.
 */
export function testAlone(name: string, file: URL): void {
  Deno.test(`${name} (a process of its own)`, async () => {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "test",
        "--quiet",
        "--no-check",
        "--allow-read",
        "--allow-write",
        "--allow-env",
        "--allow-run",
        "--deny-net",
        fromFileUrl(file),
      ],
      env: { NO_COLOR: "1" },
    }).output();
    const [said, problem] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
    assert(success && / [1-9]\d* passed/.test(said!), `${said}${problem}`);
    console.log(said!.split("\n").filter((line) => /^ {2}\S|passed/.test(line)).join("\n"));
  });
}

/** Another project uses the package without JSR: from an empty folder, under its own compiler options, asking no permission. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import configuration from "../../deno.json" with { type: "json" };
import { pack } from "./pack.ts";

const ENTRIES = Object.keys(configuration.exports);
const PROGRAM = `import { loadModel, selectBackend } from "@ace-lora/ace-lora";
import { readImage } from "@ace-lora/ace-lora/image";
${ENTRIES.map((path, i) => `import * as m${i} from "@ace-lora/ace-lora${path.slice(1)}";`).join("\n")}
void [${ENTRIES.map((_, i) => `m${i}`)}];
console.log(typeof loadModel, typeof readImage, (await selectBackend({ backend: "wasm" })).name);
`;

/** The project's deno.json as docs/install.md prints it. */
async function printedProject(): Promise<Record<string, unknown> & { imports: Record<string, string> }> {
  const page = await Deno.readTextFile(new URL("../../docs/install.md", import.meta.url));
  return JSON.parse(/^```json\n([\s\S]*?)^```$/m.exec(page)![1]!);
}

Deno.test("a project as it is printed has all imports that docs/library.md's lines have, in the package's versions", async () => {
  const { imports } = await printedProject();
  const page = await Deno.readTextFile(new URL("../../docs/library.md", import.meta.url));
  const names = [...page.matchAll(/^import .* from "([^"]+)";$/gm)].map(([, name]) => name!);
  const others = [...new Set(names.filter((name) => !name.startsWith("@ace-lora/ace-lora")))];
  const own: Record<string, string> = configuration.imports;
  assertEquals(others.length > 0, true);
  assertEquals(others.map((name) => [name, imports[name]]), others.map((name) => [name, own[name]]));
});

const OPTIONS = {
  strict: {
    allowUnreachableCode: false,
    allowUnusedLabels: false,
    erasableSyntaxOnly: true,
    exactOptionalPropertyTypes: true,
    noFallthroughCasesInSwitch: true,
    noImplicitOverride: true,
    noImplicitReturns: true,
    noPropertyAccessFromIndexSignature: true,
    noUncheckedIndexedAccess: true,
    noUnusedLocals: true,
    noUnusedParameters: true,
    useUnknownInCatchVariables: true,
    verbatimModuleSyntax: true,
  },
  loose: { strict: false },
};

for (const [name, compilerOptions] of Object.entries(OPTIONS)) {
  Deno.test(`a project with ${name} compiler options checks and runs the linked package, under no permission`, async () => {
    const folder = await Deno.makeTempDir();
    await pack(join(folder, "vendor/ace-lora"));
    await Deno.writeTextFile(join(folder, "main.ts"), PROGRAM);
    await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify({ ...await printedProject(), compilerOptions }));
    const run = async (args: string[]) => {
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: folder, env: { NO_COLOR: "1" } })
        .output();
      return { stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
    };
    const { stderr } = await run(["check", "--quiet", "main.ts"]);
    assertEquals(stderr, "");
    assertEquals((await run(["run", "--quiet", "--no-prompt", "main.ts"])).stdout, "function function wasm\n");
    await Deno.remove(folder, { recursive: true });
  });
}

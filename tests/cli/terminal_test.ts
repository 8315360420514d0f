/** Every task in a real terminal of 80 columns, from another folder, under its own permissions: no prompt, nothing cut. */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { encodePng } from "../../lib/image/png.ts";
import { inFolder } from "../folder.ts";
import { writeClasses, writeMiniAdapter, writePairs } from "./fixtures.ts";
import { PACKAGE } from "./run.ts";

const SCRIPT = await new Deno.Command("script", { args: ["--version"], stdout: "piped", stderr: "null" }).output()
  .then(({ stdout }) => new TextDecoder().decode(stdout).includes("util-linux"), () => false);

/** Commands of seconds; each writes below the folder it is called in. */
const LINES: Record<string, string> = {
  demo: "demo --smoke",
  train:
    "train --pairs pairs/pairs.csv --epochs 1 --batch-size 2 --out results/train --cache pixels --decode-workers 2",
  evaluate: "evaluate --images set",
  classify: 'classify pairs/0.png --labels "pneumonia,no finding" --explain page.html',
  encode: "encode --images set --out feats.safetensors",
  explain: "explain --images cases.csv --boxes boxes.csv --labels Mass,Nodule --out results/explain",
  probe: "probe --images set --methods linear --shots 1 --seeds 1 --out results/probe",
  cache: "cache --pairs pairs/pairs.csv --cache pixels --decode-workers 2",
  retrieve: 'retrieve --images set --query "pneumonia" --out results/retrieve',
  export: "export --adapter adapter.safetensors --onnx results/onnx",
  doctor: "doctor",
  inspect: "inspect pairs/0.png",
  convert: "convert adapter.safetensors --to peft --out results/peft",
  tokenize: `tokenize --tokenizer "${join(PACKAGE, "data/mini_vocab.txt")}" < texts.txt`,
  segment:
    "segment train --dataset cases.csv --mask-column mask --patient-column patient --epochs 1 --out results/segment",
  detect: "detect train --dataset cases.csv --boxes boxes.csv --patient-column patient --epochs 1 --out results/detect",
  mpi: 'mpi classify pairs/0.png --labels "pneumonia,no finding"',
  native: 'native classify pairs/0.png --labels "pneumonia,no finding"',
  pretrain: "pretrain --text-steps 1 --image-steps 1",
  reproduce: "reproduce table2 --scale smoke --workers 2",
  report: "report --in results",
};

async function prepare(folder: string): Promise<void> {
  await writePairs(join(folder, "pairs"), 4);
  await writeClasses(join(folder, "set"), ["normal", "pneumonia"], 6);
  await writeMiniAdapter(join(folder, "adapter.safetensors"));
  await Deno.writeTextFile(join(folder, "texts.txt"), "no finding\n");
  const cases = ["path,patient,mask"], boxes = ["path,label,x,y,w,h"];
  for (let i = 0; i < 8; i++) {
    const data = Uint8Array.from({ length: 48 * 48 }, (_, p) => p % 48 < 20 + i && p < 24 * 48 ? 255 : 0);
    for (const name of [`image${i}.png`, `mask${i}.png`]) {
      await Deno.writeFile(join(folder, name), encodePng({ width: 48, height: 48, channels: 1, bitDepth: 8, data }));
    }
    cases.push(`image${i}.png,p${i},mask${i}.png`);
    boxes.push(`image${i}.png,Mass,0,0,${20 + i},24`);
  }
  await Deno.writeTextFile(join(folder, "cases.csv"), cases.join("\n") + "\n");
  await Deno.writeTextFile(join(folder, "boxes.csv"), boxes.join("\n") + "\n");
}

interface Session {
  /** What the terminal received. */
  text: string;
  /** Exit status. */
  code: number;
}

/** Runs a line of the shell in a pseudo-terminal; its keyboard is silent, or closed. */
async function inTerminal(line: string, folder: string, keyboard: "open" | "closed"): Promise<Session> {
  const env = { ACE_BACKEND: "wasm", TERM: "xterm", PATH: Deno.env.get("PATH") ?? "" };
  const variables = { ...env, HOME: Deno.env.get("HOME") ?? "/", DENO_DIR: Deno.env.get("DENO_DIR") ?? "" };
  if (variables.DENO_DIR === "") Reflect.deleteProperty(variables, "DENO_DIR");
  const child = new Deno.Command("script", {
    args: ["-qec", `stty cols 80; ${line}`, "/dev/null"],
    cwd: folder,
    clearEnv: true,
    env: variables,
    stdin: keyboard === "open" ? "piped" : "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let text = "";
  const decoder = new TextDecoder();
  const watchdog = setTimeout(() => child.kill("SIGKILL"), 300_000);
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true });
    if (text.includes("Allow?")) child.kill("SIGKILL"); // it would wait for ever
  }
  if (keyboard === "open") await child.stdin.close();
  await child.stderr.cancel();
  const { code } = await child.status;
  clearTimeout(watchdog);
  return { text, code };
}

/** What a line of the terminal shows once it is drawn. */
function drawnLines(text: string): string[] {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[[\d;]*[A-Za-z]/g, "").split(/[\r\n]+/);
}

Deno.test("every task has its line here", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(PACKAGE, "deno.json")));
  const commands = Object.entries<{ command: string }>(tasks).filter(([, { command }]) =>
    / cli\.ts( |$)/.test(command)
  );
  assertEquals(commands.map(([name]) => name).sort(), Object.keys(LINES).sort());
});

Deno.test({
  name: `tasks that write in one folder refuse another in a terminal, without a question${
    SCRIPT ? "" : " (skipped: no script of util-linux)"
  }`,
  ignore: !SCRIPT,
  fn: async () => {
    await inFolder(async (folder) => {
      const deno = `${Deno.execPath()} task --quiet --config ${join(PACKAGE, "deno.json")}`;
      const elsewhere = join(folder, "..", "ace-elsewhere.html");
      const lines = [
        `report --out ${elsewhere}`,
        `report --out r.html --keep ${elsewhere}`,
        "reproduce table2 --out runs",
        "demo --out runs",
        "pretrain --out mini.safetensors",
      ];
      for (const line of lines) {
        const { text, code } = await inTerminal(`${deno} ${line}`, folder, "open");
        assert(/error: --(out|keep) must lie in .*the folder you stand in/.test(text), `${line}: ${text}`);
        assertEquals(code, 1, line);
      }
    });
  },
});

for (const keyboard of ["closed", "open"] as const) {
  const names = keyboard === "closed" ? Object.keys(LINES) : ["train", "classify"];
  Deno.test({
    name:
      `${names.length} tasks in a terminal ask for nothing and fit 80 columns, from another folder, the keyboard ${keyboard}${
        SCRIPT ? "" : " (skipped: no script of util-linux)"
      }`,
    ignore: !SCRIPT,
    fn: async () => {
      await inFolder(async (folder) => {
        await prepare(folder);
        const deno = `${Deno.execPath()} task --quiet --config ${join(PACKAGE, "deno.json")}`;
        for (const name of names) {
          const { text, code } = await inTerminal(`${deno} ${LINES[name]}`, folder, keyboard);
          assert(!/Allow\?|Deno requests/.test(text), `${name} asks for a permission: ${text}`);
          assertEquals(code, 0, `${name}: ${text}`);
          for (const line of drawnLines(text)) {
            const isWhole = !line.slice(0, 80).trim().includes(" ") || /^\s*["[{]/.test(line); // a path; JSON
            assert(line.length <= 80 || isWhole, `${name} draws ${line.length} columns: ${line}`);
            assert(!/\] \d+\/\d+\S*[A-Za-z]/.test(line), `${name} prints into its bar: ${line}`);
          }
        }
        if (keyboard === "closed") {
          for (const path of ["results/demo/report.html", "results/train/adapter.safetensors", "report.html"]) {
            assert((await Deno.stat(join(folder, path))).isFile, path);
          }
        }
      });
    },
  });
}

Deno.test({
  name: `the kernel and the package are made in a terminal without a question${
    SCRIPT ? "" : " (skipped: no script of util-linux)"
  }`,
  ignore: !SCRIPT,
  fn: async () => {
    await inFolder(async (folder) => {
      const deno = `${Deno.execPath()} task --quiet --config ${join(PACKAGE, "deno.json")}`;
      for (const line of ["kernel --prefix venv", "kernel --check --prefix venv", "pack vendor/ace-lora"]) {
        const { text, code } = await inTerminal(`${deno} ${line}`, folder, "open");
        assert(!/Allow\?|Deno requests/.test(text), `${line} asks for a permission: ${text}`);
        assertEquals(code, 0, `${line}: ${text}`);
      }
      for (const path of ["venv/share/jupyter/kernels/ace-lora/kernel.json", "vendor/ace-lora/mod.ts"]) {
        assert((await Deno.stat(join(folder, path))).isFile, path);
      }
    });
  },
});

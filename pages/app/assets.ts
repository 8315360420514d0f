/**
 * Puts together the folder that `setAssets` names: wasm files, the codecs' JavaScript, the shipped weights and vocabulary.
 * `deno run --allow-read --allow-write pages/app/assets.ts DIR` writes it.
 *
 * @module
 */
import { fromFileUrl, join } from "@std/path";
import { ASSETS } from "../../lib/browser/mod.ts";

const PACKAGES: Readonly<Record<string, string>> = {
  charls: "@cornerstonejs/codec-charls",
  "libjpeg-turbo": "@cornerstonejs/codec-libjpeg-turbo-8bit",
  openjpeg: "@cornerstonejs/codec-openjpeg",
};

/** Where an asset is copied from. */
function sourceOf(file: string): URL {
  const [name, extension] = [file.replace(/\.[^.]*$/, ""), file.split(".").at(-1)];
  if (extension !== "wasm" && extension !== "js") return new URL(`../../data/${file}`, import.meta.url);
  const codec = PACKAGES[name];
  const specifier = codec
    ? `${codec}/decodewasm${extension === "js" ? "js" : ""}`
    : name === "webp"
    ? "@jsquash/webp/codec/dec/webp_dec.wasm"
    : `@tensorflow/tfjs-backend-wasm/wasm-out/${file}`;
  return new URL(import.meta.resolve(specifier));
}

/** Writes every asset into a folder, which is made if it is not there. */
export async function writeAssets(folder: string): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  for (const file of ASSETS) {
    const source = sourceOf(file);
    if (!file.endsWith(".js")) {
      await Deno.copyFile(fromFileUrl(source), join(folder, file));
      continue;
    }
    // The packages' scripts are CommonJS; a page imports modules.
    const text = await Deno.readTextFile(source);
    await Deno.writeTextFile(
      join(folder, file),
      `const module = { exports: {} };\nlet exports = module.exports;\n${text}\nexport default module.exports;\n`,
    );
  }
}

if (import.meta.main) {
  const [folder] = Deno.args;
  if (folder === undefined) {
    console.error("Usage: deno run --allow-read --allow-write pages/app/assets.ts DIR");
    Deno.exit(1);
  }
  await writeAssets(folder);
}

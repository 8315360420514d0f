// @ts-self-types="./_codec_modules.d.ts"
/*
 * The codecs' wasm files as compiled modules: imports, so no read permission is asked. TypeScript's grammar has no source phase
 * yet, hence a JavaScript file; the packages' exports hide the extension that a static import is told apart by, hence resolve().
 * Versions as in deno.json.
 */
const files = {
  charls: () => import.meta.resolve("npm:@cornerstonejs/codec-charls@1.2.7/decodewasm"),
  "libjpeg-turbo": () => import.meta.resolve("npm:@cornerstonejs/codec-libjpeg-turbo-8bit@1.2.8/decodewasm"),
  openjpeg: () => import.meta.resolve("npm:@cornerstonejs/codec-openjpeg@1.3.6/decodewasm"),
  webp: () => import.meta.resolve("npm:@jsquash/webp@1.5.0/codec/dec/webp_dec.wasm"),
};
export const codecModule = (name) => import.source(files[name]());

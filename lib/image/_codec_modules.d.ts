/** A codec's WebAssembly, compiled. */
export function codecModule(name: "charls" | "libjpeg-turbo" | "openjpeg" | "webp"): Promise<WebAssembly.Module>;

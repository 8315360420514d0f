/**
 * From an image to the tower's input, as open_clip's transform does it: resize, crop, convert to RGB, normalise.
 *
 * Source: open_clip `transform.py` (`Resize`, `CenterCrop`, `_convert_to_rgb`, `ToTensor`, `Normalize`) over torchvision
 * and Pillow; the 8-bit stage equals theirs bit for bit, and so do the float32 numbers.
 *
 * @module
 */
import { checkOptions, COUNT, FLAG, NUMBERS, oneOf, type Rules } from "../platform/options.ts";
import { resizeArea } from "./area.ts";
import type { RasterImage } from "./raster.ts";
import { resize, type ResizeOptions } from "./resize.ts";

/** Mean of the red, green and blue channels (of 0..1) that BiomedCLIP's config names. */
export const OPENAI_MEAN: readonly [number, number, number] = [0.48145466, 0.4578275, 0.40821073];

/** Standard deviation of the red, green and blue channels (of 0..1) that BiomedCLIP's config names. */
export const OPENAI_STD: readonly [number, number, number] = [0.26862954, 0.26130258, 0.27577711];

/**
 * How an image becomes a square. `shortest`: the shorter side to the size, then the centre. `longest`: the longer side to the size,
 * then black on both sides of the other (open_clip pads an image with a palette with its first colour instead). `padded`: black
 * round it first, to a square of at least the size. `squash`: both sides to the size.
 */
export type ResizeMode = "shortest" | "longest" | "padded" | "squash";

/** How {@linkcode cropResize8} and {@linkcode toPixels} treat an image. */
export interface PreprocessOptions {
  /**
   * Side of the square, pixels.
   *
   * @default {224}
   */
  size?: number;
  /**
   * `eval`: as `resizeMode` says. `train`: straight to `size` x `size`, aspect not kept.
   *
   * @default {"eval"}
   */
  mode?: "eval" | "train";
  /** How an evaluated image becomes a square. @default {"shortest"} */
  resizeMode?: ResizeMode;
  /** Side an evaluated image is resized to before the square is cut from its middle. @default {size} */
  resizedTo?: number;
  /** Of the resize, with antialiasing; `area`: means of what each pixel covers, as OpenCV has it. @default {"bicubic"} */
  interpolation?: "bicubic" | "bilinear" | "area";
  /**
   * Convert to RGB before resizing, as ACE-LoRA's own data sets do (`Image.open(path).convert("RGB")`); open_clip converts
   * after. Only images with a palette, alpha, one bit or 16 grey bits come out differently.
   *
   * @default {false}
   */
  rgbFirst?: boolean;
  /**
   * What becomes of 16-bit grey. `clip` is Pillow's conversion: every value above 255 turns white, so a radiograph of 12
   * or 16 bits is lost. `highByte` keeps the upper 8 bits before anything else.
   *
   * @default {"clip"}
   */
  grey16?: "clip" | "highByte";
}

/** Options of {@linkcode normalise8}. */
export interface NormaliseOptions {
  /** Of each channel, in units of 0..1. @default {OPENAI_MEAN} */
  mean?: readonly number[];
  /** Of each channel, in units of 0..1. @default {OPENAI_STD} */
  std?: readonly number[];
}

/** Options of {@linkcode toPixels}. */
export interface ToPixelsOptions extends PreprocessOptions, NormaliseOptions {}

/** What they must be. */
const TO_PIXELS_RULES: Rules<ToPixelsOptions> = {
  size: COUNT,
  mode: oneOf(["eval", "train"]),
  resizeMode: oneOf(["shortest", "longest", "padded", "squash"]),
  resizedTo: COUNT,
  interpolation: oneOf(["bicubic", "bilinear", "area"]),
  rgbFirst: FLAG,
  grey16: oneOf(["clip", "highByte"]),
  mean: NUMBERS,
  std: NUMBERS,
};

/**
 * Three channels of 8 bits, as Pillow's `convert("RGB")` makes them: grey is repeated, alpha is dropped (not blended),
 * 16-bit grey is clipped at 255, and 16-bit colour keeps its upper byte (Pillow has read it so already).
 *
 * @param image Any raster image; not changed.
 */
export function toRgb(image: RasterImage): RasterImage {
  const { width, height, channels, bitDepth, data } = image;
  if (channels === 3 && bitDepth === 8) return image;
  const clip = bitDepth === 16 && channels === 1;
  const shift = bitDepth === 16 && channels !== 1 ? 8 : 0;
  const out = new Uint8Array(width * height * 3);
  const [green, blue] = channels > 2 ? [1, 2] : [0, 0];
  const sample = (i: number): number => clip ? Math.min(data[i]!, 255) : data[i]! >> shift;
  for (let from = 0, to = 0; to < out.length; from += channels, to += 3) {
    out[to] = sample(from);
    out[to + 1] = sample(from + green);
    out[to + 2] = sample(from + blue);
  }
  return { width, height, channels: 3, bitDepth: 8, data: out, ...(image.indexed ? { indexed: true } : {}) };
}

function highByte(image: RasterImage): RasterImage {
  return { ...image, bitDepth: 8, data: Uint8Array.from(image.data, (value) => value >> 8) };
}

/** Pillow's `RGBA` -> `RGBa` (`MULDIV255`). */
function premultiply(image: RasterImage): RasterImage {
  const { channels } = image;
  const data = image.data.slice();
  for (let i = 0; i < data.length; i += channels) {
    const alpha = data[i + channels - 1]!;
    for (let c = 0; c < channels - 1; c++) {
      const product = data[i + c]! * alpha + 128;
      data[i + c] = (product >> 8) + product >> 8;
    }
  }
  return { ...image, data };
}

/** Pillow's `RGBa` -> `RGBA`. */
function unpremultiply(image: RasterImage): RasterImage {
  const { channels } = image;
  const data = image.data.slice();
  for (let i = 0; i < data.length; i += channels) {
    const alpha = data[i + channels - 1]!;
    if (alpha === 0 || alpha === 255) continue;
    for (let c = 0; c < channels - 1; c++) data[i + c] = Math.min(Math.trunc(255 * data[i + c]! / alpha), 255);
  }
  return { ...image, data };
}

/** Python's `round`: halves go to the even neighbour. */
function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** The size before the crop or the padding; of `shortest` torchvision's `int(size * long / short)`. */
function evalSize(
  { width, height }: RasterImage,
  { side: size, mode, truncates }: { side: number; mode: ResizeMode; truncates: boolean },
): { width: number; height: number } {
  if (mode === "squash") return { width: size, height: size };
  if (mode === "longest") {
    const ratio = Math.max(width / size, height / size);
    const side = (length: number): number =>
      Math.max(1, truncates ? Math.trunc(length / ratio + 1e-9) : roundHalfEven(length / ratio));
    return { width: side(width), height: side(height) };
  }
  return width <= height
    ? { width: size, height: Math.trunc(size * height / width) }
    : { width: Math.trunc(size * width / height), height: size };
}

/** An RGB image in the middle of a black square; the odd pixel of a margin is right or below. */
function padded({ width, height, data }: RasterImage, size: number): RasterImage {
  const out = new Uint8Array(size * size * 3);
  const [left, top] = [Math.floor((size - width) / 2), Math.floor((size - height) / 2)];
  for (let y = 0; y < height; y++) {
    out.set(data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * size + left) * 3);
  }
  return { width: size, height: size, channels: 3, bitDepth: 8, data: out };
}

/**
 * The 8-bit stage of the transform: resized, cropped or padded, RGB.
 *
 * @param image Any raster image; not changed.
 * @param options Defaults are the evaluation transform at 224.
 * @returns `size` x `size`, 3 channels, 8 bits.
 * @throws {RangeError} If `size` is not a positive integer.
 */
export function cropResize8(image: RasterImage, options: PreprocessOptions = {}): RasterImage {
  const { size = 224, mode = "eval", resizeMode = "shortest", rgbFirst = false, grey16 = "clip" } = options;
  const { interpolation: filter = "bicubic" } = options;
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`Cannot resize an image as size must be a positive integer: current value is ${size}`);
  }
  // Pillow holds 16 bits only for grey.
  let source = image.bitDepth === 16 && (image.channels !== 1 || grey16 === "highByte") ? highByte(image) : image;
  if (rgbFirst) {
    const { indexed: _, ...plain } = source;
    // Channels are resized each by itself: of grey, one is as good as three of the same.
    source = plain.channels === 1 && plain.bitDepth === 8 ? plain : toRgb(plain);
  }
  if (resizeMode === "padded" && mode === "eval") {
    const square = padded(toRgb(source), Math.max(size, source.width, source.height));
    return toRgb(resized(square, { width: size, height: size, filter }));
  }
  const { resizedTo = size } = options;
  const full = mode === "train"
    ? { width: size, height: size }
    : evalSize(source, { side: resizedTo, mode: resizeMode, truncates: filter === "area" });
  const [width, height] = [Math.min(size, full.width), Math.min(size, full.height)];
  // Of an image padded to a larger square, the odd pixel of a margin is right or below.
  const start = resizeMode === "longest" && resizedTo > size ? Math.ceil : roundHalfEven;
  const crop = {
    left: start((full.width - width) / 2),
    top: start((full.height - height) / 2),
    width,
    height,
  };
  const rgb = toRgb(resized(source, { ...full, crop, filter }));
  return width < size || height < size ? padded(rgb, size) : rgb;
}

type FullOptions = Omit<ResizeOptions, "filter"> & {
  width: number;
  height: number;
  filter: "bicubic" | "bilinear" | "area";
};

function resized(source: RasterImage, { filter, ...options }: FullOptions): RasterImage {
  const isFull = options.width === source.width && options.height === source.height;
  if (isFull || source.indexed) return resize(source, { ...options, filter: "nearest" });
  const alpha = source.channels === 2 || source.channels === 4;
  const change = (image: RasterImage): RasterImage =>
    filter === "area" ? resizeArea(image, options) : resize(image, { ...options, filter });
  return alpha ? unpremultiply(change(premultiply(source))) : change(source);
}

/**
 * The image tower's input: {@linkcode cropResize8}, then {@linkcode normalise8}.
 *
 * @param image Any raster image; not changed.
 * @param options Defaults are BiomedCLIP's evaluation transform.
 * @returns `[size, size, 3]`, row-major.
 * @throws {RangeError} If `size` is not a positive integer, or `mean` or `std` has not 3 numbers, or a `std` is 0.
 * @throws {TypeError} If an option is unknown or of another kind.
 *
 * @example As BiomedCLIP sees it
 * ```ts
 * import { BIOMED_CLIP, readImage, toPixels } from "@ace-lora/ace-lora";
 * import { assertEquals } from "@std/assert";
 *
 * const pixels = toPixels(await readImage("data/demo_report.png"), { size: BIOMED_CLIP.vision.imageSize });
 * assertEquals(pixels.length, 224 * 224 * 3);
 * ```
 */
export function toPixels(image: RasterImage, options: ToPixelsOptions = {}): Float32Array {
  checkOptions("prepare an image", options, TO_PIXELS_RULES);
  return normalise8(cropResize8(image, options).data, options);
}

/**
 * The float32 stage of the transform: `(v / 255 - mean) / std`.
 *
 * @param data RGB, 8 bits, any number of pixels.
 * @param options Mean and standard deviation.
 * @returns As many numbers.
 * @throws {RangeError} If `mean` or `std` has not 3 numbers, or a `std` is 0.
 */
export function normalise8(data: ArrayLike<number>, options: NormaliseOptions = {}): Float32Array {
  const { mean = OPENAI_MEAN, std = OPENAI_STD } = options;
  if (mean.length !== 3 || std.length !== 3 || std.includes(0)) {
    throw new RangeError(
      `Cannot normalise an image as mean and std must have 3 numbers, std not 0: current values are [${mean}], [${std}]`,
    );
  }
  // torch works in float32 at every step; 256 values a channel are all there can be.
  const f = Math.fround;
  const table = Float32Array.from({ length: 768 }, (_, i) => {
    const c = i >> 8;
    return f(f(f((i & 255) / 255) - f(mean[c]!)) / f(std[c]!));
  });
  const out = new Float32Array(data.length);
  for (let i = 0, c = 0; i < out.length; i++, c = c === 2 ? 0 : c + 1) out[i] = table[c << 8 | data[i]!]!;
  return out;
}

/** Small files for the commands: radiographs, tables, weights, adapters. All synthetic, all seeded. */
import { fromFileUrl, join } from "@std/path";
import { encode } from "fast-png";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { rsnaLike, trainingSet } from "../../lib/data/synthetic/sets.ts";
import { MINI } from "../../lib/clip/architectures.ts";
import { ACE_LORA_CONFIG } from "../../lib/adapters/config.ts";
import { writeAdapter } from "../../lib/adapters/files.ts";
import type { AdapterFile, BottleneckTensors, LinearTensors } from "../../lib/adapters/record.ts";
import { readSafetensors, writeSafetensors } from "../../lib/io/safetensors.ts";
import { float32Tensor, type TensorData } from "../../lib/io/tensors.ts";
import type { RasterImage } from "../../lib/image/raster.ts";
import { gaussian, mulberry32 } from "../../lib/tensor/random.ts";
import { MINI_FILES } from "./run.ts";

/** A DICOM file with known pixels, and a JPEG. */
export const DICOM = fromFileUrl(new URL("../image/dicom_fixtures/implicit_12_window.dcm", import.meta.url));
export const JPEG = fromFileUrl(new URL("../image/fixtures/grey_jpeg.jpg", import.meta.url));

export function png(image: RasterImage): Uint8Array {
  const { width, height, channels, bitDepth, data } = image;
  return encode({ width, height, channels, depth: bitDepth, data });
}

/** `count` radiographs `0.png`, `1.png`, ... in a new folder. */
export async function writeRadiographs(folder: string, count: number, seed = 1): Promise<string[]> {
  await Deno.mkdir(folder, { recursive: true });
  const { cases } = await rsnaLike(count, seed);
  const paths: string[] = [];
  for (const [i, item] of cases.entries()) {
    const path = join(folder, `${i}.png`);
    await Deno.writeFile(path, png(await item.image()));
    paths.push(path);
  }
  return paths;
}

/** A folder with a folder for each class, `each` radiographs in it. */
export async function writeClasses(folder: string, classes: readonly string[], each: number): Promise<void> {
  for (const [i, name] of classes.entries()) await writeRadiographs(join(folder, name), each, i + 1);
}

const quote = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

/** pairs.csv with its images: path, text and the 14 CheXpert labels. */
export async function writePairs(folder: string, count: number): Promise<string> {
  await Deno.mkdir(folder, { recursive: true });
  const { cases } = await trainingSet(count, 5);
  const rows: string[] = [];
  for (const [i, item] of cases.entries()) {
    await Deno.writeFile(join(folder, `${i}.png`), png(await item.image()));
    rows.push([`${i}.png`, quote(item.text!), ...item.labels!.map((label) => label ?? "")].join(","));
  }
  const path = join(folder, "pairs.csv");
  await Deno.writeTextFile(path, `path,text,${CHEXPERT_LABELS.join(",")}\n${rows.join("\n")}\n`);
  return path;
}

/** MIMIC-CXR-JPG's layout with `count` studies, and one lateral view and one study of another split. */
export async function writeMimic(folder: string, count: number): Promise<string> {
  const { cases } = await trainingSet(count + 1, 6);
  const tables = {
    metadata: ["dicom_id,subject_id,study_id,ViewPosition"],
    split: ["dicom_id,study_id,subject_id,split"],
  };
  const labels = [`subject_id,study_id,${CHEXPERT_LABELS.join(",")}`];
  for (const [i, item] of cases.entries()) {
    const [patient, study, id] = [`1000${100 + i}`, `5000${100 + i}`, `image-${i}`];
    const place = join(folder, "files", `p${patient.slice(0, 2)}`, `p${patient}`);
    await Deno.mkdir(join(place, `s${study}`), { recursive: true });
    await Deno.writeTextFile(join(place, `s${study}.txt`), ` FINDINGS: ${item.text}\n`);
    await Deno.copyFile(JPEG, join(place, `s${study}`, `${id}.jpg`));
    tables.metadata.push(`${id},${patient},${study},AP`);
    tables.split.push(`${id},${study},${patient},${i === count ? "test" : "train"}`);
    labels.push([patient, study, ...item.labels!.map((label) => label === null ? "" : label.toFixed(1))].join(","));
  }
  tables.metadata.push("lateral-0,1000100,5000100,LATERAL");
  tables.split.push("lateral-0,5000100,1000100,train");
  for (const [name, rows] of Object.entries({ ...tables, chexpert: labels })) {
    await Deno.writeTextFile(join(folder, `mimic-cxr-2.0.0-${name}.csv`), `${rows.join("\n")}\n`);
  }
  return folder;
}

/** A random adapter for the mini model, LoRA in q, k and v of every layer and ACE-HGNN on both encoders. */
export function miniAdapter(): AdapterFile {
  const rng = mulberry32(9);
  const normal = (shape: number[], std: number): TensorData =>
    float32Tensor(shape, Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => std * gaussian(rng)));
  const { width, depth } = MINI.vision;
  const linear = (out: number, inputs: number): LinearTensors => ({
    weight: normal([out, inputs], inputs ** -0.5),
    bias: normal([out], 0.1),
  });
  const hidden = MINI.embedding / 4;
  const bottleneck = (): BottleneckTensors => ({
    down: linear(hidden, MINI.embedding),
    up: linear(MINI.embedding, hidden),
  });
  const module = () => ({ edge: bottleneck(), node: bottleneck() });
  return {
    lora: (["text", "image"] as const).flatMap((encoder) =>
      Array.from({ length: depth }, (_, layer) => layer).flatMap((layer) =>
        (["q", "k", "v"] as const).map((target) => ({
          encoder,
          layer,
          target,
          a: normal([4, width], 0.1),
          b: normal([width, 4], 0.1),
        }))
      )
    ),
    hgnn: { image: module(), text: module() },
    logitScale: 20,
    config: { ...ACE_LORA_CONFIG, hidden },
  };
}

/** {@linkcode miniAdapter} as this package's file. */
export async function writeMiniAdapter(path: string): Promise<string> {
  await writeAdapter(path, miniAdapter(), { format: "ace" });
  return path;
}

/** The mini model's weights with one number changed. */
export async function writeDamagedWeights(path: string, value: number): Promise<string> {
  const { tensors } = await readSafetensors(MINI_FILES[0]!);
  const tensor = tensors.get("visual.head.proj.weight")!;
  const data = tensor.data.slice();
  new DataView(data.buffer).setFloat32(4 * 7, value, true);
  await writeSafetensors(path, new Map([...tensors, ["visual.head.proj.weight", { ...tensor, data }]]));
  return path;
}

/** A made-up folder of what the paper's scale reads: the published layouts, drawn films, a small model in BiomedCLIP's place. @module */
import { dirname, fromFileUrl, join } from "@std/path";
import { encode } from "fast-png";
import { chexpert5xN, histopathologyLike, rsnaLike, siimLike, trainingSet } from "../../lib/data/synthetic/sets.ts";
import { resize } from "../../lib/image/resize.ts";
import { type Case, CHEXPERT_LABELS } from "../../lib/data/types.ts";

const DATA = fromFileUrl(new URL("../../data/", import.meta.url));

async function put(path: string, content: string | Uint8Array): Promise<void> {
  await Deno.mkdir(dirname(path), { recursive: true });
  if (typeof content === "string") await Deno.writeTextFile(path, content);
  else await Deno.writeFile(path, content);
}

/** A case's picture; readers go by content, so a PNG may stand under the layout's name. */
async function picture({ image }: Pick<Case, "image">, side?: number): Promise<Uint8Array> {
  const drawn = await image();
  const { width, height, channels, data } = side === undefined
    ? drawn
    : resize(drawn, { width: side, height: side, filter: "nearest" });
  return encode({ width, height, channels: channels as 1 | 3, depth: 8, data: data as Uint8Array });
}

/** Writes the folder. */
export async function writeMadeUpData(root: string): Promise<void> {
  await Deno.mkdir(join(root, "biomedclip"), { recursive: true });
  await Deno.copyFile(join(DATA, "mini_generalist.safetensors"), join(root, "biomedclip", "model.safetensors"));
  await Deno.copyFile(join(DATA, "mini_vocab.txt"), join(root, "biomedclip", "vocab.txt"));
  await writeMimic(join(root, "mimic-cxr"));
  const chexpert = [["Path", ...CHEXPERT_LABELS].join()];
  const five = chexpert5xN(2, 3);
  for (const [i, one] of five.cases.entries()) {
    const path = `CheXpert-v1.0/train/patient${String(i).padStart(5, "0")}/study1/view1_frontal.jpg`;
    const name = five.classes[one.target!]!.toLowerCase();
    chexpert.push([path, ...CHEXPERT_LABELS.map((label) => label.toLowerCase() === name ? "1.0" : "0.0")].join());
    await put(join(root, "chexpert5x200", path), await picture(one));
  }
  await put(join(root, "chexpert5x200", "chexpert_5x200.csv"), chexpert.join("\n"));
  const rsna = ["patientId,x,y,width,height,Target"];
  for (const [i, one] of rsnaLike(30, 4).cases.entries()) {
    const id = `patient-${i}`;
    const boxes = (one.boxes ?? []).map(({ x, y, width, height }) => `${id},${x},${y},${width},${height},1`);
    rsna.push(...(boxes.length > 0 ? boxes : [`${id},,,,,0`]));
    await put(join(root, "rsna", "stage_2_train_images", `${id}.dcm`), await picture(one));
  }
  await put(join(root, "rsna", "stage_2_train_labels.csv"), rsna.join("\n"));
  const siim = ["ImageId,EncodedPixels"];
  for (const [i, one] of siimLike(20, 5).cases.entries()) {
    siim.push(`1.2.${i},${one.target === 1 ? "300000 4000 200000 9000" : "-1"}`);
    await put(join(root, "siim", "dicom-images-train", `1.2.${i}.dcm`), await picture(one, 1024)); // as large as the masks
  }
  await put(join(root, "siim", "stage_2_train.csv"), siim.join("\n"));
  for (const [i, one] of histopathologyLike(10, 6).cases.entries()) {
    const name = ["lung_n", "lung_aca", "lung_scc", "colon_aca", "colon_n"][i % 5]!;
    await put(join(root, "lc25000", name, `${i}.png`), await picture(one));
  }
}

async function writeMimic(root: string): Promise<void> {
  const [metadata, split, labels] = [["dicom_id,subject_id,study_id,ViewPosition"], ["dicom_id,split"], [
    ["subject_id", "study_id", ...CHEXPERT_LABELS].join(),
  ]];
  for (const [i, one] of trainingSet(20, 2).cases.entries()) {
    const [patient, study] = [10_000_000 + i, 50_000_000 + i];
    metadata.push(`film${i},${patient},${study},PA`);
    split.push(`film${i},${i < 16 ? "train" : "test"}`);
    labels.push([patient, study, ...one.labels!.map((value) => value ?? "")].join());
    const folder = join(root, "files", "p10", `p${patient}`);
    await put(join(folder, `s${study}`, `film${i}.jpg`), await picture(one));
    await put(join(folder, `s${study}.txt`), `FINAL REPORT\n\nFINDINGS:\n${one.text}\n`);
  }
  await put(join(root, "mimic-cxr-2.0.0-metadata.csv"), metadata.join("\n"));
  await put(join(root, "mimic-cxr-2.0.0-split.csv"), split.join("\n"));
  await put(join(root, "mimic-cxr-2.0.0-chexpert.csv"), labels.join("\n"));
}

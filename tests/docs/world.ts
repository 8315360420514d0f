/** The files that the documentation speaks of, small and drawn: what its code blocks run on. @module */
import { fromFileUrl, join } from "@std/path";
import { CLIP_VIT_B_16 } from "../../lib/clip/architectures.ts";
import { rsnaLike, siimLike, trainingSet } from "../../lib/data/synthetic/sets.ts";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { encodePng } from "../../lib/image/png.ts";
import { selectBackend } from "../../lib/tensor/backend.ts";
import { writeMiniAdapter } from "../cli/fixtures.ts";
import { HUB_CONFIG, HUB_JSON, writeHubFolder } from "../clip/hub_folder.ts";

const DICOM = fromFileUrl(new URL("../image/dicom_fixtures/mono1_12_window.dcm", import.meta.url));
const TILES = ["lung_n", "lung_aca", "lung_scc", "colon_aca", "colon_n"];
const CASES = 32;

const quote = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

async function writeTable(path: string, rows: readonly Record<string, string | number>[]): Promise<void> {
  const names = Object.keys(rows[0]!);
  const lines = rows.map((row) => names.map((name) => quote(String(row[name]))).join(","));
  await Deno.writeTextFile(path, [names.join(","), ...lines].join("\n") + "\n");
}

/** Writes them all into a folder. */
export async function writeWorld(folder: string): Promise<void> {
  const at = (name: string): string => join(folder, name);
  for (
    const name of [
      "films",
      "new_films",
      "masks",
      "pairs",
      "biomedclip",
      ...TILES.map((tile) => `lc25000/${tile}`),
    ]
  ) {
    await Deno.mkdir(at(name), { recursive: true });
  }
  for (const name of ["film.dcm", "one.dcm", "chest.dcm"]) await Deno.copyFile(DICOM, at(name));
  await writeFilms(folder);
  await writePairs(folder);
  for (const [i, tile] of TILES.entries()) {
    const { cases } = rsnaLike(2, 50 + i);
    for (const [k, one] of cases.entries()) await writeImage(at(`lc25000/${tile}/${tile}${k}.png`), await one.image());
  }
  await writeMiniAdapter(at("adapter.safetensors"));
  await selectBackend({ backend: "cpu" });
  const { vision, text } = HUB_CONFIG;
  await writeHubFolder(at("biomedclip"), {
    clip: {
      ...CLIP_VIT_B_16,
      vision: { ...vision, imageSize: 32 },
      text: { ...text, contextLength: 16, positions: 16 },
      embedding: 8,
    },
    json: {
      ...HUB_JSON,
      projection_dim: 8,
      vision_config: { ...HUB_JSON.vision_config, image_size: 32 },
      text_config: { ...HUB_JSON.text_config, max_position_embeddings: 16 },
    },
  });
}

async function writeImage(path: string, image: Parameters<typeof encodePng>[0]): Promise<void> {
  await Deno.writeFile(path, encodePng(image));
}

/** films.csv and cases.csv with their images, masks and boxes, and theirs.csv, scores of the same cases. */
async function writeFilms(folder: string): Promise<void> {
  const { cases } = siimLike(CASES, 1);
  const rows: Record<string, string | number>[] = [];
  const boxes: Record<string, string | number>[] = [];
  for (const [i, one] of cases.entries()) {
    const path = `films/${i}.png`, image = await one.image();
    await writeImage(join(folder, path), image);
    if (i < 3) await writeImage(join(folder, `new_films/${i}.png`), image);
    const { width, height } = image;
    const mask = new Uint8Array(width * height);
    if (one.target === 1) mask.fill(255, 0, width * (height >> 2));
    await writeImage(join(folder, `masks/${i}.png`), { width, height, channels: 1, bitDepth: 8, data: mask });
    const finding = one.target === 1 ? "pneumonia" : "normal";
    if (one.target === 1) {
      boxes.push({
        file: `${i}.png`,
        label: i % 4 === 1 ? "mass" : "pneumonia",
        x: 5,
        y: 5,
        w: width / 2,
        h: height / 3,
      });
    }
    rows.push({
      ...{
        path,
        file: `${i}.png`,
        finding,
        labels: one.target === 1 ? "Pneumonia|Edema" : "Edema",
        patient: `p${i >> 1}`,
      },
      split: ["train", "train", "validation", "test"][(i >> 1) % 4]!,
      ...{ lung_mask: `masks/${i}.png`, sex: i % 2 ? "F" : "M", age: 30 + i, site: i % 3 ? "east" : "west" },
    });
  }
  await writeTable(join(folder, "films.csv"), rows);
  await writeTable(join(folder, "cases.csv"), rows);
  await writeTable(join(folder, "boxes.csv"), boxes);
  const scores = rows.map(({ path, finding, patient }, i) => ({
    ...{ id: String(path), truth: String(finding), patient: String(patient) },
    ...{ "score:normal": 1 - (i % 7) / 7, "score:pneumonia": (i % 7) / 7 },
  }));
  for (const name of ["theirs.csv", "scores.csv"]) await writeTable(join(folder, name), scores);
}

/** pairs.csv: image, text, patient, study and the 14 labels. */
async function writePairs(folder: string): Promise<void> {
  const { cases } = trainingSet(16, 5);
  const rows: Record<string, string | number>[] = [];
  for (const [i, one] of cases.entries()) {
    await writeImage(join(folder, `pairs/${i}.png`), await one.image());
    const labels = Object.fromEntries(CHEXPERT_LABELS.map((name, k) => [name, one.labels![k] ?? ""]));
    const ids = { patient: `q${i}`, study: `s${i >> 1}` };
    rows.push({ path: `pairs/${i}.png`, text: one.text!, note: one.text!, ...ids, ...labels });
  }
  await writeTable(join(folder, "pairs.csv"), rows);
}

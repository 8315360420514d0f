/** A made-up MIMIC-CXR-JPG in the published layout: films at true pixel sizes, reports, tables. @module */
import { dirname, join } from "@std/path";
import { syntheticStudy } from "../../lib/data/synthetic/chest.ts";
import { studyFolder } from "../../lib/data/reports.ts";
import { CHEXPERT_LABELS } from "../../lib/data/types.ts";
import { deriveSeed, mulberry32 } from "../../lib/tensor/random.ts";
import type { FilmTask } from "./film.ts";
import type { RehearsalPlan } from "./plan.ts";

/** Width and height of films in the set, and how often these come. */
const SIZES: readonly (readonly [number, number, number])[] = [
  [2544, 3056, 0.55],
  [3056, 2544, 0.35],
  [2022, 1736, 0.1],
];

/** One film with what the tables say of it. */
interface Study extends FilmTask {
  dicomId: string;
  patientId: string;
  studyId: string;
  split: string;
}

/**
 * Writes the tree, films by as many workers as the plan says.
 *
 * @param onFilm Called with each film's bytes.
 */
export async function writeTree(root: string, plan: RehearsalPlan, onFilm: (bytes: number) => void): Promise<void> {
  const studies = studiesOf(root, plan);
  const metadata = ["dicom_id,subject_id,study_id,ViewPosition,Rows,Columns"];
  const split = ["dicom_id,study_id,subject_id,split"];
  const labels = [["subject_id", "study_id", ...CHEXPERT_LABELS].join()];
  for (const { seed, path, width, height, ...study } of studies) {
    const { dicomId, patientId, studyId } = study;
    const { report, labels: values, view } = syntheticStudy(seed);
    metadata.push([dicomId, patientId, studyId, view, height, width].join());
    split.push([dicomId, studyId, patientId, study.split].join());
    labels.push([patientId, studyId, ...values.map((value) => value === null ? "" : value.toFixed(1))].join());
    await Deno.mkdir(dirname(path), { recursive: true });
    const text = join(root, "mimic-cxr-reports", `${studyFolder(study)}.txt`);
    await Deno.mkdir(dirname(text), { recursive: true });
    const head = "                                 FINAL REPORT\n EXAMINATION:  CHEST RADIOGRAPH\n \n";
    await Deno.writeTextFile(text, `${head} FINDINGS:  ${report}\n`);
  }
  for (const [name, rows] of Object.entries({ metadata, split, chexpert: labels })) {
    const text = new Blob([rows.join("\n") + "\n"]).stream().pipeThrough(new CompressionStream("gzip"));
    await Deno.writeFile(join(root, `mimic-cxr-2.0.0-${name}.csv.gz`), text);
  }
  await writeFilms(studies, plan.workers, onFilm);
}

/** Studies of one film each, two to a patient, who is in one split. */
function studiesOf(root: string, { splits, shrink }: RehearsalPlan): Study[] {
  const named = Object.entries(splits).flatMap(([name, count]) =>
    Array.from({ length: count }, (_, i) => ({ split: name, inSplit: i }))
  );
  let patient = 9_999_999;
  return named.map(({ split, inSplit }, i) => {
    if (inSplit % 2 === 0) patient++;
    const seed = deriveSeed(1, `study ${i}`);
    const rng = mulberry32(seed);
    let drawn = rng();
    const [width, height] = SIZES.find(([, , share]) => (drawn -= share) < 0) ?? SIZES[0]!;
    const hex = Array.from({ length: 5 }, () => Math.floor(rng() * 2 ** 32).toString(16).padStart(8, "0"));
    const study = { patientId: String(patient), studyId: String(50_000_000 + i), dicomId: hex.join("-") };
    const path = join(root, studyFolder(study), `${study.dicomId}.jpg`);
    return { ...study, split, seed, path, width: Math.round(width / shrink), height: Math.round(height / shrink) };
  });
}

function writeFilms(studies: readonly Study[], workers: number, onFilm: (bytes: number) => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let [next, done] = [0, 0];
  const all = Array.from({ length: workers }, () => {
    const worker = new Worker(new URL("./film_worker.ts", import.meta.url), { type: "module" });
    const ask = (): void => {
      const study = studies[next++];
      if (!study) return;
      const { seed, width, height, path } = study;
      worker.postMessage({ seed, width, height, path });
    };
    worker.onmessage = ({ data }: MessageEvent<number>) => {
      onFilm(data);
      if (++done === studies.length) resolve();
      ask();
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`Cannot draw a film in a worker: ${event.message}`));
    };
    ask();
    return worker;
  });
  return promise.finally(() => all.forEach((worker) => worker.terminate()));
}

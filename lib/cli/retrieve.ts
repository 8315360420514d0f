/** `deno task retrieve`: texts of images and images of texts, or the images nearest to a query. @module */
import type { NamedAdapter } from "../adapters/record.ts";
import { join } from "@std/path";
import { aceLoraModel } from "../ace_lora.ts";
import { loadPairs } from "../data/pairs.ts";
import { formatTable, type Table } from "../display/table.ts";
import { buildReport, factsWithWarnings } from "../display/report.ts";
import { imagesAt, type NamedImage } from "../eval/classify.ts";
import { featureEncoder } from "../eval/encode/feature_encoder.ts";
import { seenPart } from "../eval/explain.ts";
import { type Hit, nearestItems, retrieval, type RetrievalReport } from "../eval/retrieve.ts";
import { runFacts, versions } from "../io/run_facts.ts";
import { classifierFrom } from "./classifier.ts";
import { type Arguments, type Command, COUNT, UsageError } from "./command.ts";
import { announce, COLUMN_OPTIONS, columnsFrom } from "./data_options.ts";
import { checkPath } from "./paths.ts";
import { watched } from "./decode_options.ts";
import { namedImagesFrom } from "./named_images.ts";
import { keptFeatures } from "./features.ts";
import { adapterFrom, judgedWarnings } from "./model_options.ts";
import { holdOutput, OVERWRITE_OPTION, writeResults } from "./output.ts";
import { printable } from "./printable.ts";
import { modelFacts } from "./provenance.ts";
import { BACKEND_OPTION, backendText, startBackend } from "./shared.ts";
import { MANY_IMAGES_OPTIONS, readableCases, readableSet } from "./unreadable.ts";

export const COMMAND: Command = {
  name: "retrieve",
  summary: "Recall of texts by images and images by texts, or the images of a folder nearest to a sentence or an image",
  options: {
    pairs: { value: "CSV", help: "Image-text pairs: figures of both directions" },
    "text-column": { value: "NAME", help: "Column of the text (default: text)" },
    "study-column": {
      value: "NAME",
      help: "Column of the study: all its texts are right for all its images (default: each row its own)",
    },
    images: { value: "PATH", help: "Folder or CSV of images to search" },
    query: { value: "TEXT", help: "Sentence to search them by" },
    "query-image": { value: "FILE", help: "Image to search them by" },
    top: { value: "N", number: COUNT, help: "Images shown of a search (default: 12)" },
    ...COLUMN_OPTIONS,
    ...MANY_IMAGES_OPTIONS,
    out: {
      value: "DIR",
      help: "Folder of retrieval.json, of the page and of the features, computed once (default: results/retrieve)",
    },
    ...OVERWRITE_OPTION,
    json: { help: "JSON instead of a table" },
    "batch-size": { value: "N", number: COUNT, help: "Items encoded at a time (default: 16)" },
    ...BACKEND_OPTION,
  },
  example: 'deno task retrieve --images radiographs --query "a chest X-ray image of pneumonia."\n' +
    "  deno task retrieve --pairs pairs.csv --text-column note --study-column study",
  async run(args) {
    const [pairs, query, queryImage] = [args.text("pairs"), args.text("query"), args.text("query-image")];
    const given = [pairs, query, queryImage].filter((value) => value !== undefined).length;
    if (given !== 1) {
      throw new UsageError("name one of --pairs (figures), --query and --query-image (a search of --images)");
    }
    const out = args.text("out") ?? "results/retrieve";
    return await holdOutput(
      args,
      { path: out, results: ["retrieval.json", "retrieval.html"] },
      () => pairs === undefined ? search(args, out) : measure(args, pairs, out),
    );
  },
};

/** Figures of image-text pairs. */
async function measure(args: Arguments, path: string, out: string): Promise<number | void> {
  await checkPath(path);
  const study = args.text("study-column");
  const loaded = await loadPairs(path, {
    ...columnsFrom(args),
    text: args.text("text-column") ?? "text",
    chexpert: false,
    ...(study === undefined ? {} : { attributes: [study] }),
  });
  const dataset = await readableSet(args, loaded);
  announce(dataset);
  const adapter = await adapterFrom(args);
  const warnings = judgedWarnings(adapter, dataset.cases);
  const backend = await startBackend(args);
  const images = watched(args, dataset.cases).map((item) => ({ ...item, name: item.id }));
  const texts = dataset.cases.map(({ text }) => text!);
  const features = await keptFeatures(args, join(out, "pairs.safetensors"), {
    images,
    texts,
    backend,
    open: () => classifierFrom(args, { adapter }),
  });
  if (typeof features === "number") return features;
  const studies = dataset.cases.map(({ attributes }, i) => {
    const name = study === undefined ? "" : attributes![study]!;
    return name.trim() ? `study ${name}` : `row ${i}`;
  });
  const report = retrieval(features, studies);
  const record = {
    command: "retrieve",
    model: await modelFacts(args),
    ...(warnings.length > 0 ? { warnings } : {}),
    data: { name: dataset.name, ...dataset.summary, split: dataset.split, study_column: study ?? null },
    ...report,
    ...await runFacts(backend),
  };
  await writeResults(args, out, {
    record: ["retrieval.json", record],
    text: formatTable(retrievalTable(report)),
  });
}

function retrievalTable(report: RetrievalReport): Table {
  const ks = Object.keys(report.chance).map(Number);
  const percent = (share: number): { value: number; text: string } => ({
    value: share,
    text: (100 * share).toFixed(1),
  });
  const rows = [["image to text", report.imageToText], ["text to image", report.textToImage]] as const;
  return {
    columns: [
      { title: "direction" },
      ...ks.map((k) => ({ title: `R@${k} (%)` })),
      { title: "median rank", digits: 1 },
      { title: "queries" },
    ],
    rows: [
      ...rows.map(([name, { recall, medianRank, queries }]) => [
        name,
        ...ks.map((k) => percent(recall[k]!)),
        medianRank,
        queries,
      ]),
      ["in random order", ...ks.map((k) => percent(report.chance[k]!)), null, null],
    ],
    caption: `${report.pairs} pairs of ${report.studies} studies`,
  };
}

/** The images nearest to a sentence or an image, as a page and as JSON. */
async function search(args: Arguments, out: string): Promise<number | void> {
  args.required("images");
  const all = await namedImagesFrom(args);
  const images = watched(args, await readableCases(args, all));
  const text = args.text("query");
  const path = args.text("query-image");
  if (path !== undefined) await checkPath(path);
  const asked = path === undefined ? [] : [await decoded(watched(args, imagesAt([path]))[0]!)];
  const top = args.number("top", 12);
  const adapter = await adapterFrom(args);
  const backend = await startBackend(args);
  const open = () => classifierFrom(args, { adapter });
  const features = await keptFeatures(args, join(out, "images.safetensors"), { images, backend, open });
  if (typeof features === "number") return features;
  const query = await queryFeature(args, text, asked, adapter);
  const hits = nearestItems(query, features.image, top);
  const facts = { ...await modelFacts(args), backend: backendText(backend), ...versions() };
  const named = hits.map(({ index, score }) => ({ image: images[index]!.name, score }));
  const table: Table = {
    columns: [{ title: "image" }, { title: "cosine", digits: 4 }],
    rows: named.map(({ image, score }) => [printable(image), score]),
  };
  const record = { command: "retrieve", query: text ?? path, of: images.length, hits: named, ...facts };
  await writeResults(args, out, {
    record: ["retrieval.json", record],
    files: { "retrieval.html": await searchPage(text ?? asked[0]!, hits, { images, facts }) },
    text: formatTable(table),
  });
}

/** The image, read once: what is wrong with it is told before the work. */
async function decoded({ name, image }: NamedImage): Promise<NamedImage> {
  const raster = await image();
  return { name, image: () => Promise.resolve(raster) };
}

/** The feature of what is asked by. */
async function queryFeature(
  args: Arguments,
  text: string | undefined,
  images: readonly NamedImage[],
  adapter: NamedAdapter | undefined,
): Promise<Float32Array> {
  const classifier = await classifierFrom(args, { adapter });
  const texts = text === undefined ? [] : [text];
  const encoder = featureEncoder(aceLoraModel(classifier.config), classifier, { images, texts });
  try {
    return await encoder.encode(text === undefined ? "image" : "text", [0]);
  } finally {
    encoder.close();
  }
}

/** The hits as a page; it holds the images. */
async function searchPage(
  query: string | NamedImage,
  hits: readonly Hit[],
  { images, facts }: { images: readonly NamedImage[]; facts: Record<string, string | number | null> },
): Promise<string> {
  const picture = async ({ image }: NamedImage, caption: string) => ({
    image: seenPart(await image()),
    grid: { rows: 12, columns: 12 },
    caption,
  });
  const shown = [];
  for (const [rank, { index, score }] of hits.entries()) {
    const item = images[index]!;
    shown.push(await picture(item, `${rank + 1}. ${item.name}: ${score.toFixed(4)}`));
  }
  const asked = typeof query === "string" ? undefined : await picture(query, query.name);
  const { warnings, facts: run } = factsWithWarnings(facts);
  return await buildReport({
    title: asked ? `Images nearest to ${asked.caption}` : `Images nearest to "${query}"`,
    subtitle: `The first ${hits.length} of ${images.length} by cosine with the query, each cut as the model sees it.`,
    warnings,
    sections: [
      ...(asked ? [{ kind: "overlays" as const, title: "Query", overlays: [asked] }] : []),
      { kind: "overlays", title: "Answers, nearest first", overlays: shown },
      { kind: "facts", title: "Run", facts: run },
    ],
  });
}

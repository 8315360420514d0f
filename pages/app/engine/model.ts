/** The model at work: the shipped one or the reader's own, with an adapter or without. @module */
import { type Adapted, loadAdapter } from "../../../lib/adapters/model.ts";
import type { UsedCases } from "../../../lib/data/seen.ts";
import type { LoadedClip } from "../../../lib/clip/load.ts";
import { loadClip } from "../../../lib/clip/load.ts";
import { overlaySvg } from "../../../lib/display/overlay.ts";
import { type Classification, type Classifier, classifyImages } from "../../../lib/eval/classify.ts";
import type { MapKind } from "../../../lib/eval/maps/maps.ts";
import { decodeImage } from "../../../lib/image/read.ts";
import { setAssets } from "../../../lib/platform/assets.ts";
import { type FolderHandle, privateFiles, privateFolder } from "../../../lib/platform/private_files.ts";
import { mountFiles, unmountFiles } from "../../../lib/platform/web_system.ts";
import { type BackendName, selectBackend } from "../../../lib/tensor/backend.ts";
import { disposeParams } from "../../../lib/tensor/params.ts";
import { currentDevice } from "../../../lib/tensor/webgpu/init.ts";
import { asGiven, type Mount, tell } from "./events.ts";

/** Files by path, as a folder gives them. */
export type Files = Readonly<Record<string, File>>;

/** What the page says of the model. */
export interface ModelFacts {
  /** Backend, and what it is. */
  backend: string;
  /** Why a faster one was passed over. */
  reasons: readonly string[];
  /** Whether the page has memory that threads share. */
  isolated: boolean;
  /** Whether what is kept outlives the page: in some browsers' private windows it does not. */
  isKept: boolean;
  /** Name of the weights. */
  name: string;
  /** Whether it is the model that comes with the page, which knows drawings only. */
  isShipped: boolean;
  /** Whether it was read from files that the page was given, which may be kept. */
  isGiven: boolean;
  /** What was added to it; null where nothing was. */
  adapter: string | null;
  /** What its reader noted. */
  notes: readonly string[];
}

/** Folder of the browser's private file system in which models are kept. */
const KEPT: Mount = "kept";

const notes: string[] = [];
let facts: Omit<ModelFacts, "adapter" | "notes">;
let base: LoadedClip;
let own: Files = {};
let adapted: (Adapted & { name: string }) | undefined;

/** The frozen model. */
export const baseModel = (): LoadedClip => base;

/** The model that answers. */
export function classifier(): Classifier & UsedCases {
  const { params, config, tokenizer } = base;
  return adapted ? { ...adapted, tokenizer } : { params, config: { encoders: config, learnScale: false }, tokenizer };
}

const factsNow = (): ModelFacts => ({ ...facts, adapter: adapted?.name ?? null, notes: notes.splice(0) });

/** Puts an adapted tree in the place of the one before. */
export function setAdapted(next: typeof adapted): ModelFacts {
  if (adapted && adapted.params !== next?.params) disposeParams(adapted.params, base.params);
  adapted = next;
  return factsNow();
}

/** Takes the adapter off. */
export function useBase(): ModelFacts {
  return setAdapted(undefined);
}

async function useModel(from: string | undefined, name: string, given: Files = {}): Promise<ModelFacts> {
  const loaded = await loadClip(from, { note: (text) => notes.push(asGiven(text)) });
  if (base) {
    setAdapted(undefined);
    disposeParams(base.params);
  }
  base = loaded;
  own = given;
  facts = { ...facts, name, isShipped: from === undefined, isGiven: Object.keys(own).length > 0 };
  return factsNow();
}

/** Starts a backend and loads the shipped model. @param assets Address of the wasm files and the weights. */
export async function start(assets: string, backend?: BackendName): Promise<ModelFacts> {
  setAssets(assets);
  const { name, adapter, reasons } = await selectBackend(backend ? { backend } : {});
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated === true;
  const { isKept } = await privateFiles();
  facts = { backend: `${name}: ${adapter}`, reasons, isolated, isKept, name: "", isShipped: true, isGiven: false };
  if (name === "webgpu") currentDevice()!.device.lost.then(() => tell({ event: "lost" }));
  return await useModel(undefined, "the shipped model");
}

/** Folder that all paths begin with, or none. */
function rootOf(files: Files): string {
  const tops = new Set(Object.keys(files).map((path) => path.includes("/") ? path.split("/")[0]! : ""));
  return tops.size === 1 ? [...tops][0]! : "";
}

/** Mounts files under a name in place of those mounted before: the path of their folder. */
export function mounted(under: Mount, files: Files): string {
  unmountFiles(under);
  mountFiles(Object.fromEntries(Object.entries(files).map(([path, file]) => [`${under}/${path}`, file])));
  const root = rootOf(files);
  return root === "" ? under : `${under}/${root}`;
}

/** Loads a model's folder, given or kept; without either, the shipped one. */
export async function loadFiles(from: Files | { kept: string } | null): Promise<ModelFacts> {
  if (from === null) return await useModel(undefined, "the shipped model");
  if ("kept" in from && typeof from.kept === "string") return await useModel(`${KEPT}/${from.kept}`, from.kept);
  const files = from as Files;
  return await useModel(mounted("model", files), rootOf(files) || Object.keys(files)[0] || "own model", files);
}

/** Puts an adapter on the model: one file, or PEFT's folder. */
export async function loadAdapterFiles(files: Files): Promise<ModelFacts> {
  const folder = mounted("adapter", files);
  const names = Object.keys(files);
  const path = names.length === 1 ? `adapter/${names[0]}` : folder;
  const loaded = await loadAdapter(path, base.params, base.config);
  return setAdapted({ ...loaded, name: names.length === 1 ? names[0]! : rootOf(files) || "adapter" });
}

/** Copies the model's files into the browser's private file system, piece by piece. */
export async function keepModel(): Promise<string[]> {
  if (!(await privateFiles()).isKept) {
    throw new Error("Cannot keep the model as the browser must give the page storage: in this window it gives none");
  }
  const name = rootOf(own) || "model";
  let folder: FolderHandle | undefined;
  try {
    folder = await privateFolder([KEPT], true);
    for (const [path, file] of Object.entries(own)) {
      const parts = [name, ...path.split("/").slice(rootOf(own) === "" ? 0 : 1)];
      let into: FolderHandle = folder;
      for (const part of parts.slice(0, -1)) into = await into.getDirectoryHandle(part, { create: true });
      const handle = await into.getFileHandle(parts.at(-1)!, { create: true });
      await file.stream().pipeTo(await handle.createWritable() as unknown as WritableStream);
    }
  } catch (error) {
    await folder?.removeEntry(name, { recursive: true }).catch(() => {}); // half a model is none
    const isFull = error instanceof DOMException && error.name === "QuotaExceededError";
    throw isFull
      ? new Error("Cannot keep the model as the browser's storage must have room for it: it is full")
      : error;
  }
  return await keptModels();
}

/** Names of the models kept. */
export async function keptModels(): Promise<string[]> {
  const folder = await privateFolder([KEPT]).catch(() => undefined); // before the first there is none
  const names: string[] = [];
  if (folder) { for await (const { name } of folder.values()) names.push(name); }
  return names.sort();
}

/** Removes a model that was kept. */
export async function removeKept(name: string): Promise<string[]> {
  await (await privateFolder([KEPT])).removeEntry(name, { recursive: true });
  return await keptModels();
}

/** What the page asks of films. */
export interface ClassifyRequest {
  /** At least two. */
  labels: readonly string[];
  /** Prompts with `{c}`. */
  templates: readonly string[];
  /** Kinds of maps for each label. */
  maps?: readonly MapKind[];
}

/** The answer for one film, its drawings as SVG; or why there is none. */
export type Answer =
  | { scores: Record<string, number>; label: string; overlay: string; maps: { title: string; svg: string }[] }
  | { refused: string };

function answerOf({ scores, label, overlay, maps = {} }: Classification): Answer {
  const drawn = Object.entries(maps).flatMap(([kind, { overlays }]) =>
    overlays.map((one, c) => ({ title: `${kind}, ${Object.keys(scores)[c]}`, svg: overlaySvg({ ...one, bar: true }) }))
  );
  return { scores, label, overlay: overlaySvg(overlay!), maps: drawn };
}

/** Answers about films; one that cannot be read leaves the others as they are. */
export async function classify(films: readonly File[], request: ClassifyRequest): Promise<Answer[]> {
  const { labels, templates, maps = [] } = request;
  const answers: Answer[] = [];
  const ask = async (some: readonly File[]): Promise<Answer[]> => {
    const images = some.map((film) => ({
      name: film.name,
      image: async () => await decodeImage(new Uint8Array(await film.arrayBuffer()), film.name),
    }));
    return (await classifyImages(classifier(), images, labels, { templates, explain: true, maps })).map(answerOf);
  };
  for (let first = 0; first < films.length; first += 4) {
    const some = films.slice(first, first + 4);
    answers.push(
      ...await ask(some).catch(async (error) => {
        if (!(error instanceof SyntaxError)) throw error;
        const each: Answer[] = [];
        for (const film of some) {
          each.push(
            ...await ask([film]).catch((error: unknown) => {
              if (!(error instanceof SyntaxError)) throw error;
              return [{ refused: error.message }];
            }),
          );
        }
        return each;
      }),
    );
    tell({ event: "images", done: answers.length, of: films.length });
  }
  return answers;
}

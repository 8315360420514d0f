/** The texts of the tokeniser's fixtures, rebuilt by the rules of make_fixtures.py. */
import { parse } from "@std/csv";
import { fromFileUrl, join } from "@std/path";
import { mulberry32 } from "../../lib/tensor/random.ts";

const here = (name: string): string => fromFileUrl(new URL(name, import.meta.url));
const json = <T>(name: string): T => JSON.parse(Deno.readTextFileSync(here(name)));

/** Folder of real data, outside the repository. */
export const REAL_DATA: string = Deno.env.get("ACE_REAL_DATA") ?? here("../../../shared/data");
export const SMALL_VOCAB: string = here("fixtures/vocab.txt");
export const REAL_VOCAB: string = join(REAL_DATA, "biomedclip", "biomedclip_vocab.txt");
export const REAL_JSON: string = join(REAL_DATA, "biomedclip", "biomedclip_tokenizer.json");

export function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Hashes of one list of texts, eight hex digits each, joined. */
export interface Hashes {
  clean: string;
  raw: string;
}
/** What one vocabulary gives. */
export interface Fixture {
  edge: Hashes;
  random: Hashes;
  latin: Hashes;
  long: string;
  entities: string;
}

export const fixtures: { small: Fixture & { blocks: string }; real: Fixture; shared: Hashes & { count: number } } =
  json(
    "fixtures/tokens.json",
  );
/** How many of the made-up texts open_clip's cleaning may repair otherwise than ours (docs/text.md); of the real ones none. */
export const REPAIRED_OTHERWISE = { edge: 2, random: 110, latin: 479 } as const;

export const edgeTexts: string[] = json("edge_texts.json");
/** Damaged text, what open_clip's cleaning (ftfy) makes of it, and what it makes of the text before the damage. */
export const damagedTexts: [damaged: string, ftfy: string, whole: string][] = json("fixtures/damaged.json");
export const htmlNames: Record<string, string> = json("fixtures/entities.json");

type Pool = readonly (readonly [number, number])[];
// deno-fmt-ignore
const POOLS: Pool = [
  [0x20, 0x7e], [0x61, 0x7a], [0x00, 0x1f], [0x80, 0xff], [0x100, 0x24f], [0x300, 0x36f], [0x370, 0x4ff],
  [0x590, 0x6ff], [0x900, 0x97f], [0xe00, 0xe7f], [0x1e00, 0x1fff], [0x2000, 0x206f], [0x20a0, 0x22ff],
  [0x3000, 0x30ff], [0x4e00, 0x9fff], [0xac00, 0xd7a3], [0xe000, 0xe0ff], [0xf900, 0xfaff], [0xfb00, 0xffff],
  [0x10000, 0x10fff], [0x1f300, 0x1faff], [0x20000, 0x2cfff], [0xe0000, 0xe01ff],
];

function randomText(count: number, seed: number, pool: Pool): string[] {
  const rng = mulberry32(seed);
  return Array.from({ length: count }, () => {
    let text = "";
    let [first, last] = pool[Math.floor(rng() * pool.length)]!;
    const length = 1 + Math.floor(rng() * 60);
    for (let i = 0; i < length; i++) {
      const u = rng();
      if (u < 0.1) [first, last] = pool[Math.floor(rng() * pool.length)]!;
      text += u > 0.85 ? " " : String.fromCodePoint(first + Math.floor(rng() * (last - first + 1)));
    }
    return text;
  });
}

export const randomTexts: string[] = randomText(1500, 1, POOLS);
export const latinTexts: string[] = randomText(1500, 2, [[0x20, 0x7e], [0x80, 0xff], [0x100, 0x17f], [0x2010, 0x2122]]);

/** One list of texts for every 4,096 code points of planes 0 to 2, and of the first of planes 14 and 15; no surrogates. */
export function* blockTexts(): Generator<string[]> {
  const starts = [...Array.from({ length: 0x30 }, (_, i) => i * 0x1000), 0xe0000, 0xf0000];
  for (const start of starts) {
    const texts: string[] = [];
    for (let c = start; c < start + 0x1000; c++) {
      if (c >= 0xd800 && c <= 0xdfff) continue;
      const char = String.fromCodePoint(c);
      texts.push(`a${char}b ${char}`);
    }
    if (texts.length) yield texts;
  }
}

const WORDS = (`no focal consolidation effusion pleural pneumothorax cardiomegaly atelectasis edema pneumonia the of ` +
  `and is in there with a chest x ray image findings suggesting right left lobe lower upper lung heart normal size acute ` +
  `process opacity opacities small large bilateral tube line naive resume cafe uber`).split(" ");
export const longText: string = Array.from({ length: 10000 }, (_, i) => WORDS[i % WORDS.length]).join(" ");

/** Python sorts by code point; these names are ASCII. */
export const entityTexts: string[] = Object.keys(htmlNames).sort().flatMap(
  (n) => [`&${n}`, `a&${n}x;`, `&amp;${n}`],
);

/** Notes, addresses and licences of covidcxr, and prompts of every combination of NIH labels. */
export async function sharedTexts(): Promise<string[]> {
  const texts: string[] = [];
  const notes = await Deno.readTextFile(join(REAL_DATA, "covidcxr", "covidcxr.csv"));
  for (const row of parse(notes, { skipFirstRow: true })) {
    for (const column of ["note", "other_notes", "source_url", "licence"]) {
      const text = row[column];
      if (!text) continue;
      texts.push(text);
      if (column === "note") texts.push(...text.split(". "));
    }
  }
  const file = await Deno.open(join(REAL_DATA, "annotations", "nih_Data_Entry_2017_v2020.csv.gz"));
  const table = await new Response(file.readable.pipeThrough(new DecompressionStream("gzip"))).text();
  for (const label of new Set(parse(table, { skipFirstRow: true }).map((row) => row["Finding Labels"]!))) {
    const c = label.replaceAll("|", ", ").replaceAll("_", " ");
    texts.push(`a chest X-ray image of ${c}.`, `Findings suggesting ${c}.`, label);
  }
  return texts;
}

/** The fixtures' hash of ids, or of texts that are ASCII. */
export async function hashIds(ids: readonly unknown[]): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(ids)));
  return new Uint8Array(digest).slice(0, 4).toHex();
}

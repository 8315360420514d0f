/** The index of the site's search: what stands below each heading, and what a query finds in it. @module */

/** A part of the site that can be found. */
export interface SearchEntry {
  /** Where it stands: `weights.html#data-sets`. */
  link: string;
  /** Title of its page. */
  page: string;
  /** Its heading, the page's own for what stands before the first. */
  heading: string;
  /** Its text, without markup. */
  text: string;
}

const ENTITIES: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", nbsp: " " };

/** HTML as a reader sees it, in one line. */
function plainText(html: string): string {
  return html.replaceAll(/<(annotation|style|script)\b[\s\S]*?<\/\1>/g, " ") // a formula's source is not seen
    .replaceAll(/<\/?(?:code|em|strong|a|span|mi|mn|mo|mrow|msub|msup)\b[^>]*>/g, "").replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/&(amp|lt|gt|quot|#39|nbsp);/g, (_, name: string) => ENTITIES[name]!).replaceAll(/\s+/g, " ").trim();
}

/**
 * A page's entries, one a heading.
 *
 * @param body The page's HTML, headings with their anchors.
 */
export function searchEntries(body: string, file: string): SearchEntry[] {
  const first = body.search(/<h[1-6] id="/);
  const [before, headed] = first < 0 ? [body, ""] : [body.slice(0, first), body.slice(first)];
  const rest = headed === "" ? [] : headed.split(/(?=<h[1-6] id=")/);
  const parts = rest.map((part) => {
    const [, id, heading] = /^<h[1-6] id="([^"]*)"[^>]*>([\s\S]*?)<\/h[1-6]>/.exec(part)!;
    return { id: id!, heading: plainText(heading!), text: plainText(part.slice(part.indexOf("</h") + 5)) };
  });
  const page = parts[0]?.heading ?? file;
  const entries = parts.map(({ id, heading, text }, i) => ({
    link: i === 0 ? file : `${file}#${id}`,
    page,
    heading,
    text,
  }));
  const start = plainText(before);
  return start === "" ? entries : [{ link: file, page, heading: page, text: start }, ...entries];
}

/** How well an entry answers one word; 0 where it does not have it. */
function wordScore({ page, heading, text }: SearchEntry, word: string): number {
  const has = (where: string): boolean => where.toLowerCase().includes(word);
  const begins = (where: string): boolean =>
    where.toLowerCase().split(/[^\p{L}\p{N}_]+/u).some((part) => part.startsWith(word));
  const times = text.toLowerCase().split(word).length - 1;
  return (heading.toLowerCase() === word ? 40 : begins(heading) ? 15 : has(heading) ? 8 : 0) + (has(page) ? 4 : 0) +
    Math.min(times, 3);
}

/** The entries that have every word of a query, the best first. */
export function findEntries(entries: readonly SearchEntry[], query: string): SearchEntry[] {
  const words = wordsOf(query);
  if (words.length === 0) return [];
  return entries.map((entry) => ({ entry, scores: words.map((word) => wordScore(entry, word)) }))
    .filter(({ scores }) => scores.every((score) => score > 0))
    .map(({ entry, scores }) => ({ entry, score: scores.reduce((a, b) => a + b) }))
    .sort((a, b) => b.score - a.score).map(({ entry }) => entry);
}

/** The words of a query, in small letters. */
export function wordsOf(query: string): string[] {
  return [...new Set(query.toLowerCase().split(/\s+/).filter((word) => word !== ""))];
}

/** A text in pieces, those that a query's words are found at marked. */
export type Piece = { text: string; isFound: boolean };

/** What of a text shows the first of a query's words in it, some 120 characters in pieces. */
export function excerpt(text: string, query: string): Piece[] {
  const words = wordsOf(query), low = text.toLowerCase();
  const places = words.map((word) => low.indexOf(word)).filter((place) => place >= 0);
  const middle = places.length === 0 ? 0 : Math.min(...places);
  const start = middle <= 40 ? 0 : text.indexOf(" ", middle - 40) + 1;
  const end = start + 120 >= text.length ? text.length : Math.max(middle + 1, text.lastIndexOf(" ", start + 120));
  const shown = `${start > 0 ? "… " : ""}${text.slice(start, end)}${end < text.length ? " …" : ""}`;
  const pattern = words.map((word) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  if (pattern === "") return [{ text: shown, isFound: false }];
  return shown.split(new RegExp(`(${pattern})`, "gi")).map((piece, i) => ({ text: piece, isFound: i % 2 === 1 }))
    .filter(({ text }) => text !== "");
}

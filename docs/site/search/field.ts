/** The search field of a page: what is typed is looked up in the index, which is loaded when the field is first entered. @module */
import { excerpt, findEntries, type SearchEntry } from "./index.ts";

/** What search_index.js, a script so that it can be read from a folder too, leaves behind. */
declare const SEARCH_INDEX: readonly SearchEntry[];

/** Most results shown. */
const MOST = 12;

const form = document.querySelector<HTMLFormElement>("form.search")!;
const field = form.querySelector("input")!;
const status = form.querySelector<HTMLElement>("[role=status]")!;
const list = form.querySelector("ol")!;

let loading: Promise<readonly SearchEntry[]> | undefined;

function loadIndex(): Promise<readonly SearchEntry[]> {
  return loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "search_index.js";
    script.onload = () => resolve(SEARCH_INDEX);
    script.onerror = () => reject(new Error("The site's search_index.js cannot be read: search is not there"));
    document.head.append(script);
  });
}

function element(tag: string, ...content: (string | Node)[]): HTMLElement {
  const made = document.createElement(tag);
  made.append(...content);
  return made;
}

function resultItem({ link, page, heading, text }: SearchEntry, query: string): HTMLElement {
  const anchor = element("a", heading);
  anchor.setAttribute("href", link);
  const pieces = excerpt(text, query).map((piece) => piece.isFound ? element("mark", piece.text) : piece.text);
  return element("li", anchor, ...(page === heading ? [] : [element("small", page)]), element("p", ...pieces));
}

async function look(): Promise<void> {
  const query = field.value;
  try {
    const found = findEntries(await loadIndex(), query);
    if (query !== field.value) return; // typed on meanwhile
    list.replaceChildren(...found.slice(0, MOST).map((entry) => resultItem(entry, query)));
    list.scrollTop = 0;
    status.textContent = query.trim() === ""
      ? ""
      : found.length === 0
      ? "Nothing found: each word must stand in one part of a page"
      : found.length > MOST
      ? `${MOST} of ${found.length} found`
      : `${found.length} found`;
  } catch (error) {
    status.textContent = error instanceof Error ? error.message : String(error);
  }
}

const links = (): HTMLAnchorElement[] => [...list.querySelectorAll("a")];

/** Arrows move through the results, Escape empties the field. */
function onKey(event: KeyboardEvent): void {
  const all = links(), place = all.findIndex((link) => link === document.activeElement);
  const actions: Record<string, () => void> = {
    ArrowDown: () => all[Math.min(place + 1, all.length - 1)]?.focus(),
    ArrowUp: () => place > 0 ? all[place - 1]!.focus() : field.focus(),
    Escape: () => {
      field.value = "";
      field.focus();
      look();
    },
  };
  const action = actions[event.key];
  if (!action || event.isComposing) return;
  event.preventDefault();
  action();
}

form.hidden = false; // without a script there is nothing to ask
field.addEventListener("focus", () => loadIndex().catch(() => {}), { once: true }); // told when it is asked
field.addEventListener("input", look);
form.addEventListener("keydown", onKey);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await look();
  links()[0]?.click();
});
// A page that was gone back to keeps what stood in its fields.
if (field.value !== "") look();

// In a list longer than the window the page's own entry is brought into sight.
const [nav, current] = [form.closest("nav")!, document.querySelector<HTMLElement>('nav [aria-current="page"]')];
if (current && getComputedStyle(nav).position === "sticky") nav.scrollTop = current.offsetTop - nav.clientHeight / 2;

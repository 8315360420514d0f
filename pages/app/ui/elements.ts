/** The page's elements, and files out of inputs and drops. @module */
import { errorMessage } from "../../../lib/platform/error_message.ts";

/** The element of an id; it is part of the page. */
export function element<T extends HTMLElement = HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** A new element with text or children. */
export function make(tag: string, content: string | Node[] = "", attributes: Record<string, string> = {}): HTMLElement {
  const made = document.createElement(tag);
  made.append(...(typeof content === "string" ? [content] : content));
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** The lines of a text area that are not blank. */
export function linesOf(id: string): string[] {
  return element<HTMLTextAreaElement>(id).value.split("\n").map((line) => line.trim()).filter((line) => line !== "");
}

/** Says what went wrong, until the reader's next action. */
export function sayProblem(text: string): void {
  const problem = element("problem");
  problem.textContent = text;
  problem.hidden = false;
}

/** Runs an action of the reader and says what went wrong in it. */
export async function attempt(action: () => Promise<void>): Promise<void> {
  const pressed = document.activeElement;
  element("problem").hidden = true;
  try {
    await action();
  } catch (error) {
    sayProblem(errorMessage(error));
  }
  // A button that is disabled while its work is done loses the focus, which whoever uses the keyboard would have to bring back.
  if (document.activeElement === document.body && pressed instanceof HTMLElement) {
    pressed.focus({ preventScroll: true });
  }
}

/** When the progress of an element was last spoken, in milliseconds. */
const spoken = new WeakMap<HTMLElement, number>();

/** Shows how far work has come; a screen reader is told every ten seconds, not every time. */
export function sayProgress(status: HTMLElement, text: string): void {
  const now = performance.now(), isDue = now - (spoken.get(status) ?? -Infinity) > 10_000;
  if (isDue) spoken.set(status, now);
  status.setAttribute("aria-live", isDue ? "polite" : "off");
  status.textContent = text;
}

/** Says how things stand. */
export function say(status: HTMLElement, text: string): void {
  status.setAttribute("aria-live", "polite");
  status.textContent = text;
}

/** Files by path, as a folder's input gives them, and a drop. */
export type Files = Record<string, File>;

/** Runs `use` with the files of an input whenever some are chosen; the same may be chosen again. */
export function onFiles(id: string, use: (files: Files) => Promise<void>): void {
  const input = element<HTMLInputElement>(id);
  input.addEventListener("change", () => {
    const files = Object.fromEntries(
      [...input.files ?? []].map((file) => [file.webkitRelativePath || file.name, file]),
    );
    input.value = "";
    if (Object.keys(files).length > 0) attempt(() => use(files));
  });
}

/** Adds the files under an entry of a drop, by path. */
async function addFiles(entry: FileSystemEntry, prefix: string, into: Files): Promise<void> {
  const path = prefix + entry.name;
  if (entry.isFile) {
    into[path] = await new Promise((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) { // a reader gives some at a time
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const one of some) await addFiles(one, `${path}/`, into);
  }
}

/** Runs `use` with what is dropped on an element, folders among it. */
export function onDrop(target: HTMLElement, use: (files: Files) => Promise<void>): void {
  target.addEventListener("dragover", (event) => {
    event.preventDefault();
    target.classList.add("over");
  });
  target.addEventListener("dragleave", () => target.classList.remove("over"));
  target.addEventListener("drop", (event) => {
    event.preventDefault();
    target.classList.remove("over");
    const entries = [...event.dataTransfer?.items ?? []].flatMap((item) => item.webkitGetAsEntry() ?? []);
    attempt(async () => {
      const files: Files = {};
      for (const entry of entries) await addFiles(entry, "", files);
      await use(files);
    });
  });
}

/** Hands a file to the reader. */
export function download(name: string, blob: Blob): void {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

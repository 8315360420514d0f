/** The panel of the model: the shipped one, one's own, what is kept, and on what it computes. @module */
import type { ModelFacts } from "../engine/model.ts";
import type { Client } from "./client.ts";
import { attempt, element, make, onFiles } from "./elements.ts";

/** The panel of the model. */
export interface ModelPanel {
  /** Says what is at work. */
  show(facts: ModelFacts): void;
  /** Lists what is kept. */
  list(): Promise<void>;
}

/** What the panel needs of the page. */
export interface ModelPanelOptions {
  /** The worker at present. */
  model: () => Client;
  /** Loads something, while nothing else may be asked. */
  change: (load: () => Promise<ModelFacts>) => Promise<void>;
  /** Starts over on another backend. */
  restart: (backend: string) => Promise<void>;
}

/** Sets up the panel. */
export function setUpModel({ model, change, restart }: ModelPanelOptions): ModelPanel {
  const keep = element<HTMLButtonElement>("keep"), useBase = element<HTMLButtonElement>("use-base");
  let isGiven = false;
  const listKept = (names: readonly string[]): void =>
    element("kept").replaceChildren(...names.map((name) => {
      const use = make("button", "Use", { type: "button", "aria-label": `Use ${name}` });
      const remove = make("button", "Remove", { type: "button", "aria-label": `Remove ${name}` });
      use.addEventListener("click", () => {
        isGiven = false;
        attempt(() => change(() => model().loadFiles({ kept: name })));
      });
      remove.addEventListener("click", () => attempt(async () => listKept(await model().removeKept(name))));
      return make("li", [make("span", `${name} `), use, remove], { class: "row" });
    }));

  onFiles("model-folder", (files) => {
    isGiven = true;
    return change(() => model().loadFiles(files));
  });
  onFiles("adapter-file", (files) => change(() => model().loadAdapterFiles(files)));
  onFiles("adapter-folder", (files) => change(() => model().loadAdapterFiles(files)));
  element("use-shipped").addEventListener("click", () => {
    isGiven = false;
    attempt(() => change(() => model().loadFiles(null)));
  });
  useBase.addEventListener("click", () => attempt(() => change(() => model().useBase())));
  keep.addEventListener("click", () =>
    attempt(async () => {
      keep.disabled = true;
      await navigator.storage.persist?.();
      try {
        listKept(await model().keepModel());
      } finally {
        keep.disabled = !isGiven;
      }
    }));
  const backend = element<HTMLSelectElement>("backend");
  backend.addEventListener("change", () => attempt(() => restart(backend.value)));

  return {
    show({ backend, reasons, isolated, name, isShipped, adapter, notes }) {
      keep.disabled = !isGiven || isShipped;
      useBase.disabled = adapter === null;
      const rows: [string, string][] = [
        ["Weights", isShipped ? "the shipped model, which knows drawings only" : name],
        ["Adapter", adapter ?? "none"],
        ["Computes on", backend],
        ["Threads", isolated ? "as many as there are processors" : "one: the page is not isolated"],
        ...(reasons.length > 0 ? [["Passed over", reasons.join("; ")] as [string, string]] : []),
        ...(notes.length > 0 ? [["Notes", notes.join("\n")] as [string, string]] : []),
      ];
      element("facts").replaceChildren(
        ...rows.map(([term, text]) => make("div", [make("dt", term), make("dd", text)])),
      );
    },
    async list() {
      listKept(await model().keptModels());
    },
  };
}

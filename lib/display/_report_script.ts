/** Script of a report: draws the figures whose data stand in the page. @module */
import { PLOTLY_CONFIG } from "./plotly.ts";

/**
 * Plain browser JavaScript. Sets `data-plots` on the root to the number of figures drawn once all that are not folded have been
 * tried; the ink of the plots follows the page's, also when the reader switches between light and dark.
 */
export const REPORT_SCRIPT = `
"use strict";
(() => {
  let figures = JSON.parse(document.getElementById("figures").textContent);
  const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--soft").trim();
  const always = ${JSON.stringify(PLOTLY_CONFIG)};
  const config = { ...always, responsive: true, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false, modeBarButtonsToRemove: [...always.modeBarButtonsToRemove, "select2d", "lasso2d", "autoScale2d"] };
  // Paper is narrower than the window: with a view box the drawing shrinks with its box, instead of being cut off.
  const scale = (box) => box.querySelectorAll(".main-svg").forEach((drawing) => {
    const [width, height] = [drawing.getAttribute("width"), drawing.getAttribute("height")];
    drawing.setAttribute("viewBox", "0 0 " + width + " " + height);
    box.style.setProperty("--shape", width + " / " + height);
  });
  const draw = async (box) => {
    const { data, layout } = figures[Number(box.dataset.figure)];
    // On a telephone's width each entry of the legend takes a line, which the figure would lack.
    const entries = data.filter(({ showlegend }) => showlegend !== false).length;
    const height = box.dataset.height ??= parseFloat(box.style.height);
    box.style.height = Number(height) + (box.clientWidth < 500 ? 24 * Math.max(0, entries - 4) : 0) + "px";
    try {
      const isNew = !box.querySelector(".main-svg");
      // What the reader has zoomed or hidden stays so when the figure is drawn with more in it.
      await Plotly.react(box, data, { ...layout, autosize: true, uirevision: "kept", font: { ...layout.font, color: ink() } }, config);
      scale(box);
      if (isNew) box.on("plotly_afterplot", () => scale(box));
      // The box's own label says what is drawn; a reader would otherwise be told every tick.
      for (const drawing of box.querySelectorAll(".main-svg")) drawing.setAttribute("aria-hidden", "true");
      return 1;
    } catch (error) {
      box.classList.add("failed");
      box.textContent = "This figure could not be drawn: " + box.getAttribute("aria-label");
      console.error(error);
      return 0;
    }
  };
  // A box in a folded group has no size to be drawn at: it is drawn when the group is opened.
  let draws = new Map();
  const drawShown = async () => {
    for (const box of document.querySelectorAll(".plot")) {
      if (!draws.has(box) && !box.closest("details:not([open])")) draws.set(box, draw(box));
    }
    const drawn = await Promise.all(draws.values());
    document.documentElement.dataset.plots = String(drawn.reduce((a, b) => a + b, 0));
  };
  drawShown();
  document.addEventListener("toggle", drawShown, true);
  addEventListener("beforeprint", drawShown);
  const drawAnew = async (prepare) => {
    const before = draws;
    draws = new Map();
    await Promise.all(before.values());
    for (const box of before.keys()) prepare(box);
    await drawShown();
  };
  // Drawn anew rather than restyled: a change of font alone leaves legends where the old ones stood.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawAnew((box) => Plotly.purge(box)));
  globalThis.redrawFigures = (next) => {
    figures = next;
    return drawAnew((box) => { if (!box.isConnected) Plotly.purge(box); });
  };
})();
`.trim();

/**
 * Plain browser JavaScript, after {@linkcode REPORT_SCRIPT}: takes over what is new in a page that is written while it is shown, so
 * that nothing moves and the reader's focus, place and zoom stay. A file that is gone means that the page is written for good.
 */
export const LIVE_SCRIPT = `
"use strict";
(() => {
  const { updateFile: file, seconds } = document.body.dataset;
  const wait = 1000 * Number(seconds);
  const parsed = (html) => {
    const template = document.createElement("template");
    template.innerHTML = html;
    return template.content.firstElementChild;
  };
  const take = (main, html, i) => {
    const [old, next] = [main.children[i], parsed(html)];
    if (!old) return main.append(next);
    const [box, nextBox] = [old, next].map((section) => section.querySelector(".plot"));
    const [title, nextTitle] = [old, next].map((section) => section.querySelector("h2")?.textContent);
    if (!box || !nextBox || title !== nextTitle) return old.isEqualNode(next) ? undefined : old.replaceWith(next);
    box.setAttribute("aria-label", nextBox.getAttribute("aria-label"));
    box.dataset.figure = nextBox.dataset.figure;
  };
  globalThis.updateReport = ({ head, sections, figures }) => {
    const [header, main] = [document.querySelector("header"), document.querySelector("main")];
    const next = document.createElement("header");
    next.innerHTML = head;
    if (!header.isEqualNode(next)) header.replaceChildren(...next.childNodes);
    sections.forEach((html, i) => take(main, html, i));
    for (const old of [...main.children].slice(sections.length)) old.remove();
    redrawFigures(figures);
  };
  let turn = 0;
  const look = () => {
    const script = document.createElement("script");
    script.src = file + "?" + ++turn;
    script.onload = () => { script.remove(); setTimeout(look, wait); };
    script.onerror = () => location.reload();
    document.head.append(script);
  };
  setTimeout(look, wait);
})();
`.trim();

/** Plain browser JavaScript. Folds groups where the window is narrow; on paper all are open. It runs before {@linkcode REPORT_SCRIPT}. */
export const FOLD_SCRIPT = `
"use strict";
(() => {
  const groups = [...document.querySelectorAll(".group-section > details")];
  if (matchMedia("(max-width: 800px)").matches) for (const group of groups) group.open = false;
  const folded = [];
  addEventListener("beforeprint", () => {
    folded.push(...groups.filter((group) => !group.open));
    for (const group of folded) group.open = true;
  });
  addEventListener("afterprint", () => { for (const group of folded.splice(0)) group.open = false; });
})();
`.trim();

/**
 * Plain browser JavaScript. Orders tables by a click on a heading and galleries by what is chosen, and shows a picture of a
 * gallery large.
 */
export const ORDER_SCRIPT = `
"use strict";
(() => {
  const compare = (a, b) => a === "" ? 1 : b === "" ? -1 : typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  const value = (text) => text !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.querySelectorAll("thead th")];
    heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") !== "descending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const body = table.tBodies[0];
      const key = (row) => value(row.children[column].dataset.key);
      body.append(...[...body.rows].sort((a, b) => {
        const empty = (key(a) === "") - (key(b) === "");
        return empty || (falling ? -1 : 1) * compare(key(a), key(b));
      }));
    }));
  }
  for (const section of document.querySelectorAll(".gallery-section")) {
    const gallery = section.querySelector(".gallery");
    const select = section.querySelector("select");
    const shown = [...gallery.children];
    select?.addEventListener("change", () => {
      const column = select.selectedIndex;
      const key = (figure) => JSON.parse(figure.dataset.keys)[column];
      gallery.append(...(column === 0 ? shown : [...shown].sort((a, b) => compare(key(a), key(b)))));
    });
    const dialog = section.querySelector("dialog");
    gallery.addEventListener("click", (event) => {
      const picture = event.target.closest("button")?.querySelector("img");
      if (!picture) return;
      dialog.querySelector("img").src = picture.src;
      dialog.querySelector("img").alt = picture.alt;
      dialog.querySelector("p").textContent = picture.alt;
      dialog.showModal();
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  }
})();
`.trim();

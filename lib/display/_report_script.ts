/** Script of a report: draws the figures whose data stand in the page. @module */
import { PLOTLY_CONFIG } from "./plotly.ts";

/**
 * Plain browser JavaScript. Sets `data-plots` on the root to the number of figures drawn once all have been tried; the ink
 * of the plots follows the page's, also when the reader switches between light and dark.
 */
export const REPORT_SCRIPT = `
"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const boxes = [...document.querySelectorAll(".plot")];
  const ink = () => getComputedStyle(document.documentElement).getPropertyValue("--soft").trim();
  const always = ${JSON.stringify(PLOTLY_CONFIG)};
  const config = { ...always, responsive: true, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false, modeBarButtonsToRemove: [...always.modeBarButtonsToRemove, "select2d", "lasso2d", "autoScale2d"] };
  const draw = async (box) => {
    const { data, layout } = figures[Number(box.dataset.figure)];
    // On a telephone's width each entry of the legend takes a line, which the figure would lack.
    const entries = data.filter(({ showlegend }) => showlegend !== false).length;
    const height = box.dataset.height ??= parseFloat(box.style.height);
    box.style.height = Number(height) + (box.clientWidth < 500 ? 24 * Math.max(0, entries - 4) : 0) + "px";
    try {
      await Plotly.newPlot(box, data, { ...layout, autosize: true, font: { ...layout.font, color: ink() } }, config);
      // Paper is narrower than the window: with a view box the drawing shrinks with its box, instead of being cut off.
      const scalable = () => box.querySelectorAll(".main-svg").forEach((drawing) => drawing.setAttribute("viewBox", "0 0 " + drawing.getAttribute("width") + " " + drawing.getAttribute("height")));
      scalable();
      box.on("plotly_afterplot", scalable);
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
  const drawAll = () => Promise.all(boxes.map(draw)).then((drawn) => {
    document.documentElement.dataset.plots = String(drawn.reduce((a, b) => a + b, 0));
  });
  let last = drawAll();
  // Drawn anew rather than restyled: a change of font alone leaves legends where the old ones stood.
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    last = last.then(() => { boxes.forEach((box) => Plotly.purge(box)); return drawAll(); });
  });
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

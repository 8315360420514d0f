/** Script of a report: draws the figures whose data stand in the page. @module */

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
  const config = { responsive: true, displaylogo: false, displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
  const draw = async (box) => {
    const { data, layout } = figures[Number(box.dataset.figure)];
    try {
      await Plotly.newPlot(box, data, { ...layout, autosize: true, font: { ...layout.font, color: ink() } }, config);
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

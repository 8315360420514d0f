/** Style sheet of a report. @module */

/** CSS: system fonts, light and dark by the reader's preference, one column below 800 px. */
export const REPORT_STYLE = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6573; --line: #dde2e8; --ground: #ffffff; --panel: #f6f8fa; --accent: #2469a6; --badge: #8a5a00; --badge-ground: #fff3d6; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a3adba; --line: #333b46; --ground: #14181e; --panel: #1c222a; --accent: #74b3e8; --badge: #ffd98a; --badge-ground: #3b2f14; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header, main, footer { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 40px; padding-bottom: 8px; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 6px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 10px; overflow-wrap: anywhere; }
.subtitle, figcaption, p.caption, footer { color: var(--soft); }
.subtitle { margin: 0; }
main { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 36px 32px; padding-top: 24px; padding-bottom: 24px; }
section { grid-column: 1 / -1; min-width: 0; }
section.half { grid-column: auto; }
h3 { font-size: 1rem; margin: 0 0 8px; overflow-wrap: anywhere; }
summary { cursor: pointer; border-bottom: 1px solid var(--line); padding: 6px 0; }
summary h2 { display: inline; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.parts { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 20px 32px; padding-top: 14px; }
p { margin: 0 0 10px; max-width: 46em; overflow-wrap: anywhere; }
figure { margin: 0; }
figcaption, p.caption { font-size: 0.9rem; line-height: 1.5; margin: 0 0 8px; overflow-wrap: anywhere; }
.badge { display: inline-block; font-size: 0.75rem; font-weight: 600; line-height: 1; padding: 4px 8px; margin-right: 6px; border-radius: 999px; color: var(--badge); background: var(--badge-ground); white-space: nowrap; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; background: linear-gradient(to right, var(--ground) 40%, transparent) 0 0 / 28px 100% no-repeat local, linear-gradient(to left, var(--ground) 40%, transparent) 100% 0 / 28px 100% no-repeat local, linear-gradient(to right, rgba(128, 128, 128, 0.4), transparent) 0 0 / 12px 100% no-repeat, linear-gradient(to left, rgba(128, 128, 128, 0.4), transparent) 100% 0 / 12px 100% no-repeat; }
table { border-collapse: collapse; width: 100%; font-size: 0.92rem; font-variant-numeric: tabular-nums; }
th, td { padding: 8px 14px; text-align: left; white-space: nowrap; border-bottom: 1px solid var(--line); }
thead th { background: var(--panel); color: var(--soft); font-weight: 600; }
.long { white-space: normal; min-width: 10em; overflow-wrap: anywhere; }
tbody tr:last-child > * { border-bottom: 0; }
tr.group > th { font-size: 0.82rem; color: var(--soft); padding-top: 14px; padding-bottom: 4px; border-bottom: 0; }
tr.group > th > span { position: sticky; left: 14px; font-weight: 600; }
tbody th { font-weight: 500; }
.right { text-align: right; }
.interval { white-space: nowrap; }
th button { all: unset; cursor: pointer; }
th button:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
th[aria-sort="descending"] button::after { content: " \\2193"; }
th[aria-sort="ascending"] button::after { content: " \\2191"; }
.warning { max-width: none; margin: 12px 0 0; padding: 10px 14px; border-radius: 8px; color: var(--badge); background: var(--badge-ground); font-weight: 600; }
.plot { width: 100%; min-width: 0; }
.plot:focus-within .modebar--hover > :not(.watermark) { opacity: 1; }
.plot .modebar-btn:focus-visible { outline: 2px solid var(--accent); outline-offset: -1px; }
.plot.failed { display: flex; align-items: center; justify-content: center; border: 1px solid var(--line); border-radius: 8px; color: var(--soft); padding: 16px; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); gap: 14px 24px; margin: 0; padding: 16px 18px; background: var(--panel); border-radius: 8px; }
.facts > div { min-width: 0; }
.facts dt { font-size: 0.8rem; color: var(--soft); overflow-wrap: anywhere; }
.facts .wide { grid-column: span 2; }
.facts dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.overlays { display: grid; grid-template-columns: repeat(auto-fill, minmax(220px, 1fr)); gap: 18px; }
.overlays figure { min-width: 0; }
.overlays figcaption { margin: 6px 0 0; }
svg.overlay { display: block; width: 100%; height: auto; border-radius: 6px; background: #000; }
.switches { display: flex; flex-wrap: wrap; gap: 6px 18px; margin: 0 0 12px; font-size: 0.9rem; }
.switches label { display: inline-flex; align-items: center; gap: 6px; min-height: 28px; cursor: pointer; }
section:has(input[name="attention"]:not(:checked)) .attention { display: none; }
section:has(input[name="hyperedges"]:not(:checked)) .hyperedges { display: none; }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 18px; }
.gallery figure { min-width: 0; }
.gallery figcaption { margin: 6px 0 0; }
button.zoom { all: unset; display: block; width: 100%; cursor: zoom-in; }
button.zoom:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
button.zoom img { display: block; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 6px; background: #000; }
select { font: inherit; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: 4px 8px; max-width: 60vw; }
dialog { border: 1px solid var(--line); border-radius: 8px; padding: 14px; color: var(--ink); background: var(--ground); max-width: 96vw; max-height: 96vh; }
dialog::backdrop { background: rgba(0,0,0,0.6); }
dialog img { display: block; width: min(88vw, 76vh); height: min(88vw, 76vh); object-fit: contain; background: #000; margin: 8px 0; image-rendering: auto; }
dialog form { text-align: right; }
dialog button { font: inherit; padding: 4px 12px; }
footer { font-size: 0.85rem; padding-top: 12px; padding-bottom: 40px; }
@media (min-width: 801px) { tbody td:not(.right), tbody th { white-space: normal; } table:has(th:nth-child(8)) { font-size: 0.76rem; } table:has(th:nth-child(8)) :is(th, td) { white-space: normal; padding-left: 5px; padding-right: 5px; } }
@media (max-width: 800px) { main, .parts { grid-template-columns: minmax(0, 1fr); gap: 28px; } .group-section + .group-section { margin-top: -24px; } header, main, footer { padding-left: 16px; padding-right: 16px; } header { padding-top: 24px; } h1 { font-size: 1.5rem; } th, td { padding: 7px 10px; } tbody th { white-space: normal; min-width: 8.5em; } tr.group > th > span { left: 10px; } .facts { grid-template-columns: repeat(2, minmax(0, 1fr)); } .overlays { grid-template-columns: repeat(auto-fill, minmax(150px, 1fr)); gap: 14px; } }
@media print { :root { color-scheme: light; --ink: #1d2430; --soft: #5b6573; --line: #dde2e8; --ground: #ffffff; --panel: #f6f8fa; --badge: #8a5a00; --badge-ground: #fff3d6; } .switches { display: none; } section { break-inside: avoid; } h2, figcaption:has(+ :is(.plot, .scroll)), p.caption { break-after: avoid; } p { break-inside: avoid; } section.half { display: inline-block; width: 48%; margin-right: 1.5%; vertical-align: top; } .interval { white-space: normal; } .plot :is(.xtick, .ytick, .g-xtitle, .g-ytitle, .legend, .textpoint, .annotation) text { fill: var(--soft) !important; } section:is(.gallery-section, .overlays-section) { break-inside: auto; } :is(.gallery, .overlays) figure { break-inside: avoid; } .plot { height: auto !important; aspect-ratio: var(--shape); } .plot :is(.plot-container, .svg-container, .main-svg) { width: 100% !important; height: 100% !important; } section.group-section, .parts .table-section { break-inside: auto; } tr, summary { break-inside: avoid; } tr.group { break-after: avoid; } main, .parts { display: block; } main > section { margin-bottom: 24px; } .parts section + section { margin-top: 12px; } summary { break-after: avoid; } .scroll { overflow: visible; border: 0; } table { font-size: 0.7rem; } :is(th, td, .long, tbody th) { padding: 4px 5px; min-width: 0; white-space: normal; } table:has(th:nth-child(8)) { font-size: 0.6rem; } table:has(th:nth-child(8)) :is(th, td) { padding: 3px 2px; } }
`.trim();

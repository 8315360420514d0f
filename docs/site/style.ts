/** How the site's pages look. @module */

/** CSS of a page: a list of pages beside the text, light or dark as the reader has it. */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: light-dark(#1f2937, #e5e7eb); --soft: light-dark(#5b6573, #9ca3af);
  --line: light-dark(#e5e7eb, #374151); --ground: light-dark(#fff, #111827); --code: light-dark(#f3f4f6, #1f2937);
  --link: light-dark(#1d5c93, #7cc0f4); }
body { margin: 0; display: grid; grid-template-columns: 17rem minmax(0, 1fr); color: var(--ink);
  background: var(--ground); font: 16px/1.55 system-ui, sans-serif; }
nav { grid-area: 1 / 1; padding: 1.2rem; border-right: 1px solid var(--line); font-size: 14px;
  position: sticky; top: 0; align-self: start; box-sizing: border-box; height: 100vh; overflow-y: auto; }
.search label { display: block; font-weight: 600; } .search p, .search li p { margin: .2rem 0 0; color: var(--soft); }
.search input { font: inherit; color: inherit; background: var(--code); border: 1px solid var(--soft); border-radius: 4px;
  box-sizing: border-box; width: 100%; padding: .4rem .5rem; margin-top: .2rem; }
.search ol { list-style: none; margin: .4rem 0 0; padding: 0; } .search li { padding: .35rem 0; border-top: 1px solid var(--line); }
.search a { font-weight: 600; } .search small { display: block; color: var(--soft); } .search li { overflow-wrap: anywhere; }
mark { color: var(--ink); background: light-dark(#fde68a, #6b4f00); border-radius: 2px; }
nav a { display: inline-block; padding: .2rem 0; line-height: 1.3; } .to-pages { display: none; }
nav [aria-current] { color: var(--ink); font-weight: 600; text-decoration: none; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
nav h2 { font-size: 12px; color: var(--soft); margin: 1rem 0 .2rem; } nav ul { list-style: none; margin: 0; padding: 0; }
main { grid-area: 1 / 2; min-width: 0; padding: 1.2rem 2rem 4rem; max-width: 62rem; } main li { padding: .1rem 0; }
a { color: var(--link); } img { max-width: 100%; }
code, pre { background: var(--code); border-radius: 4px; font-size: .9em; } code { padding: .1em .3em; }
:not(pre) > code { display: inline-block; max-width: 100%; overflow-wrap: anywhere; } /* an option is not cut at its hyphens */
pre { padding: .8rem; overflow-x: auto; }
/* Where more stands beyond an edge, the edge has a shade: a telephone shows no bar. */
pre, table, math[display=block] { background: linear-gradient(to right, var(--under, var(--ground)) 40%, transparent) 0 0 / 28px 100% no-repeat local,
  linear-gradient(to left, var(--under, var(--ground)) 40%, transparent) 100% 0 / 28px 100% no-repeat local,
  linear-gradient(to right, rgb(128 128 128 / .4), transparent) 0 0 / 12px 100% no-repeat,
  linear-gradient(to left, rgb(128 128 128 / .4), transparent) 100% 0 / 12px 100% no-repeat var(--under, var(--ground)); }
pre { --under: var(--code); } .output pre { --under: var(--ground); } pre code { padding: 0; font-size: .95em; }
math[display=block] { overflow-x: auto; }
.comment { color: var(--soft); } .string { color: light-dark(#047857, #6ee7b7); } .word { color: light-dark(#7c3aed, #c4b5fd); }
.output { border-left: 3px solid var(--line); padding-left: .8rem; }
.badge { background: #fff3d6; color: #8a5a00; font-weight: 600; border-radius: 9px; padding: 0 .5em; margin-right: .5em; }
.output img { background: #fff; } .output figure { margin: .5rem 0; } figcaption { color: var(--soft); font-size: .9em; } 
.right { text-align: right; } :is(th, td):is(.right, [style*=right]) { white-space: nowrap; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: left; vertical-align: top; }
@media (max-width: 48rem) { body { display: block; } nav { position: static; height: auto; border-right: 0; border-top: 1px solid var(--line); } main { padding: 1rem; } .to-pages { display: block; padding: .4rem 0; } }
@media print { :root { color-scheme: light; } body { display: block; } nav, .to-pages { display: none; } main { max-width: none; padding: 0; }
  h1, h2, h3 { break-after: avoid; } pre, figure:not(.table), tr { break-inside: avoid; } tr:has([scope=rowgroup]) { break-after: avoid; } pre { white-space: pre-wrap; overflow-wrap: anywhere; }
  pre, table, math[display=block] { background: none; } table { font-size: .75em; } :is(th, td) { padding: .2rem .4rem; } }
`;

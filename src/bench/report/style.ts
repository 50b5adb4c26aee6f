// The look of the report page: one style sheet, light and dark, readable in print.

export const styleSheet = `
:root { color-scheme: light dark; --ink: #1c2024; --soft: #5b646d; --line: #dfe3e8; --paper: #ffffff; --tint: #f5f7f9; --accent: #0072b2; --good: #0a7d4f; --bad: #b3261e; --open: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #9aa4ae; --line: #333a41; --paper: #14181b; --tint: #1c2226; --accent: #56b4e9; --good: #4cc38a; --bad: #ff8a80; --open: #e0b44c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 2rem 1.5rem 4rem; font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans", sans-serif; color: var(--ink); background: var(--paper); }
h1 { font-size: 1.7rem; margin: 0 0 .3rem; } h2 { font-size: 1.3rem; margin: 2.6rem 0 .3rem; padding-top: 1rem; border-top: 2px solid var(--line); } h3 { font-size: 1.02rem; margin: 1.6rem 0 .5rem; }
p { margin: .3rem 0 .7rem; } .soft { color: var(--soft); } a { color: var(--accent); }
nav { margin: .8rem 0; } nav a { margin-right: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: .3rem .5rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--soft); vertical-align: bottom; white-space: normal; min-width: 4.2em; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); white-space: nowrap; }
tr.baseline td { background: var(--tint); font-weight: 600; } tr.mock td { color: var(--soft); font-style: italic; }
.interval { color: var(--soft); font-size: 12px; }
.verdict { font-weight: 600; } .verdict.short { display: inline-block; min-width: 5.6em; } .verdict.yes { color: var(--good); } .verdict.no { color: var(--bad); } .verdict.undecided { color: var(--open); }
.small { font-size: 12px; color: var(--soft); display: block; font-weight: 400; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: .8rem 1.2rem; }
.chart { width: 100%; height: auto; } .chart text { fill: var(--ink); font: 11px system-ui, "Liberation Sans", sans-serif; } .chart .chart-title { font-size: 12.5px; font-weight: 600; } .chart .tick { fill: var(--soft); font-size: 10.5px; } .chart .axis { fill: var(--soft); }
.grid { stroke: var(--line); stroke-width: 1; } .reference { stroke: var(--soft); stroke-width: 1; stroke-dasharray: 2 3; }
.legend { font-size: 13px; margin: .2rem 0; } .legend-entry { display: inline-flex; align-items: center; gap: .35rem; margin-right: 1.1rem; }
table.fit { width: auto; }
@media (prefers-color-scheme: dark) { .chart g, .legend svg { filter: brightness(1.3); } }
.examples { display: grid; grid-template-columns: repeat(auto-fill, minmax(330px, 1fr)); gap: 1rem; }
.example { border: 1px solid var(--line); border-radius: 8px; padding: .8rem .9rem; font-size: 13.5px; overflow-wrap: anywhere; } .example img { width: 100%; border-radius: 4px; display: block; margin-bottom: .5rem; background: var(--tint); }
.example .question { font-weight: 600; } .example ol { margin: .3rem 0 .5rem; padding-left: 1.6rem; list-style: upper-alpha; } .example dl { margin: .4rem 0 0; display: grid; grid-template-columns: auto 1fr; gap: .15rem .7rem; } .example dt { color: var(--soft); } .example dd { margin: 0; }
.right { color: var(--good); } .wrong { color: var(--bad); }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--accent); }
@media print { body { max-width: none; padding: 0; } h2 { break-before: page; } .charts, .examples, table { break-inside: avoid; } }
`.trim();

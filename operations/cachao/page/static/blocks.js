// What the command line prints, as the server gives it: sentences and tables.

import { make } from "./dom.js";

const spans = (pieces) => pieces.map(([text, style]) => (style ? make("span", { class: style }, text) : text));

export function blocks(given) {
  return given.map((block) => {
    if (block.name !== undefined) return make("p", { class: "name" }, block.name);
    if (block.text !== undefined) return make("p", { class: "said" }, spans(block.text));
    return table(block);
  });
}

// Moments are never broken.
const kindOf = (column) => (column.endsWith("(UTC)") ? { class: "time" } : {});

function table({ title, columns, rows }) {
  const isFacts = columns.every((column) => column === "");
  const made = make(
    "table", { class: isFacts ? "facts" : "listed" },
    title && make("caption", {}, title),
    !isFacts && make("thead", {}, make("tr", {}, columns.map((column) => make("th", { scope: "col" }, column)))),
    make("tbody", {}, rows.map((row) => make("tr", {}, row.map((cell, index) =>
      isFacts && index === 0 ? make("th", { scope: "row" }, spans(cell)) : make("td", kindOf(columns[index]), spans(cell)))))),
  );
  return make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": title || "Table" }, made);
}

// The picture of an execution, in a shadow root: its styles are its own, its colours the page's.

import { make } from "./dom.js";

const style = (async () => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(await (await fetch("picture.css")).text());
  return sheet;
})();

export class Picture {
  #text = null;

  constructor({ onState }) {
    this.host = make("div", { class: "drawing" });
    this.root = this.host.attachShadow({ mode: "open" });
    style.then((sheet) => (this.root.adoptedStyleSheets = [sheet]));
    this.element = make("div", { class: "picture", tabindex: "0", role: "group", "aria-label": "Picture of the way taken" }, this.host);
    this.root.addEventListener("click", (event) => {
      const name = event.target.closest?.("[data-state]")?.dataset.state;
      if (name) onState(name);
    });
  }

  show(text) {
    if (text === this.#text) return;
    this.#text = text;
    // Parsed as XML, and nothing in it is run: the policy of the page allows no script but its own files.
    const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    // As wide as there is room for: its size is in its view box.
    parsed.removeAttribute("width");
    parsed.removeAttribute("height");
    this.root.replaceChildren(document.importNode(parsed, true));
  }
}

// Makes elements. Data becomes text and attributes only, never markup: much of it strangers wrote.

/** Makes an element: `make("a", {href, class}, "text", child)`. A handler's name begins with `on`. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Sets an element's text where it is another one: what has not changed is not drawn again. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Puts children into an element so that those that stay are not touched: they keep focus, selection and scrolling. */
export function place(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  children.forEach((child, index) => {
    if (parent.childNodes[index] !== child) parent.insertBefore(child, parent.childNodes[index] ?? null);
  });
}

/** Remembers elements by a key, and makes one anew only when its data changed; an open <details> stays open. */
export class Keyed {
  #known = new Map();

  constructor(build) {
    this.build = build;
  }

  get(key, data) {
    const text = JSON.stringify(data);
    const known = this.#known.get(key);
    if (known?.text === text) return known.element;
    const element = this.build(data);
    const open = known && [...known.element.querySelectorAll("details")].map((details) => details.open);
    if (open) element.querySelectorAll("details").forEach((details, index) => (details.open = open[index] ?? details.open));
    this.#known.set(key, { text, element });
    return element;
  }
}

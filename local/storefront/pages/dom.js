// Elements without innerHTML: what the API says is text, never markup.

/** Make an element. Attributes that are null or false are left out; functions become listeners (`onclick`). */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...present(children));
  return made;
}

function present(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false);
}

/** Put these into the page's main part, in the place of what is there. */
export function show(...children) {
  document.querySelector("#main").replaceChildren(...present(children));
}

/** Name the page in the browser's tab. */
export function title(text) {
  document.title = `${text} · Cachao`;
}

/** Call `then` when the page is seen again after it was left: `true` where it comes out of the browser's memory. */
export function onReturn(then) {
  window.addEventListener("pageshow", (event) => event.persisted && then(true));
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && then(false));
}

// A record's sleeve in the event's own colour, drawn by the style sheet.
import { element } from "./dom.js";

const HUES = [14, 262, 168, 332, 210, 44];

/** A picture of an event; decoration only. */
export function poster(event) {
  const made = element("div", { class: "poster", "aria-hidden": "true" }, element("span", { class: "disc" }));
  made.style.setProperty("--hue", String(HUES[(Number(event.id) - 1) % HUES.length]));
  return made;
}

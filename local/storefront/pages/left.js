// What is left of a ticket, in words.

/** Give `text` and `kind` (good, few, none) of a ticket as the API lists it. */
export function whatIsLeft({ available, max_per_order: most, is_active: active }) {
  if (most > 0 && available === null) return { text: "Available", kind: "good" };
  if (most > 0) return { text: available <= 10 ? `Only ${available} left` : `${available} left`, kind: available <= 10 ? "few" : "good" };
  if (active && available === 0) return { text: "Sold out", kind: "none" };
  return { text: "Not on sale", kind: "none" };
}

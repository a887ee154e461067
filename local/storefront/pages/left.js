// What is left of a ticket, in words.

/** Give `text` and `kind` (good, few, none) of a ticket as the API lists it. */
const FEW = 10;

export function whatIsLeft({ available, max_per_order: most, is_active: active, max_quantity: all, sold_quantity: sold }) {
  if (most > 0 && available === null) return { text: "Available", kind: "good" };
  if (most > 0 && available <= FEW) return { text: `Only ${available} left`, kind: "few" };
  if (most > 0) return { text: `${available} left`, kind: "good" };
  if (!active || available !== 0) return { text: "Not on sale", kind: "none" };
  // Neither sold nor free: somebody pays, or does not.
  return sold < all ? { text: "The last ones are being paid for", kind: "few" } : { text: "Sold out", kind: "none" };
}

/** The same of an event: of all its tickets together. */
export function whatIsLeftOfAll(tickets) {
  const open = tickets.filter((ticket) => ticket.max_per_order > 0);
  if (!open.length) return tickets.map(whatIsLeft).find((left) => left.kind === "few" || left.text === "Sold out") ?? { text: "Not on sale", kind: "none" };
  if (open.some((ticket) => ticket.available === null)) return { text: "Available", kind: "good" };
  return whatIsLeft({ ...open[0], available: open.reduce((sum, ticket) => sum + ticket.available, 0) });
}

// Money and times, as docs/frontend.md says.

/** An amount in the currency's main unit, as a buyer reads it. */
export function money(amount, currency = "eur") {
  return new Intl.NumberFormat("en-IE", { style: "currency", currency }).format(amount);
}

/** A unit price times a quantity, without the errors of floating point. */
export function times(price, quantity) {
  return Math.round(price * 1000) * quantity / 1000;
}

/** The venue's clock ("2026-12-28T20:00:00", or a day): taken as if it were UTC, so that no browser moves it. */
export function venueTime(text) {
  if (!text) return "Date to be announced";
  const hasTime = text.includes("T");
  const options = { weekday: "short", day: "numeric", month: "long", year: "numeric", timeZone: "UTC" };
  const clock = hasTime ? { hour: "2-digit", minute: "2-digit" } : {};
  return new Intl.DateTimeFormat("en-GB", { ...options, ...clock }).format(new Date(hasTime ? `${text}Z` : text));
}

/** A moment in UTC, on the reader's own clock. */
export function moment(text) {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
}

/** "1 ticket", "2 tickets". */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

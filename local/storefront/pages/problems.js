// Every error code of the API in words, with what the buyer can do.
import { element } from "./dom.js";

// The API's own sentence goes first, where it has one; what is here is what to do.
const ADVICE = {
  invalid_request: "Please look at the form once more.",
  invalid_token: "Your sign-in has run out. Sign in again, and order then.",
  not_found: "This is not on sale here. It may have been taken off.",
  sold_out: "Now and then somebody gives a ticket back: look in again.",
  held: "Somebody is paying for the last ones just now. If they do not, the tickets are free again soon.",
  not_enough_left: "Take what is left, or another ticket.",
  too_many_held: "Many orders from here wait to be paid. Pay or cancel one, or try again in a while.",
  not_on_sale: "This ticket is not on sale any more.",
  code_unknown: "Look at the spelling, or order without a code. Nothing was ordered.",
  code_inactive: "Order without a code, or with another one. Nothing was ordered.",
  code_not_yet_valid: "Order later, or without it. Nothing was ordered.",
  code_expired: "Order without a code, or with another one. Nothing was ordered.",
  code_used_up: "Somebody else was faster. Order without a code, or with another one. Nothing was ordered.",
  idempotency_conflict: "The form has changed since it was sent. Send it again.",
  amount_too_small: "Such a small sum cannot be paid by card. Choose more tickets, or another code.",
  amount_too_large: "Such a large sum cannot be paid at once. Choose fewer tickets.",
  payment_provider_error: "The payment page could not be opened. Nothing was charged: try again.",
  try_again: "The shop is busy for a moment. Nothing was charged: try again.",
  too_many_requests: "Very many people are here just now. Nothing was charged: try again in a moment.",
  internal_error: "Something broke on our side. Nothing was charged. Please write to us if it stays so.",
  offline: "Are you connected? Nothing was charged: try again.",
};
const SENTENCES = {
  too_many_requests: "One moment, please.",
  try_again: "One moment, please.",
  internal_error: "That did not work.",
  not_found: "There is nothing here.",
};
const SHORT_WAIT_SECONDS = 2;
const WAITING = new Set(["held", "too_many_held", "try_again", "too_many_requests"]);

/** What happened, and what to do, as two sentences. */
export function inWords(problem) {
  const { code = "internal_error", message = "" } = problem;
  const known = ADVICE[code];
  return {
    what: (known && message) || SENTENCES[code] || SENTENCES.internal_error,
    advice: known ?? ADVICE.internal_error,
  };
}

/** Whether it is the discount code's fault. */
export function isOfCode(problem) {
  return String(problem.code).startsWith("code_");
}

/** A box that tells it; `again` tries again (counted down where the API says how long), `others` are further buttons. */
export function problemBox(problem, { again, others = [] } = {}) {
  const { what, advice } = inWords(problem);
  const box = element("div", { class: "notice bad", role: "alert", "data-code": problem.code ?? "internal_error" });
  box.append(element("p", {}, element("strong", {}, what)), element("p", {}, advice));
  const buttons = [...others];
  if (again) buttons.push(againButton(problem, again));
  if (buttons.length) box.append(element("p", { class: "buttons" }, buttons));
  if (!("code" in problem)) console.error(problem);
  return box;
}

function againButton(problem, again) {
  const button = element("button", { type: "button", class: "small", onclick: again }, "Try again");
  let left = problem.details?.retry_after_seconds ?? (WAITING.has(problem.code) ? SHORT_WAIT_SECONDS : 0);
  if (left <= 0) return button;
  const label = () => {
    button.disabled = left > 0;
    button.textContent = left > 0 ? `Try again in ${waiting(left)}` : "Try again";
  };
  label();
  const clock = setInterval(() => {
    left -= 1;
    label();
    if (left <= 0) clearInterval(clock);
  }, 1000);
  return button;
}

function waiting(seconds) {
  return seconds < 90 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
}

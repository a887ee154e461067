// An event: what can be bought of it, and what became of a payment that the buyer comes back from.
import { tickets } from "./api.js";
import { checkoutForm } from "./checkout-form.js";
import { showCancelled, showPayment, showWaitingCheckout } from "./coming-back.js";
import { element, onReturn, show, title } from "./dom.js";
import { venueTime } from "./format.js";
import { poster } from "./poster.js";
import { problemBox } from "./problems.js";
import { findEvent } from "./shop.js";

const LOOK_AGAIN_MS = 15_000;

export async function open(eventId) {
  const event = await findEvent(eventId);
  title(event.name);
  const news = element("div", { id: "news" });
  const body = element("div", { id: "buy" });
  show(
    element(
      "div",
      { class: "event-page" },
      element(
        "header",
        { class: "head" },
        poster(event),
        element("div", {}, element("h1", {}, event.name), element("p", { class: "when" }, venueTime(event.start))),
      ),
      news,
      body,
    ),
  );
  const parameters = new URLSearchParams(location.search);
  const sessionId = parameters.get("session_id");
  if (parameters.get("payment") === "success" && sessionId) {
    await showPayment(news, event, sessionId);
    return;
  }
  if (parameters.get("payment") === "cancelled") showCancelled(news, event);
  else await showWaitingCheckout(news, event);
  await sell(event, news, body);
}

async function sell(event, news, body) {
  let list;
  try {
    list = await tickets(event.id);
  } catch (problem) {
    body.replaceChildren(problemBox(problem, { again: () => sell(event, news, body) }));
    return;
  }
  if (!list.length) {
    body.replaceChildren(element("p", { class: "panel" }, "There are no tickets for this."));
    return;
  }
  const form = checkoutForm(event, list);
  body.replaceChildren(form.node);
  const look = async () => {
    // What is left changes while somebody looks. That it could not be asked is told when he buys.
    const now = await tickets(event.id).catch(() => null);
    if (now) form.update(now);
  };
  onReturn((fromMemory) => {
    // It was left on the way to the payment.
    if (fromMemory) form.ready();
    look();
    showWaitingCheckout(news, event);
  });
  setInterval(() => document.visibilityState === "visible" && look(), LOOK_AGAIN_MS);
}

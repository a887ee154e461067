// Back from Stripe: paid, cancelled, or by the browser's back button while the checkout still waits.
import { order as askForOrder, tickets } from "./api.js";
import { element, title } from "./dom.js";
import { count, money, moment } from "./format.js";
import { forgetCheckout, keptCheckout } from "./kept-checkout.js";
import { inWords, problemBox } from "./problems.js";
import { qrCode } from "./qr-code.js";
import { signedInAs } from "./sign-in.js";

const OFTEN_MS = 1_500;
const SELDOM_MS = 5_000;
const OFTEN_FOR_MS = 45_000;
const GIVE_UP_AFTER_MS = 300_000;

/** Follow a payment until its result is known. */
export async function showPayment(place, event, sessionId) {
  const names = new Map((await tickets(event.id).catch(() => [])).map((ticket) => [ticket.id, ticket.name]));
  const began = Date.now();
  place.replaceChildren(confirming(null, event));
  for (;;) {
    let order;
    try {
      order = await askForOrder(sessionId);
    } catch (problem) {
      if (problem.code === "not_found") {
        place.replaceChildren(unknownOrder(event));
        return;
      }
      // Whatever else it is: the payment is not lost by it, and the next answer may come.
    }
    const waited = Date.now() - began;
    if (order && order.status !== "pending") {
      if (order.status !== "processing") forgetCheckout(event.id);
      place.replaceChildren(result(order, names.get(order.ticket_id) ?? "Ticket", event));
      if (order.status === "paid") title(`Paid: ${event.name}`);
      return;
    }
    if (waited > GIVE_UP_AFTER_MS) {
      place.replaceChildren(stillNothing(() => showPayment(place, event, sessionId)));
      return;
    }
    if (waited > OFTEN_FOR_MS) place.replaceChildren(confirming("This takes longer than usual. You need not wait: nothing is lost, and this page can be opened again.", event));
    await new Promise((resolve) => setTimeout(resolve, waited > OFTEN_FOR_MS ? SELDOM_MS : OFTEN_MS));
  }
}

/** The buyer went back by Stripe's link: the checkout is ended. */
export function showCancelled(place, event) {
  forgetCheckout(event.id);
  place.replaceChildren(
    element("div", { class: "notice", role: "status", "data-status": "cancelled" },
      element("p", {}, element("strong", {}, "You cancelled. Nothing was paid.")),
      element("p", {}, "The tickets are on sale again. You can order anew, as often as you like."),
    ),
  );
}

/** A checkout that this browser began and that still waits: offer to go on with it. */
export async function showWaitingCheckout(place, event) {
  const sessionId = keptCheckout(event.id);
  if (!sessionId) return;
  let order;
  try {
    order = await askForOrder(sessionId);
  } catch (problem) {
    if (problem.code === "not_found") forgetCheckout(event.id);
    return;
  }
  if (order.status === "pending" && order.checkout_url) {
    place.replaceChildren(
      element("div", { class: "notice", role: "status", "data-status": "pending" },
        element("p", {}, element("strong", {}, `${count(order.quantity, "ticket")} for ${money(order.total_amount, order.currency)}: still held for you`)),
        element("p", {}, "You have not paid yet. Go on where you were, or order something else below: then these are given back."),
        element("p", { class: "buttons" }, element("a", { class: "button small", href: order.checkout_url }, "Go on to payment")),
      ),
    );
    return;
  }
  if (order.status === "processing") {
    place.replaceChildren(delayed(order, "Your tickets"));
    return;
  }
  forgetCheckout(event.id);
  if (["expired", "failed"].includes(order.status)) {
    place.replaceChildren(
      element("div", { class: "notice", role: "status", "data-status": order.status },
        element("p", {}, element("strong", {}, "Your last order was not paid, and nothing was charged.")),
        element("p", {}, "Its tickets are given back. You can order anew."),
      ),
    );
  }
  if (order.status === "paid") {
    place.replaceChildren(
      element("div", { class: "notice good", role: "status", "data-status": "paid" },
        element("p", {}, element("strong", {}, `You have ${count(order.quantity, "ticket")} for this. `), element("a", { href: pageOf(order, sessionId) }, "Show them")),
      ),
    );
  }
}

function confirming(text, event) {
  return element("section", { class: "panel result", role: "status", "data-status": "pending" },
    element("p", { class: "spinner", "aria-hidden": "true" }),
    element("h2", {}, "Your payment is being confirmed"),
    element("p", {}, text ?? `One moment: your tickets for ${event.name} come as soon as Stripe has told us.`),
  );
}

function result(order, name, event) {
  if (order.status === "paid") return paid(order, name, event);
  if (order.status === "processing") return delayed(order, name);
  const texts = {
    expired: ["This checkout has run out", "It was not paid in time, and nothing was charged. The tickets are on sale again."],
    failed: ["The payment did not succeed", "Nothing was charged, and the tickets are given back. You can order them again."],
    cancelled: ["This order was cancelled", "If you have paid, the money goes back. Write to us if it does not."],
    refunded: ["This order was refunded", "The money is on its way back to you. The tickets are no longer valid."],
  };
  const [heading, text] = texts[order.status] ?? ["This order", `Its state is: ${order.status}.`];
  return element("section", { class: "panel result", role: "status", "data-status": order.status },
    element("h2", {}, heading),
    element("p", {}, text),
    element("p", {}, element("a", { class: "button", href: `/events/${order.event_id}` }, "Back to the event")),
  );
}

function paid(order, name, event) {
  const whereElse = signedInAs()
    ? element("p", {}, "It is in ", element("a", { href: "/my-tickets" }, "My tickets"), ", too.")
    : element("p", {}, "Keep this page’s address: it is where your ticket is. Stripe sends you a receipt.");
  return element("section", { class: "panel result paid", role: "status", "data-status": "paid" },
    element("div", {},
      element("h2", {}, "Paid. See you there!"),
      element("p", { class: "what" }, `${order.quantity} × ${name}`),
      element("dl", {},
        element("dt", {}, "Event"), element("dd", {}, event.name),
        element("dt", {}, "Order"), element("dd", {}, order.id),
        element("dt", {}, "Total"), element("dd", {}, money(order.total_amount, order.currency)),
        order.paid_at ? [element("dt", {}, "Paid"), element("dd", {}, moment(order.paid_at))] : null,
      ),
      whereElse,
    ),
    qrCode(order, new URLSearchParams(location.search).get("session_id")),
  );
}

function delayed(order, name) {
  return element("section", { class: "notice", role: "status", "data-status": "processing" },
    element("p", {}, element("strong", {}, "Your bank is working on it.")),
    element("p", {}, `${order.quantity} × ${name} (order ${order.id}, ${money(order.total_amount, order.currency)}): a direct debit takes about a week, fourteen working days at most. Your tickets stay reserved until then. You need do nothing, and must not pay again.`),
    element("p", {}, "When the money has come the tickets are yours, here and in My tickets. If the bank refuses, nothing is charged and they are given back."),
  );
}

function unknownOrder(event) {
  const { what } = inWords({ code: "not_found" });
  return element("section", { class: "panel result", role: "status", "data-status": "unknown" },
    element("h2", {}, what),
    element("p", {}, "This address names no order of ours. Is it whole?"),
    element("p", {}, element("a", { class: "button", href: `/events/${event.id}` }, "To the event")),
  );
}

function stillNothing(again) {
  const box = problemBox({ code: "try_again", message: "There is no confirmation yet." }, { again });
  box.append(element("p", {}, "If you have paid, the payment is not lost: the ticket comes when Stripe has told us."));
  return box;
}

function pageOf(order, sessionId) {
  return `/events/${order.event_id}?payment=success&session_id=${encodeURIComponent(sessionId)}`;
}

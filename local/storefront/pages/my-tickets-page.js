// The orders of whoever is signed in; those that are paid are tickets.
import { myOrders } from "./api.js";
import { element, show, title } from "./dom.js";
import { count, money, moment, venueTime } from "./format.js";
import { problemBox } from "./problems.js";
import { qrCode } from "./qr-code.js";
import { signedInAs, withToken } from "./sign-in.js";

const SIGN_IN = "/sign-in?then=/my-tickets";
const STATES = {
  pending: "Not paid yet",
  processing: "Your bank is working on it",
  refunded: "Refunded",
  expired: "Not paid",
  failed: "The payment did not succeed",
  cancelled: "Cancelled",
};

export async function open() {
  title("My tickets");
  if (!signedInAs()) {
    location.replace(SIGN_IN);
    return;
  }
  let orders;
  try {
    orders = await withToken(myOrders);
  } catch (problem) {
    const leads = problem.code === "invalid_token" ? [element("a", { class: "button small", href: SIGN_IN }, "Sign in")] : [];
    const again = leads.length ? null : () => location.reload();
    show(element("h1", {}, "My tickets"), problemBox(problem, { again, others: leads }));
    return;
  }
  const tickets = orders.filter((order) => order.status === "paid");
  const others = orders.filter((order) => order.status !== "paid");
  show(
    element("h1", {}, "My tickets"),
    tickets.length
      ? element("ul", { class: "my-tickets" }, tickets.map(ticket))
      : element("p", { class: "panel" }, "You have no tickets yet. ", element("a", { href: "/" }, "See what’s on")),
    others.length
      ? element("section", { class: "others" }, element("h2", {}, "Other orders"), element("ul", {}, others.map(other)))
      : null,
  );
}

function ticket(order) {
  const back = order.refunded_amount > 0 ? ` (${money(order.refunded_amount, order.currency)} refunded)` : "";
  return element(
    "li",
    { class: "my-ticket", "data-order": order.id },
    element(
      "div",
      {},
      element("h2", {}, order.event_name ?? `Event ${order.event_id}`),
      element("p", { class: "when" }, venueTime(order.event_start_local)),
      element("p", { class: "what" }, `${order.quantity} × ${order.ticket_name ?? "ticket"}`),
      element("p", { class: "quiet" }, `Order ${order.id} · ${money(order.total_amount, order.currency)}${back}`),
      order.validated_at ? element("p", { class: "used" }, `Used at the door, ${moment(order.validated_at)}`) : null,
    ),
    order.stripe_checkout_session_id ? qrCode(order, order.stripe_checkout_session_id) : null,
  );
}

function other(order) {
  const what = `${order.event_name ?? `Event ${order.event_id}`}: ${count(order.quantity, "ticket")}, ${money(order.total_amount, order.currency)}`;
  const page = order.status === "pending" ? `/events/${order.event_id}` : null;
  return element(
    "li",
    { "data-status": order.status },
    page ? element("a", { href: page }, what) : element("span", {}, what),
    element("span", { class: "quiet" }, STATES[order.status] ?? order.status),
  );
}

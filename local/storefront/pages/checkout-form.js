// Ticket, quantity, e-mail, code; then away to the payment.
import { checkOut, tickets } from "./api.js";
import { element } from "./dom.js";
import { count, money, times } from "./format.js";
import { keepCheckout } from "./kept-checkout.js";
import { whatIsLeft } from "./left.js";
import { inWords, isOfCode, problemBox } from "./problems.js";
import { signedInAs, withToken } from "./sign-in.js";

const TRY_AGAIN = new Set(["held", "too_many_held", "payment_provider_error", "try_again", "too_many_requests", "offline", "internal_error", "idempotency_conflict"]);

/** Make the form; gives its `node`, `update(tickets)` for what is left by now, and `ready()` for a buyer who came back. */
export function checkoutForm(event, list) {
  let attempt = null; // the key of what is being asked, so that a repeat after a lost answer is the same order
  let busy = false;
  const choices = element("div", { class: "tickets" });
  const quantity = element("select", { id: "quantity", name: "quantity", onchange: total });
  const email = element("input", { id: "email", name: "email", type: "email", autocomplete: "email", required: true, value: signedInAs() ?? "" });
  const code = element("input", { id: "code", name: "code", type: "text", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: 200, oninput: clearCode });
  const codeProblem = element("p", { id: "code-problem", class: "field-problem", role: "alert" });
  const sum = element("output", { class: "sum", for: "quantity" });
  const problems = element("div", { class: "problems" });
  const button = element("button", { class: "go" }, "Continue to payment");
  const wishes = element(
    "div",
    { class: "wishes" },
    element("div", {}, element("label", { for: "quantity" }, "How many"), quantity),
    element("div", {}, element("label", { for: "email" }, "Email"), email, element("p", { class: "hint" }, "The receipt goes there.")),
    element("div", {}, element("label", { for: "code" }, "Discount code ", element("span", { class: "quiet" }, "(if you have one)")), code, codeProblem),
  );
  const node = element(
    "form",
    { class: "panel checkout", novalidate: true, "aria-label": "Tickets", onsubmit: send },
    element("fieldset", {}, element("legend", {}, "Tickets"), choices),
    wishes,
    problems,
    element("div", { class: "pay" }, element("p", {}, "Total ", sum), button),
  );

  function selected() {
    return list.find((ticket) => ticket.id === choices.querySelector("input:checked")?.value);
  }

  function draw() {
    const wanted = selected()?.id;
    const focused = choices.contains(document.activeElement) ? document.activeElement.value : null;
    const chosen = list.find((ticket) => ticket.id === wanted) ?? list.find((ticket) => ticket.max_per_order > 0);
    choices.replaceChildren(...list.map((ticket) => choice(ticket, ticket === chosen)));
    if (focused) choices.querySelector(`input[value="${focused}"]`)?.focus();
    drawQuantities();
  }

  function choice(ticket, checked) {
    const { text, kind } = whatIsLeft(ticket);
    const can = ticket.max_per_order > 0;
    return element(
      "label",
      { class: "ticket", "data-ticket": ticket.id },
      element("input", { type: "radio", name: "ticket", value: ticket.id, checked, disabled: !can && !checked, onchange: drawQuantities }),
      ticket.image_url ? element("img", { class: "picture", src: ticket.image_url, alt: "", width: 48, height: 48 }) : null,
      element("span", { class: "words" }, element("span", { class: "name" }, ticket.name), element("span", { class: "left", "data-kind": kind }, text)),
      element("span", { class: "price" }, ticket.price === null ? "" : ticket.price === 0 ? "Free" : money(ticket.price)),
    );
  }

  function drawQuantities() {
    const ticket = selected();
    const most = ticket?.max_per_order ?? 0;
    const before = Number(quantity.value) || 1;
    quantity.replaceChildren(...Array.from({ length: most }, (_, index) => element("option", { value: index + 1 }, index + 1)));
    if (most) quantity.value = String(Math.min(before, most));
    wishes.hidden = most === 0;
    ready();
    total();
  }

  function total() {
    const ticket = selected();
    const number = Number(quantity.value);
    sum.textContent = ticket && number ? money(times(ticket.price, number)) : "–";
  }

  function ready() {
    busy = false;
    button.removeAttribute("aria-disabled");
    button.disabled = !((selected()?.max_per_order ?? 0) > 0);
    button.textContent = "Continue to payment";
  }

  function clearCode() {
    code.removeAttribute("aria-invalid");
    code.removeAttribute("aria-describedby");
    codeProblem.textContent = "";
  }

  function send(submitted) {
    submitted.preventDefault();
    if (busy) return;
    problems.replaceChildren();
    clearCode();
    if (!email.checkValidity()) {
      problems.replaceChildren(element("p", { class: "notice bad", role: "alert" }, "Enter your email address, as name@example.com."));
      email.focus();
      return;
    }
    const ticket = selected();
    const wish = { quantity: Number(quantity.value), email: email.value.trim() };
    if (code.value.trim()) wish.discount_code = code.value.trim();
    ask(ticket, wish);
  }

  async function ask(ticket, wish) {
    if (busy) return;
    problems.replaceChildren();
    const asked = JSON.stringify([ticket.id, wish, signedInAs()]);
    if (attempt?.asked !== asked) attempt = { asked, key: crypto.randomUUID() };
    busy = true;
    // Not disabled: a button that is loses the focus of who came by keyboard.
    button.setAttribute("aria-disabled", "true");
    button.textContent = "One moment …";
    try {
      const made = await withToken((token) => checkOut(event.id, ticket.id, wish, { token, key: attempt.key }));
      attempt = null;
      keepCheckout(event.id, made.session_id);
      location.assign(made.checkout_url);
    } catch (problem) {
      if (problem.code === "idempotency_conflict") attempt = null;
      ready();
      await tell(problem, ticket, wish);
    }
  }

  async function tell(problem, ticket, wish) {
    if (isOfCode(problem)) {
      const { what, advice } = inWords(problem);
      codeProblem.textContent = `${what} ${advice}`;
      codeProblem.dataset.code = problem.code;
      code.setAttribute("aria-invalid", "true");
      code.setAttribute("aria-describedby", "code-problem");
      code.focus();
      return;
    }
    const others = [];
    if (problem.code === "invalid_token") {
      others.push(element("a", { class: "button small", href: `/sign-in?then=${encodeURIComponent(location.pathname)}` }, "Sign in"));
    }
    const now = await tickets(event.id).catch(() => null);
    if (now) update(now);
    const left = problem.code === "not_enough_left" ? problem.details.available ?? 0 : 0;
    if (left > 0 && selected()?.id === ticket.id) {
      others.push(element("button", { type: "button", class: "small", onclick: () => takeWhatIsLeft(ticket, wish, left) }, `Take the ${count(left, "ticket")} left`));
    }
    const canAgain = TRY_AGAIN.has(problem.code);
    problems.replaceChildren(problemBox(problem, { again: canAgain ? () => ask(ticket, wish) : null, others }));
  }

  function takeWhatIsLeft(ticket, wish, left) {
    quantity.value = String(left);
    total();
    ask(ticket, { ...wish, quantity: left });
  }

  function update(now) {
    // Not drawn anew for nothing: an open list of quantities would close.
    if (busy || JSON.stringify(now) === JSON.stringify(list)) return;
    list = now;
    draw();
  }

  draw();
  return { node, update, ready };
}

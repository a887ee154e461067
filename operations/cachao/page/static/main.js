// The page: which view is shown, and what stands above it.

import { allow, button, whenDone } from "./actions.js";
import { DoctorView } from "./doctor.js";
import { make, place, setText } from "./dom.js";
import { ExecutionView } from "./execution.js";
import { Executions } from "./executions.js";
import { ExecutionList } from "./list.js";
import { AlertsView, DeadLettersView } from "./mail.js";
import { OrderView, OrdersView, told } from "./orders.js";
import { Repeating, ask, enter } from "./server.js";

const VIEWS = [["executions", "Executions"], ["orders", "Orders"], ["alerts", "Alerts"], ["dead-letters", "Dead letters"], ["doctor", "Doctor"]];
const COUNTED = ["executions", "dead-letters"];
const WAITING_MS = 10_000;
const main = document.getElementById("main");
const trouble = document.getElementById("trouble");
const executions = new Executions();
let about;
let shown = null;

class ExecutionsView {
  constructor() {
    this.list = new ExecutionList(executions);
    this.detail = make("div", { class: "beside" });
    this.element = make("div", { class: "executions-view" }, make("h1", { class: "hidden" }, "Executions"), this.list.element, this.detail);
    this.list.update();
  }

  refresh() {
    this.one?.refresh();
  }

  /** Shows an execution beside the list; null: none. */
  choose(name) {
    this.one?.close();
    this.one = name === null ? null : new ExecutionView(name, { actions: executionActions });
    this.element.classList.toggle("chosen", name !== null);
    place(this.detail, this.one
      ? [make("p", { class: "back" }, make("a", { href: "#/executions" }, "← All executions")), this.one.element]
      : [make("p", { class: "quiet hint" }, "Choose an execution to see its way, its steps and what went wrong.")]);
    this.list.select(name);
    this.detail.scrollTop = 0;
  }

  close() {
    this.one?.close();
    this.list.close();
  }
}

function executionActions(data) {
  if (data.status === "RUNNING") return null;
  const name = data.execution;
  const failed = data.status !== "SUCCEEDED";
  const again = { name: "again", label: "Also where a replay has already repaired it", kind: "check" };
  return make("p", { class: "buttons" }, [
    button("Replay …", { action: "replay", title: "Replay this execution", wish: { executions: [name], again: !failed }, main: failed }),
    failed && button("Replay for another order …", {
      action: "replay", title: "Replay for another order", wish: { executions: [name] },
      fields: [{ name: "order", label: "The order's number", kind: "number", needed: true }, again],
    }),
    failed && data.order && data.error === "AmountMismatch" && button("Correct the order's amount …", {
      action: "correct-amount", title: `Correct the amount of order ${data.order}`, wish: { order: Number(data.order) },
      hint: "When the order is wrong, and not what Stripe took. Then replay the execution.",
      fields: [{ name: "amount", label: "What it costs in all", hint: "e.g. 42.00", needed: true }, { name: "reason", label: "Why", hint: "is kept" }],
    }),
  ].filter(Boolean));
}

function orderActions(data) {
  if (data.order === null || !data.payments.length) return [];
  const reason = { name: "reason", label: "Why", hint: "is kept" };
  return [make("p", { class: "buttons" }, [
    button("Refund …", {
      action: "refund", title: `Refund a payment of order ${data.order}`, wish: { order: data.order },
      hint: "With nothing said: the payment that pays nothing.",
      fields: [
        { name: "payment", label: "Payment", hint: data.payments.join(", ") },
        { name: "amount", label: "Only so much of it", hint: "e.g. 12.50; the order stays paid" },
        { name: "end_order", label: "Also the payment that pays the order: its seats go back on sale", kind: "check" },
        { name: "although_disputed", label: "Although a dispute is open", hint: "(meant for an inquiry)", kind: "check" },
        reason,
      ],
    }),
    button("Refund seats …", {
      action: "refund", title: `Refund seats of order ${data.order}`, wish: { order: data.order },
      fields: [{ name: "seats", label: "How many seats", kind: "number", needed: true }, { name: "amount", label: "Instead of their price", hint: "e.g. 12.50" }, reason],
    }),
  ].filter(Boolean))];
}

const letterActions = () => [make("p", { class: "buttons" }, [
  button("Replay them …", {
    action: "replay-dead-letters", title: "Replay the events that could not be delivered", main: true,
    fields: [{ name: "discard", label: "Delete messages that are not events of Stripe", kind: "check" }],
  }),
].filter(Boolean))];

function route() {
  const [view = "executions", rest] = location.hash.replace(/^#\/?/, "").split("/", 2).map(decodeURIComponent);
  const wanted = rest || null;
  if (view === "executions" || view === "") {
    if (!(shown instanceof ExecutionsView)) show(new ExecutionsView());
    shown.choose(wanted);
  } else if (view === "orders") show(wanted === null ? new OrdersView() : new OrderView(wanted, { actions: orderActions }));
  else if (view === "alerts") show(new AlertsView({ complete: about.alerts_complete }));
  else if (view === "dead-letters") show(new DeadLettersView({ actions: letterActions }));
  else if (view === "doctor") show(new DoctorView());
  else location.replace("#/executions");
  for (const link of document.querySelectorAll("#views a")) {
    if (link.hash === `#/${view || "executions"}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function show(view) {
  shown?.close();
  shown = view;
  place(main, [view.element]);
  scrollTo(0, 0);
}

function count() {
  const { running, open } = executions.counts();
  const words = [running && `${running} running`, open && `${open} failed`].filter(Boolean).join(", ");
  setText(document.querySelector("[data-of=executions]"), words);
  document.title = `${open ? `(${open}) ` : ""}Payments: ${about.stack}`;
}

async function countLetters() {
  let waiting = "";
  try {
    const { data } = await ask("api/waiting");
    waiting = data.dead_letters ? `${data.dead_letters} waiting` : "";
  } catch {
    // The view itself says why.
  }
  setText(document.querySelector("[data-of=dead-letters]"), waiting);
}

function warn() {
  trouble.hidden = executions.problem === null;
  setText(trouble, executions.problem === null ? "" : `${executions.problem.message} ${executions.problem.advice ?? ""}`);
}

async function start() {
  try {
    await enter();
    ({ data: about } = await ask("api/about"));
  } catch (refused) {
    place(main, told(refused));
    return;
  }
  allow(about.changes);
  document.getElementById("stack").replaceChildren(about.stack, about.changes ? "" : make("span", { class: "mode" }, "read-only"));
  whenDone(() => shown?.refresh?.());
  place(document.getElementById("views"), VIEWS.map(([path, word]) =>
    make("li", {}, make("a", { href: `#/${path}` }, word, COUNTED.includes(path) && make("span", { class: "count", "data-of": path })))));
  document.getElementById("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const wanted = document.getElementById("wanted").value.trim();
    const isOrder = /^(\d+|(cs|pi|evt|re|pyr|dp|du|ch|py)_\w+)$/.test(wanted);
    if (wanted) location.hash = `#/${isOrder ? "orders" : "executions"}/${encodeURIComponent(wanted.replace(/^arn:.*:/, ""))}`;
  });
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  executions.addEventListener("change", count);
  executions.addEventListener("problem", warn);
  executions.start();
  new Repeating(countLetters, WAITING_MS);
  addEventListener("hashchange", route);
  route();
}

start();

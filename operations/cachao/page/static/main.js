// The page: which view is shown, and what stands above it.

import { make, place, setText } from "./dom.js";
import { ExecutionView } from "./execution.js";
import { Executions } from "./executions.js";
import { ExecutionList } from "./list.js";
import { AlertsView, DeadLettersView } from "./mail.js";
import { OrderView, OrdersView, told } from "./orders.js";
import { ask, enter } from "./server.js";

const VIEWS = [["executions", "Executions"], ["orders", "Orders"], ["alerts", "Alerts"], ["dead-letters", "Dead letters"]];
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

  /** Shows an execution beside the list; null: none. */
  choose(name) {
    this.one?.close();
    this.one = name === null ? null : new ExecutionView(name, {});
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

function route() {
  const [view = "executions", rest] = location.hash.replace(/^#\/?/, "").split("/", 2).map(decodeURIComponent);
  const wanted = rest || null;
  if (view === "executions" || view === "") {
    if (!(shown instanceof ExecutionsView)) show(new ExecutionsView());
    shown.choose(wanted);
  } else if (view === "orders") show(wanted === null ? new OrdersView() : new OrderView(wanted, {}));
  else if (view === "alerts") show(new AlertsView({ complete: about.alerts_complete }));
  else if (view === "dead-letters") show(new DeadLettersView({}));
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
  setText(document.querySelector("#views .count"), words);
  document.title = `${open ? `(${open}) ` : ""}Payments: ${about.stack}`;
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
  setText(document.getElementById("stack"), about.stack);
  place(document.getElementById("views"), VIEWS.map(([path, word]) =>
    make("li", {}, make("a", { href: `#/${path}` }, word, path === "executions" && make("span", { class: "count" })))));
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
  addEventListener("hashchange", route);
  route();
}

start();

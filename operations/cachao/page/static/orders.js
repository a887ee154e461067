// Orders: the list, and one with all that happened to it.

import { blocks } from "./blocks.js";
import { make, place } from "./dom.js";
import { duration, moment, statusWord } from "./format.js";
import { Repeating, ask, looking } from "./server.js";

const LIST_MS = 5000;
const ONE_MS = 3000;
const STATUSES = ["", "pending", "processing", "paid", "refunded", "expired", "failed", "cancelled"];

export class OrdersView {
  #known = null;

  constructor() {
    this.wish = { since: "2d" };
    this.answer = make("div", { class: "answer" });
    const field = (name, label, input) => make("label", { class: "field" }, make("span", {}, label), Object.assign(input, { name }));
    this.form = make(
      "form", { class: "tools", onsubmit: (event) => { event.preventDefault(); this.#ask(); } },
      field("status", "Status", make("select", { onchange: () => this.#ask() }, STATUSES.map((status) => make("option", { value: status }, status || "any")))),
      field("since", "Made since", make("input", { value: "2d", size: "8", placeholder: "2d", autocomplete: "off" })),
      field("until", "Until", make("input", { size: "10", placeholder: "now", autocomplete: "off" })),
      field("email", "E-mail", make("input", { type: "email", placeholder: "whole address", autocomplete: "off" })),
      field("total", "Total", make("input", { size: "7", placeholder: "42.00", inputmode: "decimal", autocomplete: "off" })),
      make("button", {}, "List"),
    );
    this.element = make("section", { class: "page", "aria-labelledby": "heading" }, make("h1", { id: "heading" }, "Orders"), this.form, this.answer);
    this.repeating = new Repeating(() => this.#look(), LIST_MS);
  }

  close() {
    this.repeating.stop();
  }

  refresh() {
    this.repeating.now();
  }

  #ask() {
    this.wish = Object.fromEntries([...new FormData(this.form)].filter(([, value]) => value.trim() !== ""));
    this.#known = null;
    this.repeating.now();
  }

  async #look() {
    const wish = this.wish;
    try {
      const answer = await ask("api/orders", { body: wish, known: this.#known });
      if (wish !== this.wish) return this.#look();
      if (answer === this.#known) return;
      this.#known = answer;
      place(this.answer, list(answer.data));
    } catch (refused) {
      this.#known = null;
      place(this.answer, told(refused));
    }
  }
}

function list(data) {
  if (!data.orders.length) return [make("p", { class: "quiet" }, "There are none: a longer “made since” looks further back.")];
  const columns = ["Order", "Made (UTC)", "Status", "Event", "Ticket", "Seats", "Total", "Paid (UTC)"];
  return [
    make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Orders" }, make("table", { class: "listed" },
      make("thead", {}, make("tr", {}, columns.map((column) => make("th", { scope: "col" }, column)))),
      make("tbody", {}, data.orders.map((order) => make("tr", {},
        make("td", {}, make("a", { href: `#/orders/${order.id}` }, `${order.id}`)),
        make("td", { class: "time" }, moment(order.created_at)),
        make("td", {}, make("span", { class: `state ${order.status}` }, order.status)),
        make("td", {}, `${order.event_id} ${order.event_name ?? ""}`),
        make("td", {}, `${order.ticket_id} ${order.ticket_name ?? ""}`),
        make("td", { class: "number" }, `${order.quantity}`),
        make("td", { class: "number" }, `${order.total_amount} ${order.currency.toUpperCase()}`),
        make("td", { class: "time" }, moment(order.paid_at))))))),
    data.more && make("p", { class: "quiet" }, "There are more: a shorter time, a status or an e-mail address narrows them."),
    data.looked_back_to && make("p", { class: "quiet" }, `Only those made since ${moment(data.looked_back_to)} UTC were looked at, there are so many.`),
  ].filter(Boolean);
}

export class OrderView {
  constructor(wanted, { actions }) {
    this.answer = make("div", { class: "answer" }, make("p", { class: "quiet" }, "Looking …"));
    this.element = make(
      "section", { class: "page", "aria-labelledby": "heading" },
      make("p", {}, make("a", { href: "#/orders" }, "← Orders")),
      make("h1", { id: "heading" }, /^\d+$/.test(wanted) ? `Order ${wanted}` : wanted), this.answer);
    this.repeating = new Repeating(looking(`api/orders/${encodeURIComponent(wanted)}`, {
      show: (data) => place(this.answer, [...one(data), ...(actions?.(data) ?? [])]),
      refuse: (refused) => place(this.answer, told(refused)),
      keeps: true,
    }), ONE_MS);
  }

  refresh() {
    this.repeating.now();
  }

  close() {
    this.repeating.stop();
  }
}

function one(data) {
  const executions = data.executions.map((found) => make("tr", {},
    make("td", {}, make("a", { href: `#/executions/${found.execution}`, class: `state ${found.status}` }, statusWord(found.status))),
    make("td", {}, found.event_type ?? "–"),
    make("td", {}, `${found.error ?? found.result ?? ""}${found.repaired ? " · repaired" : ""}`),
    make("td", { class: "time" }, moment(found.started)),
    make("td", { class: "number" }, duration(found.seconds === null ? null : found.seconds * 1000)),
    make("td", { class: "name" }, found.execution)));
  return [
    data.problem && make("p", { class: "wrong" }, data.problem, " ", data.advice),
    // The heading says which order it is.
    ...blocks(data.blocks.map((block) => (block.title === `Order ${data.wanted}` ? { ...block, title: "" } : block))),
    make("h2", {}, "Executions, newest first"),
    executions.length
      ? make("div", { class: "wide", tabindex: "0", role: "group", "aria-label": "Executions" }, make("table", { class: "listed" },
        make("thead", {}, make("tr", {}, ["Status", "Event", "Result", "Started (UTC)", "Took", "Execution"].map((column) => make("th", { scope: "col" }, column)))),
        make("tbody", {}, executions)))
      : make("p", { class: "quiet" }, "It has none."),
    !data.complete && make("p", { class: "slow" }, "The functions' logs did not answer: some executions may be missing."),
  ].filter(Boolean);
}

export const told = (refused) => [make("p", { class: "wrong" }, refused.message), make("p", {}, refused.advice ?? "")];

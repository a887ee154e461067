// The alerts as the e-mails that people got, and the events that could not be delivered.

import { Keyed, make, place } from "./dom.js";
import { count, moment } from "./format.js";
import { told } from "./orders.js";
import { Repeating, looking } from "./server.js";

const EVERY_MS = 4000;

class Answering {
  constructor(path, heading) {
    this.answer = make("div", { class: "answer" }, make("p", { class: "quiet" }, "Looking …"));
    this.element = make("section", { class: "page", "aria-labelledby": "heading" }, make("h1", { id: "heading" }, heading), this.answer);
    this.repeating = new Repeating(looking(path, {
      show: (data) => place(this.answer, this.show(data)),
      refuse: (refused) => place(this.answer, told(refused)),
    }), EVERY_MS);
  }

  close() {
    this.repeating.stop();
  }

  refresh() {
    this.repeating.now();
  }
}

export class AlertsView extends Answering {
  constructor({ complete }) {
    super("api/alerts", "Alerts");
    this.complete = complete;
    this.keyed = new Keyed(mail);
  }

  show({ alerts }) {
    const where = this.complete ? [] : [make("p", { class: "quiet" },
      "Of the newest failed executions. AWS keeps no e-mails: summaries and alerts of reconciliation are in the mailbox only.")];
    if (!alerts.length) return [...where, make("p", { class: "quiet" }, "There are none.")];
    return [...where, make("p", { class: "quiet" }, `${count(alerts.length, "alert")}, newest first`),
      ...alerts.map((alert) => this.keyed.get(`${alert.at} ${alert.subject} ${alert.execution}`, alert))];
  }
}

function mail(alert) {
  return make(
    "article", { class: "mail" },
    make("h2", {}, alert.subject),
    make("p", { class: "quiet" }, `${moment(alert.at)} UTC`, alert.execution && [" · ", make("a", { href: `#/executions/${alert.execution}` }, "the execution")]),
    make("pre", { class: "letter", tabindex: "0" }, alert.message),
  );
}

export class DeadLettersView extends Answering {
  constructor({ actions }) {
    super("api/dead-letters", "Dead letters");
    this.actions = actions;
  }

  show({ waiting, letters }) {
    if (!waiting) return [make("p", { class: "good" }, "The queue is empty: every event was delivered.")];
    return [
      make("p", {}, `About ${count(waiting, "event")} could not be delivered.`),
      ...(this.actions?.({ waiting }) ?? []),
      ...letters.map((letter) => make("article", { class: "mail" },
        make("h2", {}, letter.event_type ?? "Not an event"),
        make("p", {}, make("strong", { class: "red" }, letter.error_code || "–"), ` ${letter.error_message ?? ""}`),
        letter.reason && make("p", { class: "slow" }, `It cannot be replayed: ${letter.reason}.`),
        make("details", { class: "json" }, make("summary", {}, "The message"), make("pre", { tabindex: "0" }, letter.body)))),
    ].filter(Boolean);
  }
}

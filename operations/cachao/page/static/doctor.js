// The doctor's findings: link by link from Stripe to the paid order, what is broken, and what to do.

import { button } from "./actions.js";
import { make, place } from "./dom.js";
import { told } from "./orders.js";
import { ask } from "./server.js";

const LOOK_MS = 500;
const STATES = { fine: ["fine", "fine"], broken: ["broken", "broken"], "cannot tell": ["unsure", "cannot tell"], "only on AWS": ["", "only on AWS"] };

export class DoctorView {
  constructor() {
    this.answer = make("div", { class: "answer", "aria-live": "polite" });
    this.again = make("button", { type: "button", onclick: () => this.#look() }, "Look again");
    this.element = make(
      "section", { class: "page", "aria-labelledby": "heading" },
      make("h1", { id: "heading" }, "Doctor"),
      make("p", { class: "buttons" }, this.again, button("Reconcile …", {
        action: "reconcile", title: "Reconcile with Stripe",
        hint: "Compares unpaid orders with Stripe and brings them right, now rather than at the next schedule.",
        fields: [
          { name: "since", label: "All unpaid orders since", hint: "2d, or a date; empty: only those past their hold" },
          { name: "dry_run", label: "Only show what would be done", kind: "check", value: true },
          { name: "close_missing", label: "End orders whose session Stripe does not have", kind: "check" },
        ],
      })),
      this.answer);
    this.#look();
  }

  close() {
    this.closed = true;
  }

  async #look() {
    this.again.disabled = true;
    try {
      let { data: job } = await ask("api/actions/doctor", { body: {} });
      while (!this.closed) {
        place(this.answer, [...this.#conclusion(job), ...findings(job.findings ?? [])]);
        if (job.state !== "running") break;
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
        ({ data: job } = await ask(`api/jobs/${job.id}`));
      }
    } catch (refused) {
      place(this.answer, told(refused));
    }
    this.again.disabled = false;
  }

  #conclusion(job) {
    if (job.problem) return [make("p", { class: "wrong" }, job.problem.error), make("p", {}, job.problem.advice)];
    if (job.state === "running") return [make("p", { class: "quiet busy" }, "Looking …")];
    const broken = (job.findings ?? []).filter(({ state }) => state === "broken").length;
    const unsure = (job.findings ?? []).filter(({ state }) => state === "cannot tell").length;
    const words = broken ? `${broken} broken. Begin with the first: it may cause the others.` : unsure ? `Nothing is known to be broken, but ${unsure} could not be looked at.` : "Nothing is broken.";
    return [make("p", { class: broken ? "wrong" : unsure ? "slow" : "good" }, make("strong", {}, words))];
  }
}

function findings(list) {
  if (!list.length) return [];
  return [make("ul", { class: "findings" }, list.map((finding) => {
    const [kind, word] = STATES[finding.state];
    return make(
      "li", { class: kind },
      make("span", { class: `state ${kind}` }, word),
      make("div", {},
        make("strong", {}, finding.link), make("p", { class: "said" }, finding.says, finding.cause && make("span", { class: "quiet" }, ` (${finding.cause})`)),
        finding.case && make("p", { class: "quiet" }, `Runbook: “${finding.case}”.`),
        finding.todo && make("pre", { class: "todo" }, finding.todo)));
  }))];
}

import { tickets } from "./api.js";
import { element, onReturn, show, title } from "./dom.js";
import { money, venueTime } from "./format.js";
import { whatIsLeftOfAll } from "./left.js";
import { poster } from "./poster.js";
import { inWords } from "./problems.js";
import { shop } from "./shop.js";

export async function open() {
  title("Events");
  const { events } = await shop();
  const list = element("ul", { class: "events" }, events.map(card));
  show(
    element("h1", {}, "What’s on"),
    events.length ? list : element("p", {}, "Nothing is on sale just now."),
  );
}

function card(event) {
  const left = element("p", { class: "left" }, "…");
  const price = element("p", { class: "price" });
  const look = () =>
    tickets(event.id).then(
      (list) => summarise(list, left, price),
      (problem) => (left.textContent = inWords(problem).what),
    );
  look();
  onReturn(look);
  return element(
    "li",
    {},
    element(
      "a",
      { class: "event", href: `/events/${event.id}` },
      poster(event),
      element(
        "div",
        { class: "text" },
        element("h2", {}, event.name),
        element("p", { class: "when" }, venueTime(event.start)),
        element("div", { class: "row" }, price, left),
      ),
    ),
  );
}

function summarise(list, left, price) {
  const open = list.filter((ticket) => ticket.max_per_order > 0);
  const prices = open.map((ticket) => ticket.price);
  const first = Math.min(...prices);
  price.textContent = open.length ? `${prices.length > 1 ? "from " : ""}${first === 0 ? "free" : money(first)}` : "";
  const { text, kind } = whatIsLeftOfAll(list);
  left.textContent = text;
  left.dataset.kind = kind;
}

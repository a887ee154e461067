import { element, show, title } from "./dom.js";
import { shop } from "./shop.js";
import { signIn } from "./sign-in.js";

export async function open() {
  title("Sign in");
  const { ready_user: ready } = await shop();
  const email = element("input", { id: "email", type: "email", autocomplete: "username", required: true });
  const password = element("input", { id: "password", type: "password", autocomplete: "current-password", required: true });
  const problem = element("p", { class: "notice bad", role: "alert", hidden: true });
  const button = element("button", { class: "go" }, "Sign in");
  const fill = () => {
    email.value = ready.email;
    password.value = ready.password;
    button.focus();
  };
  const form = element(
    "form",
    { class: "panel narrow", onsubmit: send },
    element("h1", {}, "Sign in"),
    problem,
    element("label", { for: "email" }, "Email"),
    email,
    element("label", { for: "password" }, "Password"),
    password,
    button,
    element(
      "p",
      { class: "hint" },
      `On this machine ${ready.email} can sign in. `,
      element("button", { type: "button", class: "link", onclick: fill }, "Fill that in"),
    ),
  );
  show(form);

  async function send(event) {
    event.preventDefault();
    button.disabled = true;
    problem.hidden = true;
    try {
      await signIn(email.value.trim(), password.value);
      location.assign(pageAfter());
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      button.disabled = false;
    }
  }
}

/** Where the buyer came from; never another site. */
function pageAfter() {
  const wanted = new URL(new URLSearchParams(location.search).get("then") ?? "/", location.origin);
  return wanted.origin === location.origin ? wanted.pathname + wanted.search : "/";
}

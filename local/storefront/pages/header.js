// Who is signed in, at the top of each page.
import { element } from "./dom.js";
import { signedInAs, signOut } from "./sign-in.js";

/** Show a link to sign in, or who is signed in and a button to sign out. */
export function showWhoIsSignedIn() {
  const place = document.querySelector("#who");
  const email = signedInAs();
  if (email === null) {
    const then = encodeURIComponent(location.pathname === "/sign-in" ? "/" : location.pathname + location.search);
    place.replaceChildren(element("a", { href: `/sign-in?then=${then}` }, "Sign in"));
    return;
  }
  const leave = () => {
    signOut();
    location.assign("/");
  };
  place.replaceChildren(
    element("span", { class: "email", title: email }, email),
    element("button", { type: "button", class: "link", onclick: leave }, "Sign out"),
  );
}

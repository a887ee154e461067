// Which page this is: by its address. Links between pages are ordinary links.
import { show } from "./dom.js";
import { showWhoIsSignedIn } from "./header.js";
import { problemBox } from "./problems.js";

const PAGES = [
  [/^\/$/, "./events-page.js"],
  [/^\/events\/(\d+)$/, "./event-page.js"],
  [/^\/my-tickets$/, "./my-tickets-page.js"],
  [/^\/sign-in$/, "./sign-in-page.js"],
];

async function start() {
  showWhoIsSignedIn();
  for (const [pattern, module] of PAGES) {
    const found = pattern.exec(location.pathname);
    if (!found) continue;
    const page = await import(module);
    await page.open(...found.slice(1));
    return;
  }
}

start().catch((problem) => show(problemBox(problem, { again: () => location.reload() })));

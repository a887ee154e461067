// What a frontend knows beside this API. On the live shop events are the old backend's, and the login's settings are built in.
import { ApiError } from "./api.js";

let asked;

/** Events, and where one signs in; asked once a page. */
export function shop() {
  asked ??= fetch("/storefront/shop.json").then(
    (response) => response.json(),
    () => {
      asked = undefined;
      throw new ApiError("offline", "The shop could not be reached.");
    },
  );
  return asked;
}

/** An event by its id; one that is not listed has its number as its name. */
export async function findEvent(id) {
  return (await shop()).events.find((event) => event.id === id) ?? { id, name: `Event ${id}`, start: null };
}

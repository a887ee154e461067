// Signing in at Cognito. The pool of this machine lets in by password as it is; the live one by SRP alone, for which
// there are libraries (docs/frontend.md). What comes back, and what is done with it, is the same.
import { ApiError } from "./api.js";
import { shop } from "./shop.js";

const KEY = "cachao.sign-in";
const EARLY_SECONDS = 60;

async function cognito(flow, parameters) {
  const { sign_in: { endpoint_url: endpoint, client_id: client } } = await shop();
  const response = await fetch(endpoint, {
    method: "POST",
    headers: {
      "Content-Type": "application/x-amz-json-1.1",
      "X-Amz-Target": "AWSCognitoIdentityProviderService.InitiateAuth",
    },
    body: JSON.stringify({ ClientId: client, AuthFlow: flow, AuthParameters: parameters }),
  }).catch(() => {
    throw new ApiError("offline", "The sign-in could not be reached.");
  });
  const reply = await response.json().catch(() => ({}));
  if (response.ok && reply.AuthenticationResult) return reply.AuthenticationResult;
  throw new ApiError("invalid_login", reply.message ?? "You could not be signed in.");
}

function claims(token) {
  const part = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
  return JSON.parse(new TextDecoder().decode(Uint8Array.from(atob(part), (letter) => letter.charCodeAt(0))));
}

function keep(idToken, refreshToken) {
  const { email, exp } = claims(idToken);
  localStorage.setItem(KEY, JSON.stringify({ idToken, refreshToken, email, until: exp }));
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEY));
  } catch {
    return null;
  }
}

/** Sign in by e-mail address and password. Raises ApiError. */
export async function signIn(email, password) {
  const result = await cognito("USER_PASSWORD_AUTH", { USERNAME: email, PASSWORD: password });
  keep(result.IdToken, result.RefreshToken);
}

export function signOut() {
  localStorage.removeItem(KEY);
}

/** The address of whoever is signed in, or null. */
export function signedInAs() {
  return kept()?.email ?? null;
}

/** The ID token for the API, or null for a guest; a new one where it runs out, or where the API has refused it. */
export async function token({ renew = false } = {}) {
  const now = kept();
  if (!now) return null;
  if (!renew && now.until - EARLY_SECONDS > Date.now() / 1000) return now.idToken;
  try {
    const result = await cognito("REFRESH_TOKEN_AUTH", { REFRESH_TOKEN: now.refreshToken });
    keep(result.IdToken, now.refreshToken);
    return result.IdToken;
  } catch (problem) {
    if (problem.code === "offline") throw problem;
    throw new ApiError("invalid_token", "");
  }
}

/** Do something with the token; where the API refuses it, once more with a new one. Never without: that is a guest's. */
export async function withToken(work) {
  try {
    return await work(await token());
  } catch (problem) {
    if (problem.code !== "invalid_token") throw problem;
    return work(await token({ renew: true }));
  }
}

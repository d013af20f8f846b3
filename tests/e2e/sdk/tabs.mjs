// One login in two tabs, each with the session as it was stored at sign-in: neither loses it to the other.

import assert from "node:assert/strict";
import { Session } from "@heroiclabs/nakama-js";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let stored, left, right, late, open;

const restored = () => new Session(stored.token, stored.refresh_token, false);
const tokens = ({ token, refresh_token }) => [token, refresh_token];

async function works(session) {
  assert.equal((await client.getAccount(session)).user.id, stored.user_id);
}

await step("sign in, and restore the session in two tabs", async () => {
  stored = await client.authenticateCustom(given.alice.jwt);
  remember(stored);
  [left, right] = [restored(), restored()];
});

await step("both refresh at once and have the same", async () => {
  await Promise.all([client.sessionRefresh(left), client.sessionRefresh(right)]);
  assert.deepEqual(tokens(left), tokens(right));
  assert.notEqual(left.refresh_token, stored.refresh_token);
  remember(left);
});

await step("both work on", async () => {
  await works(left);
  await works(right);
});

await step("a third tab, late but within the grace time, has the same too", async () => {
  late = restored();
  await client.sessionRefresh(late);
  assert.deepEqual(tokens(late), tokens(left));
  await works(late);
});

await step("one tab refreshes again, and then the other with what it has", async () => {
  await client.sessionRefresh(left);
  remember(left);
  await client.sessionRefresh(right);
  assert.deepEqual(tokens(right), tokens(left));
  await works(right);
});

await step("logging out in one tab closes the socket of the other", async () => {
  open = await connect(client, right, false);
  assert.equal(await client.sessionLogout(left, left.token, left.refresh_token), true);
  const closed = await open.inbox.next("disconnect");
  assert.deepEqual([closed.code, closed.reason], [4502, "logged out"]);
});

await step("then no tab has a login any more", async () => {
  for (const session of [left, right, late]) {
    await assert.rejects(client.getAccount(session), { status: 401 });
    await assert.rejects(client.sessionRefresh(session), { status: 401 });
    await assert.rejects(connect(client, session, false));
  }
});

finish();

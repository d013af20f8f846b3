// A socket under the strict policy: warned, kept open by `session_refresh`, and closed when that stays out.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Session } from "@heroiclabs/nakama-js";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let alice, bob, first, hers;

const until = (unix_s) => setTimeout(Math.max(0, unix_s * 1000 - Date.now()));
const refresh = (payload) => hers.socket.rpc("session_refresh", JSON.stringify(payload));

await step("sign in and connect", async () => {
  alice = await client.authenticateCustom(given.alice.jwt);
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
  first = Session.restore(alice.token, alice.refresh_token);
  hers = await connect(client, alice, true, given.alice.format);
});

await step("be warned", async () => {
  const told = await hers.inbox.next("notification");
  assert.equal(told.subject, "session_expiring");
  assert.equal(told.code, -1001);
  assert.deepEqual(told.content, { expires_at: first.expires_at });
});

await step("another player's token is refused", async () => {
  const refused = { code: 7, message: "Refresh token invalid or expired." };
  await assert.rejects(refresh({ token: bob.refresh_token }), refused);
  await assert.rejects(refresh({}), { code: 3 });
});

await step("refresh on the socket", async () => {
  const answer = await refresh({ token: alice.refresh_token, vars: { map: "ice" } });
  assert.equal(answer.id, "session_refresh");
  const pair = JSON.parse(answer.payload);
  alice.update(pair.token, pair.refresh_token);
  remember(alice);
  assert.ok(alice.expires_at > first.expires_at);
  assert.deepEqual([alice.user_id, alice.vars], [first.user_id, { map: "ice" }]);
});

await step("the socket outlives its first token", async () => {
  await until(first.expires_at + 1.2);
  const match = await hers.socket.createMatch();
  assert.equal(match.self.user_id, alice.user_id);
  assert.equal((await client.getAccount(alice)).user.id, alice.user_id);
});

await step("show a session token that was had over HTTP", async () => {
  await client.sessionRefresh(alice);
  remember(alice);
  const answer = await refresh({ session_token: alice.token });
  assert.deepEqual(JSON.parse(answer.payload), { expires_at: alice.expires_at });
});

await step("without a refresh it is warned again, and closed", async () => {
  let told;
  do {
    told = await hers.inbox.next("notification");
  } while (told.content.expires_at < alice.expires_at);
  const closed = await hers.inbox.next("disconnect");
  assert.deepEqual([closed.code, closed.reason], [4501, "session expired"]);
  assert.ok(Date.now() / 1000 >= alice.expires_at);
});

finish();

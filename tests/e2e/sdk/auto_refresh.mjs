// Session tokens that live for seconds: the SDK refreshes by itself, and every call works.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Session } from "@heroiclabs/nakama-js";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let alice, first, hers;

const read = async () => assert.equal((await client.getAccount(alice)).user.id, first.user_id);

await step("sign in and connect", async () => {
  assert.equal(client.autoRefreshSession, true);
  alice = await client.authenticateCustom(given.alice.jwt);
  remember(alice);
  first = Session.restore(alice.token, alice.refresh_token);
  hers = await connect(client, alice, true);
});

await step("call across several expiries", async () => {
  const seen = new Set([first.token]);
  while (Date.now() / 1000 < first.expires_at + 3) {
    await setTimeout(700);
    await read();
    seen.add(alice.token);
    remember(alice);
  }
  assert.ok(seen.size > 4, `${seen.size} tokens`);
});

await step("call many times at once", async () => {
  await setTimeout(1100);
  await Promise.all(Array.from({ length: 8 }, read));
  remember(alice);
});

await step("the session has other tokens now", async () => {
  assert.notEqual(alice.token, first.token);
  assert.notEqual(alice.refresh_token, first.refresh_token);
  assert.ok(alice.expires_at > first.expires_at);
  assert.ok(alice.refresh_expires_at > first.refresh_expires_at);
});

await step("the first token is over", async () => {
  const without = newClient();
  without.autoRefreshSession = false;
  await assert.rejects(without.getAccount(first), { status: 401 });
});

await step("the socket lives with its login", async () => {
  assert.equal((await hers.socket.createMatch()).self.user_id, first.user_id);
  assert.deepEqual(hers.inbox.kept.notification, []);
  await client.sessionLogout(alice, alice.token, alice.refresh_token);
  const closed = await hers.inbox.next("disconnect");
  assert.deepEqual([closed.code, closed.reason], [4502, "logged out"]);
});

finish();

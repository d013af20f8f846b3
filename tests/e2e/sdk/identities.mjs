// A player links a second identity to the account, signs in with either, and unlinks it again.

import assert from "node:assert/strict";
import { finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let alice;

// The SDK rejects with the raw response of fetch.
async function refused(call, status, code) {
  const response = await call.then(() => assert.fail("was not refused"), (why) => why);
  assert.equal(response.status, status);
  assert.equal((await response.json()).code, code);
}

async function signIn(jwt, create) {
  const session = await client.authenticateCustom(jwt, create);
  remember(session);
  return session;
}

await step("sign in", async () => {
  alice = await signIn(given.alice.jwt);
});

await step("the only identity cannot be unlinked", async () => {
  await refused(client.unlinkCustom(alice, { id: given.alice.jwt }), 403, 7);
});

await step("link a second identity, twice", async () => {
  assert.equal(await client.linkCustom(alice, { id: given.bob.jwt }), true);
  assert.equal(await client.linkCustom(alice, { id: given.bob.jwt }), true);
});

await step("either identity signs in to one account", async () => {
  const second = await signIn(given.bob.jwt, false);
  assert.equal(second.user_id, alice.user_id);
  assert.equal((await client.getAccount(second)).custom_id, given.alice.sub);
});

await step("unlink it", async () => {
  assert.equal(await client.unlinkCustom(alice, { id: given.bob.jwt }), true);
  await refused(client.unlinkCustom(alice, { id: given.bob.jwt }), 403, 7);
});

await step("then it is another player, and in use", async () => {
  const bob = await signIn(given.bob.jwt);
  assert.equal(bob.created, true);
  assert.equal(bob.user_id, given.bob.sub);
  await refused(client.linkCustom(alice, { id: given.bob.jwt }), 409, 6);
});

await step("a plain custom id is refused", async () => {
  await refused(client.linkCustom(alice, { id: "somecustomid" }), 401, 16);
});

finish();

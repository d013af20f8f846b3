// A second socket of one player takes over from the first, seen by both and by a follower.

import assert from "node:assert/strict";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let alice, bob, older, newer, his, match;

await step("connect and meet", async () => {
  alice = await client.authenticateCustom(given.alice.jwt);
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
  older = await connect(client, alice, true, given.alice.format);
  his = await connect(client, bob, false, given.bob.format);
  await his.socket.followUsers([alice.user_id]);
  match = await his.socket.createMatch();
  await his.inbox.next("matchpresence");
  await older.socket.joinMatch(match.match_id);
  await his.inbox.next("matchpresence");
});

await step("the older socket is told, then closed", async () => {
  newer = await connect(client, alice, true, given.alice.format);
  const told = await older.inbox.next("notification");
  const closed = await older.inbox.next("disconnect");
  assert.equal(told.code, -7);
  assert.equal(told.subject, "single_socket");
  assert.deepEqual(told.content, {});
  assert.deepEqual([closed.code, closed.reason], [1000, "server-side session disconnect"]);
});

await step("a follower sees the old leave before the new joins", async () => {
  const first = await his.inbox.next("statuspresence");
  const second = await his.inbox.next("statuspresence");
  assert.deepEqual(first.joins ?? [], []);
  assert.deepEqual(second.leaves ?? [], []);
  assert.notEqual(first.leaves[0].session_id, second.joins[0].session_id);
});

await step("the match has lost the older socket", async () => {
  const seen = await his.inbox.next("matchpresence");
  assert.deepEqual(seen.leaves.map(({ user_id }) => user_id), [alice.user_id]);
});

await step("the newer socket works", async () => {
  const joined = await newer.socket.joinMatch(match.match_id);
  assert.deepEqual(joined.presences.map(({ user_id }) => user_id), [bob.user_id]);
  await newer.socket.sendMatchState(match.match_id, 1, "back");
  assert.equal((await his.inbox.next("matchdata")).op_code, 1);
});

finish();

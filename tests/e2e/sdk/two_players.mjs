// Two players from sign-in to logout, through the SDK alone.

import assert from "node:assert/strict";
import { setTimeout } from "node:timers/promises";
import { Session } from "@heroiclabs/nakama-js";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let alice, bob; // sessions
let hers, his; // sockets with inboxes
let match, seenByBob;

const brief = ({ user_id, username }) => ({ user_id, username });
const withStatus = ({ user_id, username, status }) => ({ user_id, username, status });
const of = (session) => ({ user_id: session.user_id, username: session.username });
// The adapters send texts in different encodings, and differ in what they make of absent fields.
const text = (data, { format }) => new TextDecoder(format === "protobuf" ? "utf-8" : "latin1").decode(data);
const who = ({ user_id, session_id, username }) => ({ user_id, session_id, username });
const none = (presences) => assert.deepEqual(presences ?? [], []);

await step("sign in", async () => {
  alice = await client.authenticateCustom(given.alice.jwt, true, "mallory", { role: "admin" });
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
  assert.equal(alice.created, true);
  assert.equal(alice.user_id, given.alice.sub);
  assert.equal(bob.user_id, given.bob.sub);
  assert.equal(alice.username, "alice");
  assert.deepEqual(alice.vars, { role: "admin" });
  assert.ok(alice.expires_at > Date.now() / 1000 + 3600);
});

await step("sign in again finds the account", async () => {
  const again = await client.authenticateCustom(given.alice.jwt);
  remember(again);
  assert.equal(again.created, false);
  assert.equal(again.user_id, alice.user_id);
});

await step("read the account", async () => {
  const account = await client.getAccount(alice);
  assert.equal(account.user.id, alice.user_id);
  assert.equal(account.user.username, "alice");
});

await step("connect", async () => {
  hers = await connect(client, alice, true, given.alice.format);
  his = await connect(client, bob, true, given.bob.format);
  const own = await hers.inbox.next("statuspresence");
  assert.deepEqual(own.joins.map(withStatus), [{ ...of(alice), status: "" }]);
  await his.inbox.next("statuspresence");
});

await step("follow each other's status", async () => {
  const his_line = await hers.socket.followUsers([bob.user_id]);
  const her_line = await his.socket.followUsers([alice.user_id]);
  assert.deepEqual(his_line.presences.map(withStatus), [{ ...of(bob), status: "" }]);
  assert.deepEqual(her_line.presences.map(withStatus), [{ ...of(alice), status: "" }]);
});

await step("see status updates", async () => {
  await his.socket.updateStatus("fishing");
  const seen = await hers.inbox.next("statuspresence");
  assert.deepEqual(seen.joins.map(withStatus), [{ ...of(bob), status: "fishing" }]);
  assert.deepEqual(seen.leaves.map(withStatus), [{ ...of(bob), status: "" }]);
  assert.equal((await his.inbox.next("statuspresence")).joins[0].status, "fishing");

  await hers.socket.updateStatus("läuft ✓");
  assert.equal((await his.inbox.next("statuspresence")).joins[0].status, "läuft ✓");
});

await step("create a match", async () => {
  match = await hers.socket.createMatch();
  assert.match(match.match_id, /^[0-9a-f-]{36}\.$/);
  assert.equal(match.size, 1);
  assert.deepEqual(brief(match.self), of(alice));
  const own = await hers.inbox.next("matchpresence");
  assert.deepEqual(own.joins.map(brief), [of(alice)]);
});

await step("join the match", async () => {
  seenByBob = await his.socket.joinMatch(match.match_id);
  assert.equal(seenByBob.match_id, match.match_id);
  assert.deepEqual(seenByBob.presences.map(brief), [of(alice)]);
  assert.deepEqual(brief(seenByBob.self), of(bob));
});

await step("see each other's presence", async () => {
  const hers_event = await hers.inbox.next("matchpresence");
  const his_event = await his.inbox.next("matchpresence");
  assert.equal(hers_event.match_id, match.match_id);
  assert.deepEqual(hers_event.joins.map(who), [who(seenByBob.self)]);
  assert.deepEqual(his_event.joins.map(who), [who(seenByBob.self)]);
});

await step("exchange text", async () => {
  await hers.socket.sendMatchState(match.match_id, 1, "grüezi");
  const got = await his.inbox.next("matchdata");
  assert.equal(got.match_id, match.match_id);
  assert.equal(got.op_code, 1);
  assert.equal(text(got.data, given.alice), "grüezi");
  assert.deepEqual(who(got.presence), who(match.self));
});

await step("exchange bytes", async () => {
  const every = Uint8Array.from({ length: 256 }, (_, n) => n);
  await his.socket.sendMatchState(match.match_id, 2, every);
  const got = await hers.inbox.next("matchdata");
  assert.equal(got.op_code, 2);
  assert.deepEqual(new Uint8Array(got.data), every);
  assert.deepEqual(who(got.presence), who(seenByBob.self));
});

await step("keep the order of many", async () => {
  for (let n = 1; n <= 50; n++) {
    await hers.socket.sendMatchState(match.match_id, n, String(n));
  }
  for (let n = 1; n <= 50; n++) {
    const got = await his.inbox.next("matchdata");
    assert.deepEqual([got.op_code, text(got.data, given.alice)], [n, String(n)]);
  }
});

await step("send to one member alone", async () => {
  await hers.socket.sendMatchState(match.match_id, 3, "to me", [match.self]);
  await hers.socket.sendMatchState(match.match_id, 4, "to him", [seenByBob.self]);
  assert.equal(text((await hers.inbox.next("matchdata")).data, given.alice), "to me");
  assert.equal(text((await his.inbox.next("matchdata")).data, given.alice), "to him");
});

await step("refuse a match that is not there", async () => {
  const missing = "00000000-0000-4000-8000-000000000000.";
  await assert.rejects(his.socket.joinMatch(missing), { code: 4, message: "Match not found" });
});

await step("see who leaves", async () => {
  await his.socket.leaveMatch(match.match_id);
  const seen = await hers.inbox.next("matchpresence");
  assert.deepEqual(seen.leaves.map(who), [who(seenByBob.self)]);
  none(seen.joins);
});

let first;
await step("refresh the session", async () => {
  first = new Session(alice.token, alice.refresh_token, false);
  // Tokens count whole seconds: within the second of the login, a refresh may give the same text again.
  await setTimeout(Math.max(0, (alice.created_at + 1) * 1000 - Date.now()));
  await client.sessionRefresh(alice);
  remember(alice);
  assert.ok(alice.token !== first.token && alice.refresh_token !== first.refresh_token);
  assert.ok(alice.expires_at > first.expires_at);
  assert.deepEqual([alice.user_id, alice.username, alice.vars], [first.user_id, "alice", { role: "admin" }]);
  assert.equal((await client.getAccount(alice)).user.id, alice.user_id);
});

await step("log out", async () => {
  await client.sessionLogout(alice, alice.token, alice.refresh_token);
  const closed = await hers.inbox.next("disconnect");
  assert.deepEqual([closed.code, closed.reason], [4502, "logged out"]);
  const seen = await his.inbox.next("statuspresence");
  assert.deepEqual(seen.leaves.map(brief), [of(alice)]);
});

await step("a logged-out token opens nothing", async () => {
  for (const session of [alice, first]) {
    await assert.rejects(client.getAccount(session), { status: 401 });
    await assert.rejects(client.sessionRefresh(session), { status: 401 });
    await assert.rejects(connect(client, session, false, given.alice.format));
  }
});

await step("the other player plays on", async () => {
  assert.equal((await client.getAccount(bob)).user.id, bob.user_id);
  await his.socket.updateStatus("alone");
  assert.equal((await his.inbox.next("statuspresence")).joins[0].status, "alone");
  his.socket.disconnect(true);
  await his.inbox.next("disconnect");
});

finish();

// What games of the reference server do, by the SDK alone; the game is tests/support/games/reference.py.

import assert from "node:assert/strict";
import { connect, finish, given, newClient, rejected, remember, step } from "./story.mjs";

const client = newClient();
const decode = (bytes) => new TextDecoder().decode(bytes);
let alice, bob, hers, his, matchId;

await step("sign in, and be greeted by the game", async () => {
  alice = await client.authenticateCustom(given.alice.jwt);
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
  hers = await connect(client, alice, true, given.alice.format);
  his = await connect(client, bob, true, given.bob.format);
  const greeting = await hers.inbox.next("notification");
  assert.deepEqual([greeting.subject, greeting.code, greeting.content], ["welcome", 9, { name: "alice" }]);
  await his.inbox.next("notification");
});

await step("echo over socket and HTTP", async () => {
  assert.equal((await hers.socket.rpc("echo", "text")).payload, "text");
  assert.deepEqual((await client.rpc(alice, "ECHO", { a: [1, "ü"] })).payload, { a: [1, "ü"] });
});

await step("call by the key of a server", async () => {
  assert.deepEqual((await client.rpcHttpKey("defaulthttpkey", "echo", { b: 2 })).payload, { b: 2 });
  const told = (await client.rpcHttpKey("defaulthttpkey", "whoami", {})).payload;
  assert.equal(told.user_id, "");
  await rejected(client.rpcHttpKey("wrong", "echo", {}), 401, /^HTTP key invalid$/);
});

await step("a call that refuses, one that fails, one that is not there", async () => {
  await rejected(client.rpc(alice, "fail", {}), 409, /^not now$/);
  await rejected(client.rpc(alice, "crash", {}), 500, /^RPC function failed$/);
  await rejected(client.rpc(alice, "nope", {}), 404, /^RPC function not found$/);
  await assert.rejects(hers.socket.rpc("fail", ""), { code: 7, message: "not now" });
  await assert.rejects(hers.socket.rpc("nope", ""), { code: 6, message: "RPC function not found" });
});

await step("a notification sent by a call, now and later", async () => {
  await hers.socket.rpc("notify", "hi");
  const told = await hers.inbox.next("notification");
  assert.deepEqual([told.subject, told.code, told.content], ["hello", 42, { said: "hi" }]);
  const kept = (await client.listNotifications(alice, 10)).notifications;
  assert.deepEqual(kept.map((each) => each.subject), ["hello"]);
});

await step("a stream joined and written by a call", async () => {
  await hers.socket.rpc("join_stream", "");
  const { stream, joins } = await hers.inbox.next("streampresence");
  assert.deepEqual([stream.mode, stream.label, joins[0].username], [100, "news", "alice"]);
  assert.equal((await hers.inbox.next("streamdata")).data, "alice is here");
  assert.deepEqual(JSON.parse((await his.socket.rpc("stream_members", "")).payload), ["alice"]);
});

await step("a match made by a call is found at once by its label", async () => {
  const answer = (await client.rpc(alice, "create_match", { skill: 60, tags: ["a", "b"] })).payload;
  matchId = answer.match_id;
  const query = "+label.skill:>=50 +label.tags:b";
  const [found] = (await client.listMatches(alice, 1, true, "", 0, 10, query)).matches;
  assert.deepEqual([found.match_id, found.authoritative, found.size ?? 0], [matchId, true, 0]);
  assert.deepEqual(JSON.parse(found.label), { kind: "echo", skill: 60, tags: ["a", "b"] });
  assert.deepEqual([found.tick_rate, found.handler_name], [30, "Echo"]);
  const none = await client.listMatches(alice, 1, true, "", 0, 10, "+label.skill:>=70");
  assert.equal(none.matches, undefined);
});

await step("join it, be refused, and hear each other", async () => {
  const match = await hers.socket.joinMatch(matchId);
  assert.deepEqual([match.authoritative, JSON.parse(match.label).skill], [true, 60]);
  assert.equal((await hers.inbox.next("matchpresence")).joins[0].username, "alice");
  assert.equal(decode((await hers.inbox.next("matchdata")).data), "welcome alice");
  await assert.rejects(his.socket.joinMatch(matchId, undefined, { no: "full" }), { code: 5, message: "full" });
  const late = await his.socket.joinMatch(matchId);
  assert.deepEqual((late.presences ?? []).map((each) => each.username), ["alice"]);
  assert.equal((await hers.inbox.next("matchpresence")).joins[0].username, "bob");
  assert.equal(decode((await his.inbox.next("matchdata")).data), "welcome bob");
  await his.socket.sendMatchState(matchId, 7, "to all");
  for (const { inbox } of [hers, his]) {
    const { op_code, data, presence } = await inbox.next("matchdata");
    assert.deepEqual([Number(op_code), decode(data), presence.username], [7, "to all", "bob"]);
  }
  assert.equal((await client.listMatches(alice, 1, true, "", 2, 2, "+label.skill:60")).matches[0].size, 2);
});

await step("be kicked", async () => {
  await his.inbox.next("matchpresence"); // his own
  await his.socket.sendMatchState(matchId, 7, "kick me");
  assert.equal((await hers.inbox.next("matchpresence")).leaves[0].username, "bob");
});

await step("a match ends, and says nothing any more", async () => {
  await hers.socket.sendMatchState(matchId, 7, "end");
  while ((await client.listMatches(alice, 10, true)).matches !== undefined);
  await assert.rejects(his.socket.joinMatch(matchId), { code: 4, message: "Match not found" });
});

await step("a hook changes a message, and refuses one", async () => {
  await his.socket.followUsers([alice.user_id]);
  await hers.socket.updateStatus("quiet");
  let shown = await his.inbox.next("statuspresence");
  while (shown.joins?.[0]?.status !== "QUIET") shown = await his.inbox.next("statuspresence");
  await assert.rejects(hers.socket.updateStatus("rude"), { code: 7, message: "Mind your words" });
});

await step("the matched are given a match of the game", async () => {
  await hers.socket.addMatchmaker("*", 2, 2);
  await his.socket.addMatchmaker("*", 2, 2);
  const [mine, other] = [await hers.inbox.next("matchmakermatched"), await his.inbox.next("matchmakermatched")];
  assert.ok(mine.match_id);
  assert.equal(mine.match_id, other.match_id);
  assert.ok(!mine.token);
  const match = await hers.socket.joinMatch(mine.match_id);
  assert.equal(JSON.parse(match.label).made_for, 2);
  matchId = mine.match_id;
});

await step("or of a relayed one, if the game says so", async () => {
  await hers.socket.addMatchmaker("*", 2, 2, { relayed: "yes" });
  await his.socket.addMatchmaker("*", 2, 2, { relayed: "yes" });
  const mine = await hers.inbox.next("matchmakermatched");
  await his.inbox.next("matchmakermatched");
  assert.ok(mine.token);
  assert.ok(!mine.match_id);
});

await step("a match that fails puts its players out, and only them", async () => {
  await hers.socket.sendMatchState(matchId, 7, "fail");
  await hers.inbox.next("disconnect");
  assert.equal((await his.socket.rpc("echo", "still here")).payload, "still here");
});

finish();

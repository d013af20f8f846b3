// What players ask beside the game: accounts, other players, matches, functions of the game, its streams.

import assert from "node:assert/strict";
import { connect, finish, given, newClient, rejected, remember, step } from "./story.mjs";

const client = newClient();
let alice, bob; // sessions
let hers, his; // sockets with inboxes

await step("sign in and connect", async () => {
  alice = await client.authenticateCustom(given.alice.jwt);
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
  hers = await connect(client, alice, true, given.alice.format);
  his = await connect(client, bob, false, given.bob.format);
});

await step("change the account", async () => {
  assert.equal(await client.updateAccount(alice, { display_name: "Älice", location: "here" }), true);
  assert.equal(await client.updateAccount(alice, { location: "", timezone: "UTC" }), true);
  const { user } = await client.getAccount(alice);
  assert.deepEqual([user.display_name, user.location, user.timezone], ["Älice", undefined, "UTC"]);
  await rejected(client.updateAccount(alice, { username: "bob" }), 400, /Username is already in use\./);
  await rejected(client.updateAccount(alice, {}), 400, /^No fields to update\.$/);
});

await step("look players up", async () => {
  const { users } = await client.getUsers(bob, [alice.user_id], ["bob", "nobody"]);
  const byName = Object.fromEntries(users.map((user) => [user.username, user]));
  assert.deepEqual(Object.keys(byName).sort(), ["alice", "bob"]);
  assert.equal(byName.alice.display_name, "Älice");
  assert.equal(byName.alice.online, true);
  assert.ok(!byName.bob.online);
  assert.deepEqual((await client.getUsers(bob, [], ["nobody"])).users, []);
});

await step("find matches", async () => {
  const made = await his.socket.createMatch();
  const all = (await client.listMatches(alice, 10)).matches;
  assert.deepEqual(all.map((match) => match.match_id), [given.match_id, made.match_id]);
  const query = "+label.skill:>=50";
  const [found] = (await client.listMatches(alice, 1, true, "", 0, 10, query)).matches;
  assert.deepEqual([found.match_id, found.label, found.authoritative], [given.match_id, given.label, true]);
  assert.equal((await client.listMatches(alice, 1, true, "other")).matches, undefined);
  const [relayed] = (await client.listMatches(alice, 1, false)).matches;
  assert.deepEqual([relayed.match_id, relayed.size], [made.match_id, 1]);
});

await step("join a match of the game", async () => {
  const match = await hers.socket.joinMatch(given.match_id, undefined, { team: "red" });
  assert.deepEqual([match.match_id, match.authoritative, match.label], [given.match_id, true, given.label]);
  assert.equal((await hers.inbox.next("matchpresence")).joins[0].username, "alice");
  await assert.rejects(his.socket.joinMatch(given.match_id, undefined, { no: "red is full" }), {
    code: 5,
    message: "red is full",
  });
  const late = await his.socket.joinMatch(given.match_id);
  assert.deepEqual(late.presences.map((presence) => presence.username), ["alice"]);
  assert.equal((await hers.inbox.next("matchpresence")).joins[0].username, "bob");
  await hers.socket.sendMatchState(given.match_id, 7, "go");
  await hers.socket.leaveMatch(given.match_id);
});

await step("call a function over HTTP", async () => {
  const answer = await client.rpc(alice, "Game/WhoAmI", { a: [1, "ü"] });
  assert.deepEqual(answer.payload, { user: "alice", said: '{"a":[1,"ü"]}' });
  await rejected(client.rpc(alice, "nope", {}), 404, /^RPC function not found$/);
  await rejected(client.rpc(alice, "refuse", {}), 409, /^not now$/);
});

await step("call a function as another server", async () => {
  const answer = await client.rpcHttpKey("defaulthttpkey", "game/whoami", { b: 2 });
  assert.deepEqual(answer.payload, { user: "", said: '{"b":2}' });
  await rejected(client.rpcHttpKey("wrong", "game/whoami", {}), 401, /^HTTP key invalid$/);
});

await step("call a function over the socket", async () => {
  const answer = await hers.socket.rpc("Game/WhoAmI", "hello");
  assert.equal(answer.id, "Game/WhoAmI");
  assert.deepEqual(JSON.parse(answer.payload), { user: "alice", said: "hello" });
  await assert.rejects(hers.socket.rpc("nope"), { code: 6, message: "RPC function not found" });
  await assert.rejects(hers.socket.rpc("refuse", "x"), { code: 7, message: "not now" });
});

await step("a function puts players on a stream and speaks there", async () => {
  await hers.socket.rpc("stream", "");
  assert.equal((await hers.inbox.next("streampresence")).joins[0].username, "alice");
  await his.socket.rpc("stream", "");
  const { stream, joins } = await hers.inbox.next("streampresence");
  assert.deepEqual([stream.mode, stream.label, joins[0].username], [100, "news", "bob"]);
  assert.equal((await hers.inbox.next("streamdata")).data, "welcome bob");
  his.socket.disconnect(false);
  assert.equal((await hers.inbox.next("streampresence")).leaves[0].username, "bob");
});

finish();

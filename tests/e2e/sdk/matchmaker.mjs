// Two players who search for each other, through the SDK alone. Rounds come every fifth of a second.

import assert from "node:assert/strict";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let alice, bob, hers, his, herTicket, hisTicket, herMatch, hisMatch;

const of = (session) => ({ user_id: session.user_id, username: session.username });
const who = ({ user_id, username }) => ({ user_id, username });
const names = (matched) => matched.users.map(({ presence }) => presence.username).sort();
const code = (error) => error.code ?? 0; // JSON leaves a zero out

await step("connect", async () => {
  alice = await client.authenticateCustom(given.alice.jwt);
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
  hers = await connect(client, alice, false, given.alice.format);
  his = await connect(client, bob, false, given.bob.format);
});

await step("search for each other by what they are", async () => {
  const near = "+properties.rank:>=10 +properties.rank:<=20 +properties.mode:duel";
  herTicket = await hers.socket.addMatchmaker(near, 2, 2, { mode: "duel" }, { rank: 12 });
  hisTicket = await his.socket.addMatchmaker(near, 2, 2, { mode: "duel" }, { rank: 19.5 });
  assert.notEqual(herTicket.ticket, hisTicket.ticket);
});

await step("both are told of both", async () => {
  herMatch = await hers.inbox.next("matchmakermatched");
  hisMatch = await his.inbox.next("matchmakermatched");
  assert.equal(herMatch.ticket, herTicket.ticket);
  assert.equal(hisMatch.ticket, hisTicket.ticket);
  assert.deepEqual(names(herMatch), ["alice", "bob"]);
  assert.deepEqual(names(hisMatch), ["alice", "bob"]);
  assert.deepEqual(who(herMatch.self.presence), of(alice));
  assert.deepEqual(who(hisMatch.self.presence), of(bob));
  const bobs = herMatch.users.find(({ presence }) => presence.username === "bob");
  assert.equal(bobs.string_properties.mode, "duel");
  assert.equal(bobs.numeric_properties.rank, 19.5);
  assert.ok(herMatch.token);
  assert.equal(herMatch.token, hisMatch.token);
  assert.ok(!herMatch.match_id);
});

await step("the token leads into one match", async () => {
  const first = await hers.socket.joinMatch(undefined, herMatch.token);
  const second = await his.socket.joinMatch(undefined, hisMatch.token);
  assert.equal(first.match_id, second.match_id);
  assert.deepEqual((first.presences ?? []).map(who), []);
  assert.deepEqual(second.presences.map(who), [of(alice)]);
});

await step("who asks for others is not matched", async () => {
  await hers.socket.addMatchmaker("+properties.mode:team", 2, 2, { mode: "duel" });
  await his.socket.addMatchmaker("+properties.mode:team", 2, 2, { mode: "duel" });
  // Whoever searches after them and finds one another shows that rounds went by.
  const wide = await hers.socket.addMatchmaker("+properties.mode:wide", 2, 2, { mode: "wide" });
  await his.socket.addMatchmaker("+properties.mode:wide", 2, 2, { mode: "wide" });
  const matched = await hers.inbox.next("matchmakermatched");
  assert.equal(matched.ticket, wide.ticket);
  await his.inbox.next("matchmakermatched");
});

await step("withdraw a search", async () => {
  const { ticket } = await hers.socket.addMatchmaker("*", 4, 4);
  await hers.socket.removeMatchmaker(ticket);
  await assert.rejects(hers.socket.removeMatchmaker(ticket), { code: 3, message: "Matchmaker ticket not found" });
});

await step("impossible searches are refused", async () => {
  await assert.rejects(hers.socket.addMatchmaker("*", 1, 2), {
    code: 3,
    message: "Invalid minimum count, must be >= 2",
  });
  const badly = (error) => code(error) === 0 && error.message === "Error adding to matchmaker";
  await assert.rejects(hers.socket.addMatchmaker("+a:/(/", 2, 2), badly);
});

finish();

// Two players in open and in closed parties, through the SDK; the listing, which it does not have, by fetch.
//
// The protobuf adapter of the SDK is older than parties that can be hidden: it reads the numbers that later
// fields of Party had before. A party's id and whether it is open are right there, so that is what is asked.

import assert from "node:assert/strict";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let alice, bob, hers, his, party, she, he;

const who = ({ user_id, session_id, username }) => ({ user_id, session_id, username });
const all = (presences) => (presences ?? []).map(who);
const none = (presences) => assert.deepEqual(presences ?? [], []);
// The adapters send texts in different encodings.
const text = (data, { format }) => new TextDecoder(format === "protobuf" ? "utf-8" : "latin1").decode(data);

// The next party that a player is shown: who they are in it, who leads it, who is in it.
async function shown({ inbox }, { format }, self, leader, presences) {
  const seen = await inbox.next("party");
  assert.equal(seen.party_id, party.party_id);
  if (format === "protobuf") return;
  assert.deepEqual([who(seen.self), who(seen.leader)], [who(self), who(leader)]);
  assert.deepEqual(all(seen.presences), all(presences));
}

async function sees({ inbox }, { joins, leaves }) {
  const event = await inbox.next("partypresence");
  assert.equal(event.party_id, party.party_id);
  assert.deepEqual([all(event.joins), all(event.leaves)], [all(joins), all(leaves)]);
}

await step("connect", async () => {
  alice = await client.authenticateCustom(given.alice.jwt);
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
  hers = await connect(client, alice, false, given.alice.format);
  his = await connect(client, bob, false, given.bob.format);
});

await step("open a party and see oneself in it", async () => {
  party = await hers.socket.createParty(true, 2);
  assert.match(party.party_id, /^[0-9a-f-]{36}\.node1$/);
  assert.equal(party.open, true);
  const joined = await hers.inbox.next("partypresence");
  assert.equal(joined.party_id, party.party_id);
  assert.equal(joined.joins.length, 1);
  none(joined.leaves);
  she = joined.joins[0];
  assert.deepEqual([she.user_id, she.username], [alice.user_id, "alice"]);
  if (given.alice.format !== "protobuf") {
    assert.equal(party.max_size, 2);
    assert.deepEqual([who(party.self), who(party.leader)], [who(she), who(she)]);
    assert.deepEqual(all(party.presences), [who(she)]);
  }
  await shown(hers, given.alice, she, she, [she]);
});

await step("join it, seen by both", async () => {
  await his.socket.joinParty(party.party_id);
  const joined = await his.inbox.next("partypresence");
  assert.equal(joined.joins.length, 1);
  he = joined.joins[0];
  assert.deepEqual([he.user_id, he.username], [bob.user_id, "bob"]);
  await shown(his, given.bob, he, she, [she, he]);
  await sees(hers, { joins: [he] });
});

await step("exchange data", async () => {
  await hers.socket.sendPartyData(party.party_id, 1, "grüezi");
  const got = await his.inbox.next("partydata");
  assert.deepEqual([got.party_id, Number(got.op_code)], [party.party_id, 1]);
  assert.equal(text(got.data, given.alice), "grüezi");
  assert.deepEqual(who(got.presence), who(she));

  const every = Uint8Array.from({ length: 256 }, (_, n) => n);
  await his.socket.sendPartyData(party.party_id, 2, every);
  assert.deepEqual(new Uint8Array((await hers.inbox.next("partydata")).data), every);
});

await step("search together and stop", async () => {
  const found = await hers.socket.addMatchmakerParty(party.party_id, "*", 3, 4, { mode: "duo" }, { rank: 7 });
  const told = await his.inbox.next("partymatchmakerticket");
  assert.deepEqual([told.party_id, told.ticket], [party.party_id, found.ticket]);
  assert.equal(found.party_id, party.party_id);
  await hers.socket.removeMatchmakerParty(party.party_id, found.ticket);
  await assert.rejects(hers.socket.removeMatchmakerParty(party.party_id, found.ticket), {
    code: 3,
    message: "Error closing party: matchmaker ticket not found",
  });
});

await step("a change of members cancels the search", async () => {
  const found = await hers.socket.addMatchmakerParty(party.party_id, "", 3, 4);
  await his.inbox.next("partymatchmakerticket");
  await his.socket.leaveParty(party.party_id);
  await sees(hers, { leaves: [he] });
  await assert.rejects(hers.socket.removeMatchmakerParty(party.party_id, found.ticket), {
    message: "Error closing party: matchmaker ticket not found",
  });
  await his.socket.joinParty(party.party_id);
  await his.inbox.next("party");
  await sees(his, { joins: [he] });
  await sees(hers, { joins: [he] });
});

await step("promote the other", async () => {
  await hers.socket.promotePartyMember(party.party_id, he);
  for (const { inbox } of [hers, his]) {
    const told = await inbox.next("partyleader");
    assert.deepEqual([told.party_id, who(told.presence)], [party.party_id, who(he)]);
  }
});

await step("only the leader leads", async () => {
  const refusals = [
    [hers.socket.promotePartyMember(party.party_id, she), "Error promoting new party leader"],
    [hers.socket.removePartyMember(party.party_id, he), "Error removing party member or join request"],
    [hers.socket.listPartyJoinRequests(party.party_id), "Error listing party join requests"],
    [hers.socket.addMatchmakerParty(party.party_id, "*", 2, 2), "Error adding party to matchmaker"],
    [hers.socket.closeParty(party.party_id), "Error closing party"],
  ];
  for (const [refused, doing] of refusals) {
    await assert.rejects(refused, { code: 3, message: `${doing}: party leader only` });
  }
});

await step("the leader leaves and the other leads", async () => {
  await his.socket.leaveParty(party.party_id);
  assert.deepEqual(who((await hers.inbox.next("partyleader")).presence), who(she));
  await sees(hers, { leaves: [he] });
});

await step("a full party refuses", async () => {
  const small = await his.socket.createParty(true, 1);
  await his.inbox.next("party");
  await his.inbox.next("partypresence");
  await assert.rejects(hers.socket.joinParty(small.party_id), {
    code: 3,
    message: "Error joining party: party full",
  });
  await his.socket.leaveParty(small.party_id);
  await assert.rejects(hers.socket.joinParty(small.party_id), {
    message: "Error joining party: party not found",
  });
});

await step("close it for all", async () => {
  await his.socket.joinParty(party.party_id);
  await his.inbox.next("party");
  await sees(his, { joins: [he] });
  await sees(hers, { joins: [he] });
  await hers.socket.closeParty(party.party_id);
  assert.equal((await his.inbox.next("partyclose")).party_id, party.party_id);
  assert.equal((await hers.inbox.next("partyclose")).party_id, party.party_id);
});

await step("ask to join a closed one", async () => {
  party = await hers.socket.createParty(false, 4);
  assert.ok(!party.open);
  await shown(hers, given.alice, she, she, [she]);
  await sees(hers, { joins: [she] });
  await his.socket.joinParty(party.party_id);
  const asked = await hers.inbox.next("partyjoinrequest");
  assert.deepEqual([asked.party_id, all(asked.presences)], [party.party_id, [who(he)]]);
  const listed = await hers.socket.listPartyJoinRequests(party.party_id);
  assert.deepEqual(all(listed.presences), [who(he)]);
  await assert.rejects(his.socket.joinParty(party.party_id), {
    message: "Error joining party: party join request duplicate",
  });
});

await step("be turned down, and ask again", async () => {
  await hers.socket.removePartyMember(party.party_id, he);
  none((await hers.socket.listPartyJoinRequests(party.party_id)).presences);
  await his.socket.joinParty(party.party_id);
  await hers.inbox.next("partyjoinrequest");
});

await step("be accepted", async () => {
  const [asking] = (await hers.socket.listPartyJoinRequests(party.party_id)).presences;
  await hers.socket.acceptPartyMember(party.party_id, asking);
  await shown(his, given.bob, he, she, [she, he]);
  await sees(his, { joins: [he] });
  await sees(hers, { joins: [he] });
});

await step("be removed", async () => {
  await hers.socket.removePartyMember(party.party_id, he);
  assert.equal((await his.inbox.next("partyclose")).party_id, party.party_id);
  await sees(hers, { leaves: [he] });
  assert.deepEqual(his.inbox.kept.partypresence, []);
});

await step("find open parties over HTTP", async () => {
  const list = async (query) => {
    const headers = { Authorization: `Bearer ${bob.token}` };
    const answer = await fetch(`http://${given.host}:${given.port}/v2/party?${query}`, { headers });
    assert.equal(answer.status, 200);
    return answer.json();
  };
  const open = await his.socket.createParty(true, 8);
  await his.inbox.next("party");
  await his.inbox.next("partypresence");
  assert.deepEqual(await list("open=true"), {
    parties: [{ party_id: open.party_id, open: true, max_size: 8, label: "{}" }],
  });
  const first = await list("limit=1");
  assert.deepEqual(first.parties.map(({ party_id }) => party_id), [open.party_id]);
  const second = await list(`limit=1&cursor=${first.cursor}`);
  assert.deepEqual(second, { parties: [{ party_id: party.party_id, max_size: 4, label: "{}" }] });
  assert.deepEqual(await list(`query=${encodeURIComponent("+label.mode:ranked")}`), {});
});

await step("whoever disconnects has left", async () => {
  await his.socket.joinParty(party.party_id);
  await hers.inbox.next("partyjoinrequest");
  await hers.socket.acceptPartyMember(party.party_id, he);
  await his.inbox.next("party");
  await sees(hers, { joins: [he] });
  his.socket.disconnect(true);
  await sees(hers, { leaves: [he] });
});

finish();

// Rooms, direct conversations, their history, and notifications.

import assert from "node:assert/strict";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const ROOM = 1;
const DIRECT = 2;
const client = newClient();
let alice, bob; // sessions
let hers, his; // sockets with inboxes
let room, passing, direct; // channels
const sent = []; // acknowledgements, in order

const names = (presences) => (presences ?? []).map((each) => each.username).sort();
const texts = (listed) => (listed.messages ?? []).map((each) => each.content.text);
const refused = (message) => ({ code: 3, message });
const badRequest = async (call, message) => {
  const response = await call.then(() => assert.fail("was not refused"), (why) => why);
  assert.deepEqual([response.status, (await response.json()).message], [400, message]);
};

await step("sign in and connect", async () => {
  alice = await client.authenticateCustom(given.alice.jwt);
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
  hers = await connect(client, alice, true, given.alice.format);
  his = await connect(client, bob, true, given.bob.format);
});

await step("join a room and see each other", async () => {
  room = await hers.socket.joinChat("lobby ✓", ROOM, true, false);
  assert.equal(room.id, "2...lobby ✓");
  assert.equal(room.room_name, "lobby ✓");
  assert.deepEqual([room.self.user_id, room.self.persistence], [alice.user_id, true]);
  assert.deepEqual(names(room.presences), []);
  assert.deepEqual(names((await hers.inbox.next("channelpresence")).joins), ["alice"]);

  const seen = await his.socket.joinChat("lobby ✓", ROOM, true, false);
  assert.deepEqual(names(seen.presences), ["alice"]);
  for (const { inbox } of [hers, his]) {
    const event = await inbox.next("channelpresence");
    assert.equal(event.channel_id, room.id);
    assert.deepEqual(names(event.joins), ["bob"]);
  }
});

await step("what is said reaches both, the sender included", async () => {
  for (const [socket, text] of [[hers, "läuft ✓"], [his, "two"], [hers, "three"], [his, "four"], [hers, "five"]]) {
    sent.push(await socket.socket.writeChatMessage(room.id, { text }));
    for (const { inbox } of [hers, his]) {
      const heard = await inbox.next("channelmessage");
      assert.deepEqual(heard.content, { text });
      assert.deepEqual([heard.code, heard.persistent, heard.room_name], [0, true, "lobby ✓"]);
      assert.equal(heard.message_id, sent.at(-1).message_id);
      assert.equal(heard.sender_id, (socket === hers ? alice : bob).user_id);
    }
  }
  assert.deepEqual([sent[0].channel_id, sent[0].username, sent[0].code], [room.id, "alice", 0]);
  assert.ok(Math.abs(new Date(sent[0].create_time) - Date.now()) < 60_000);
});

await step("change it and take it back", async () => {
  const changed = await hers.socket.updateChatMessage(room.id, sent[0].message_id, { text: "one" });
  assert.deepEqual([changed.code, changed.message_id], [1, sent[0].message_id]);
  const told = await his.inbox.next("channelmessage");
  assert.deepEqual([told.code, told.content], [1, { text: "one" }]);

  const gone = await his.socket.removeChatMessage(room.id, sent[3].message_id);
  assert.equal(gone.code, 2);
  const heard = await his.inbox.next("channelmessage");
  assert.deepEqual([heard.code, heard.content, heard.message_id], [2, {}, sent[3].message_id]);
  await hers.inbox.next("channelmessage");
  await hers.inbox.next("channelmessage");
});

await step("nobody else may", async () => {
  const another = his.socket.updateChatMessage(room.id, sent[0].message_id, { text: "x" });
  await assert.rejects(another, refused("Could not find message to update in channel history"));
  const twice = his.socket.removeChatMessage(room.id, sent[3].message_id);
  await assert.rejects(twice, refused("Could not find message to remove in channel history"));
});

await step("read the history in either direction", async () => {
  const first = await client.listChannelMessages(bob, room.id, 2, true);
  const second = await client.listChannelMessages(bob, room.id, 2, true, first.next_cursor);
  const back = await client.listChannelMessages(bob, room.id, 2, true, second.prev_cursor);
  assert.deepEqual([first, second, back].map(texts), [["one", "two"], ["three", "five"], ["one", "two"]]);
  assert.equal(second.next_cursor, undefined);
  assert.equal(first.prev_cursor, undefined);
  assert.equal(first.messages[0].code, 0);
  assert.equal(first.messages[0].persistent, true);

  const newest = await client.listChannelMessages(bob, room.id, 3, false);
  const older = await client.listChannelMessages(bob, room.id, 3, false, newest.next_cursor);
  assert.deepEqual([newest, older].map(texts), [["five", "three", "two"], ["one"]]);
  const crossed = client.listChannelMessages(bob, room.id, 3, true, newest.next_cursor);
  await badRequest(crossed, "Cursor is invalid or expired.");
});

await step("ask for what has come since", async () => {
  const { cacheable_cursor } = await client.listChannelMessages(alice, room.id, 100, false);
  const nothing = await client.listChannelMessages(alice, room.id, 100, true, cacheable_cursor);
  await his.socket.writeChatMessage(room.id, { text: "six" });
  const since = await client.listChannelMessages(alice, room.id, 100, true, nothing.cacheable_cursor);
  assert.deepEqual([nothing, since].map(texts), [[], ["six"]]);
  await hers.inbox.next("channelmessage");
  await his.inbox.next("channelmessage");
});

await step("what is not kept is only heard", async () => {
  passing = await hers.socket.joinChat("passing", ROOM, false, false);
  await hers.inbox.next("channelpresence");
  const said = await hers.socket.writeChatMessage(passing.id, { text: "gone with the wind" });
  assert.equal((await hers.inbox.next("channelmessage")).persistent, false);
  await hers.socket.updateChatMessage(passing.id, said.message_id, { text: "still" });
  assert.equal((await hers.inbox.next("channelmessage")).code, 1);
  assert.deepEqual(texts(await client.listChannelMessages(alice, passing.id, 100, true)), []);
});

await step("a hidden member hears and is not seen", async () => {
  const hidden = await his.socket.joinChat("passing", ROOM, false, true);
  assert.deepEqual(names(hidden.presences), ["alice"]);
  await hers.socket.writeChatMessage(passing.id, { text: "who is there?" });
  assert.equal((await his.inbox.next("channelmessage")).content.text, "who is there?");
  await hers.inbox.next("channelmessage");
  await his.socket.leaveChat(passing.id);
  assert.deepEqual([hers.inbox.kept.channelpresence, his.inbox.kept.channelpresence], [[], []]);
});

await step("bad names and contents are refused", async () => {
  const join = (target, type) => hers.socket.joinChat(target, type, true, false);
  await assert.rejects(join("", ROOM), refused("Invalid channel target"));
  const long = "Channel name is required and must be 1-64 chars: Invalid channel target";
  await assert.rejects(join("x".repeat(65), ROOM), refused(long));
  await assert.rejects(join("x", 9), refused("Invalid channel type"));
  const unknown = "Group not found: Invalid channel target";
  await assert.rejects(join("00000000-0000-4000-8000-000000000000", 3), refused(unknown));
  const nobody = "User ID not found: Invalid channel target";
  await assert.rejects(join("00000000-0000-4000-8000-000000000000", DIRECT), refused(nobody));
  const list = "Message content must be a valid JSON object";
  await assert.rejects(hers.socket.writeChatMessage(room.id, [1]), refused(list));
  const stranger = "Must join channel before sending messages";
  await assert.rejects(hers.socket.writeChatMessage("2...elsewhere", {}), refused(stranger));
});

await step("a direct conversation begins with a notification", async () => {
  direct = await hers.socket.joinChat(bob.user_id, DIRECT, true, false);
  const told = await his.inbox.next("notification");
  assert.deepEqual([told.subject, told.code], ["alice wants to chat", -1]);
  assert.deepEqual([told.sender_id, told.content, told.persistent], [alice.user_id, { username: "alice" }, true]);

  const same = await his.socket.joinChat(alice.user_id, DIRECT, true, false);
  assert.equal(same.id, direct.id);
  assert.deepEqual([direct.user_id_one, direct.user_id_two], [alice.user_id, bob.user_id].sort());
  assert.deepEqual(hers.inbox.kept.notification, []);
  await his.socket.writeChatMessage(direct.id, { text: "hello" });
  assert.equal((await hers.inbox.next("channelmessage")).user_id_one, direct.user_id_one);
  assert.deepEqual(texts(await client.listChannelMessages(bob, direct.id, 9, true)), ["hello"]);
});

await step("and is nobody else's", async () => {
  const others = `4.00000000-0000-4000-8000-000000000000.${bob.user_id}.`;
  await badRequest(client.listChannelMessages(alice, others, 9, true), "Invalid channel ID.");
});

await step("list notifications and delete them", async () => {
  const first = await client.listNotifications(bob, 10);
  assert.deepEqual(first.notifications.map((each) => [each.code, each.content]), [[-1, { username: "alice" }]]);
  const later = await client.listNotifications(bob, 10, first.cacheable_cursor);
  assert.deepEqual([later.notifications ?? [], later.cacheable_cursor], [[], first.cacheable_cursor]);

  const ids = first.notifications.map((each) => each.id);
  assert.equal(await client.deleteNotifications(alice, ids), true);
  assert.equal((await client.listNotifications(bob, 10)).notifications.length, 1);
  assert.equal(await client.deleteNotifications(bob, ids), true);
  assert.deepEqual((await client.listNotifications(bob, 10)).notifications ?? [], []);
});

await step("leave", async () => {
  hers.inbox.kept.channelpresence = [];
  await his.socket.leaveChat(room.id);
  assert.deepEqual(names((await hers.inbox.next("channelpresence")).leaves), ["bob"]);
  const stranger = "Must join channel before sending messages";
  await assert.rejects(his.socket.writeChatMessage(room.id, {}), refused(stranger));
});

finish();

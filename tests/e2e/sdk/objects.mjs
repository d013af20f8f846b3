// Stored objects: players write, read, list and delete their own, and read what others have made public.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
let alice, bob; // sessions
let first, second; // versions

const md5 = (value) => createHash("md5").update(JSON.stringify(value)).digest("hex");
const save = (key, value, more = {}) => ({ collection: "saves", key, value, ...more });
const id = (key, session = alice) => ({ collection: "saves", key, user_id: session.user_id });
const keys = (listed) => listed.objects.map((each) => each.key);

// The SDK rejects with the raw response of fetch.
async function refused(call, message) {
  const response = await call.then(() => assert.fail("was not refused"), (why) => why);
  assert.deepEqual([response.status, await response.json()], [400, { code: 3, message }]);
}

await step("sign in", async () => {
  alice = await client.authenticateCustom(given.alice.jwt);
  bob = await client.authenticateCustom(given.bob.jwt);
  [alice, bob].forEach(remember);
});

await step("write two objects and read them back", async () => {
  const written = await client.writeStorageObjects(alice, [
    save("slot1", { name: "läuft ✓", level: 1 }),
    save("slot2", { level: 2 }, { permission_read: 2, permission_write: 1 }),
  ]);
  assert.deepEqual(written.acks.map((each) => [each.collection, each.key, each.user_id, each.version]), [
    ["saves", "slot1", alice.user_id, md5({ name: "läuft ✓", level: 1 })],
    ["saves", "slot2", alice.user_id, md5({ level: 2 })],
  ]);
  first = written.acks[0].version;

  const { objects } = await client.readStorageObjects(alice, { object_ids: [id("slot1"), id("slot2"), id("none")] });
  assert.deepEqual(objects.map((each) => [each.key, each.value, each.permission_read, each.permission_write]), [
    ["slot1", { name: "läuft ✓", level: 1 }, 1, 1],
    ["slot2", { level: 2 }, 2, 1],
  ]);
  assert.deepEqual([objects[0].version, objects[0].user_id], [first, alice.user_id]);
  assert.ok(Math.abs(new Date(objects[0].create_time) - Date.now()) < 60_000);
});

await step("change one in the version that is known", async () => {
  const written = await client.writeStorageObjects(alice, [save("slot1", { level: 5 }, { version: first })]);
  second = written.acks[0].version;
  assert.notEqual(second, first);
});

await step("a version that is over changes nothing", async () => {
  const conflict = "Storage write rejected - version check failed.";
  const stale = [save("slot3", {}), save("slot1", { level: 9 }, { version: first })];
  await refused(client.writeStorageObjects(alice, stale), conflict);
  await refused(client.writeStorageObjects(alice, [save("slot1", { level: 9 }, { version: "*" })]), conflict);
  const { objects } = await client.readStorageObjects(alice, { object_ids: [id("slot1"), id("slot3")] });
  assert.deepEqual(objects.map((each) => [each.value, each.version]), [[{ level: 5 }, second]]);
});

await step("what is no object is refused", async () => {
  await refused(client.writeStorageObjects(alice, [save("list", [1])]), "Value must be a JSON object.");
  const unset = "Invalid collection or key value supplied. They must be set.";
  await refused(client.writeStorageObjects(alice, [save("", {})]), unset);
});

await step("another player reads what is public", async () => {
  const { objects } = await client.readStorageObjects(bob, { object_ids: [id("slot1"), id("slot2")] });
  assert.deepEqual(objects.map((each) => each.key), ["slot2"]);
  assert.deepEqual(keys(await client.listStorageObjects(bob, "saves", alice.user_id, 10)), ["slot2"]);
  assert.deepEqual(keys(await client.listStorageObjects(bob, "saves", undefined, 10)), ["slot2"]);
});

await step("and has own objects under the same names", async () => {
  await client.writeStorageObjects(bob, [save("slot1", { level: 70 }, { version: "*" })]);
  const mine = await client.readStorageObjects(alice, { object_ids: [id("slot1")] });
  const theirs = await client.readStorageObjects(bob, { object_ids: [id("slot1", bob)] });
  assert.deepEqual([mine, theirs].map((each) => each.objects[0].value.level), [5, 70]);
});

await step("list page by page", async () => {
  await client.writeStorageObjects(alice, [save("slot3", { level: 3 })]);
  const page = await client.listStorageObjects(alice, "saves", alice.user_id, 2);
  const rest = await client.listStorageObjects(alice, "saves", alice.user_id, 2, page.cursor);
  assert.deepEqual([page, rest].map(keys), [["slot1", "slot2"], ["slot3"]]);
  assert.equal(rest.cursor, undefined);
  await refused(client.listStorageObjects(bob, "saves", bob.user_id, 2, page.cursor), "Malformed cursor was used.");
  assert.deepEqual(keys(await client.listStorageObjects(alice, "nothing", alice.user_id, 2)), []);
});

await step("what no client may change stays", async () => {
  await client.writeStorageObjects(alice, [save("prize", { gold: 1 }, { permission_write: 0 })]);
  const again = client.writeStorageObjects(alice, [save("prize", { gold: 1000 })]);
  await refused(again, "Storage write rejected - permission denied.");
});

await step("delete one's own, if it is there", async () => {
  const gone = "Storage delete rejected - not found, version check failed, or permission denied.";
  const stale = { object_ids: [{ collection: "saves", key: "slot1", version: first }] };
  await refused(client.deleteStorageObjects(alice, stale), gone);
  const known = { object_ids: [{ collection: "saves", key: "slot1", version: second }] };
  assert.equal(await client.deleteStorageObjects(alice, known), true);
  await refused(client.deleteStorageObjects(alice, { object_ids: [{ collection: "saves", key: "slot1" }] }), gone);
  await refused(client.deleteStorageObjects(bob, { object_ids: [{ collection: "saves", key: "slot2" }] }), gone);
  assert.deepEqual(keys(await client.listStorageObjects(alice, "saves", alice.user_id, 9)), ["prize", "slot2", "slot3"]);
});

finish();

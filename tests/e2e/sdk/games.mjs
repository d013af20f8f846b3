// The three examples, played by the SDK alone: a game of tic-tac-toe, runs in the arena, a lobby for four.

import assert from "node:assert/strict";
import { connect, finish, given, newClient, remember, step } from "./story.mjs";

const client = newClient();
const [MOVE, STATE] = [1, 2];
const players = {};

const read = ({ op_code, data }) => [Number(op_code), JSON.parse(new TextDecoder().decode(data))];

// The next message of this kind that the player is sent.
const hear = async ({ inbox }, wanted) => {
  for (;;) {
    const [op, message] = read(await inbox.next("matchdata"));
    if (op === wanted) return message;
  }
};

const create = async (kind) => (await players.alice.socket.rpc("create", kind)).payload;

await step("connect", async () => {
  for (const name of ["alice", "bob", "carol", "dora"]) {
    const session = await client.authenticateCustom(given[name].jwt);
    remember(session);
    players[name] = { session, ...(await connect(client, session, true, given[name].format)) };
  }
});

await step("tic-tac-toe: seats are taken, a third is refused", async () => {
  const { alice, bob, carol } = players;
  const id = await create("TicTacToe");
  await alice.socket.joinMatch(id);
  await bob.socket.joinMatch(id);
  await assert.rejects(carol.socket.joinMatch(id), { code: 5, message: "Both seats are taken" });
  alice.game = id;
  assert.equal((await hear(alice, STATE)).turn, "X");
  await hear(bob, STATE);
});

await step("tic-tac-toe: who cheats is told, and who has three wins", async () => {
  const { alice, bob } = players;
  const move = (player, cell) => player.socket.sendMatchState(alice.game, MOVE, JSON.stringify({ cell }));
  await move(bob, 0);
  assert.match((await hear(bob, 3)).reason, /not your turn/);
  for (const [player, cell] of [[alice, 0], [bob, 3], [alice, 1], [bob, 4], [alice, 2]]) {
    await move(player, cell);
    for (const each of [alice, bob]) each.state = await hear(each, STATE);
  }
  assert.deepEqual([bob.state.board, bob.state.winner], ["XXXOO....", "X"]);
});

// RFC 7396.
const merge = (into, patch) => {
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete into[key];
    else if (typeof value !== "object" || Array.isArray(value)) into[key] = value;
    else into[key] = merge(typeof into[key] === "object" && !Array.isArray(into[key]) ? into[key] : {}, value);
  }
  return into;
};

// The world as the player has been told of it, one message on.
const follow = async (player) => {
  const message = await hear(player, 3);
  if ("state" in message) player.world = message.state;
  else {
    assert.equal(message.after, player.seq);
    merge(player.world, message.patch);
  }
  player.seq = message.seq;
  return player.world;
};

await step("arena: all are told of what is near, and of nothing else", async () => {
  const { alice, bob } = players;
  alice.game = await create("Arena");
  for (const player of [alice, bob]) await player.socket.joinMatch(alice.game);
  for (const player of [alice, bob]) {
    const me = () => player.world.runners[player.session.user_id];
    await follow(player);
    assert.equal(Object.keys(player.world.scores).length, 10);
    for (let ticks = 0; ticks < 20; ticks++) {
      await follow(player);
      for (const other of Object.values(player.world.runners)) {
        assert.ok(Math.hypot(other.x - me().x, other.y - me().y) <= 25.02, JSON.stringify(player.world));
      }
    }
  }
});

await step("arena: a runner runs where it is told, and not faster than it may", async () => {
  const { alice } = players;
  const x = () => alice.world.runners[alice.session.user_id].x;
  const run = async (way) => {
    await alice.socket.sendMatchState(alice.game, 1, JSON.stringify({ dx: way, dy: 0 }));
    await alice.socket.sendMatchState(alice.game, 1, JSON.stringify({ dx: 1000 * way, dy: 0 }));
    return way;
  };
  let way = await run(x() < 50 ? 1 : -1);
  // Until it has run for ten ticks on end: bots may tag it meanwhile, which takes it elsewhere, or to a wall.
  for (let ran = 0, heard = 0; ran < 10; heard++) {
    assert.ok(heard < 400, `${x()} ${way}`);
    const from = x();
    await follow(alice);
    ran = Math.abs(x() - from - way * 0.4) < 0.02 ? ran + 1 : 0; // 8 a second, at 20 Hz
    if (x() === (way > 0 ? 100 : 0)) way = await run(-way);
  }
});

await step("arena: who missed something is sent the whole", async () => {
  const { bob, alice } = players;
  await bob.socket.sendMatchState(alice.game, 4, "{}");
  let message = await hear(bob, 3);
  while (!("state" in message)) message = await hear(bob, 3);
  assert.ok(bob.session.user_id in message.state.runners);
  for (const player of [alice, bob]) await player.socket.leaveMatch(alice.game);
});

await step("lobby: a party and two others are found for each other", async () => {
  const { alice, bob, carol, dora } = players;
  const party = await alice.socket.createParty(true, 2);
  await bob.socket.joinParty(party.party_id);
  await alice.socket.addMatchmakerParty(party.party_id, "*", 4, 4);
  for (const player of [carol, dora]) await player.socket.addMatchmaker("*", 4, 4);
  for (const player of [alice, bob, carol, dora]) {
    player.lobby = (await player.inbox.next("matchmakermatched")).match_id;
    assert.ok(player.lobby);
    player.inbox.kept.matchdata.length = 0;
  }
  for (const player of [alice, bob, carol, dora]) await player.socket.joinMatch(player.lobby);
  let state = await hear(dora, STATE);
  while (state.missing > 0) state = await hear(dora, STATE);
  const team = Object.fromEntries(state.players.map((each) => [each.name, each.team]));
  assert.equal(team.alice, team.bob);
  assert.equal(team.carol, team.dora);
  assert.notEqual(team.alice, team.carol);
});

await step("lobby: when all are ready they are led into one game", async () => {
  const { alice, bob, carol, dora } = players;
  for (const player of [alice, bob, carol, dora]) {
    await player.socket.sendMatchState(player.lobby, 1, JSON.stringify({ ready: true }));
  }
  const ids = [];
  for (const player of [alice, bob, carol, dora]) ids.push((await hear(player, 3)).match_id);
  assert.equal(new Set(ids).size, 1);
  const match = await dora.socket.joinMatch(ids[0]);
  assert.equal(JSON.parse(match.label).game, "tictactoe");
});

finish();

// What the stories share: the input, steps reported as lines of JSON, players with an inbox of events.
//
// Input arrives as one JSON object on standard input, so that no token stands on a command line. Each step
// that held is one line {"step": ...} on standard output; the first that fails adds "error" and ends the run.

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { text } from "node:stream/consumers";
import { Client, WebSocketAdapterText } from "@heroiclabs/nakama-js";
import { WebSocketAdapterPb } from "@heroiclabs/nakama-js-protobuf";

const WITHIN_MS = 5000;

export const given = JSON.parse(await text(process.stdin));

const report = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

export async function step(name, work) {
  try {
    await work();
  } catch (error) {
    // The SDK rejects with the raw response of fetch.
    const told = error instanceof Response ? `HTTP ${error.status} ${await error.text()}` : error?.stack;
    report({ step: name, error: told ?? JSON.stringify(error) ?? String(error) });
    process.exit(1);
  }
  report({ step: name });
}

export function finish() {
  report({ secrets });
  process.exit(0); // open sockets would keep the process alive
}

const secrets = [];

// Tokens that must not appear in anything the server prints; the test reads them from the last line.
export function remember(session) {
  secrets.push(session.token, session.refresh_token);
}

// A call of the HTTP API that must be refused, with this status and text.
export async function rejected(call, status, message) {
  const error = await call.then(
    () => assert.fail("it was not refused"),
    (refusal) => refusal,
  );
  assert.equal(error.status, status);
  assert.match((await error.json()).message, message);
}

export const newClient = () => new Client(given.server_key, given.host, given.port, false);

const HOOKS = {
  disconnect: "ondisconnect",
  notification: "onnotification",
  matchdata: "onmatchdata",
  matchpresence: "onmatchpresence",
  statuspresence: "onstatuspresence",
  matchmakermatched: "onmatchmakermatched",
  party: "onparty",
  partypresence: "onpartypresence",
  partyleader: "onpartyleader",
  partydata: "onpartydata",
  partyclose: "onpartyclose",
  partyjoinrequest: "onpartyjoinrequest",
  partymatchmakerticket: "onpartymatchmakerticket",
  streamdata: "onstreamdata",
  streampresence: "onstreampresence",
  channelmessage: "onchannelmessage",
  channelpresence: "onchannelpresence",
};

// Keeps the events of a socket in order of arrival, for steps that come later to ask for them.
export class Inbox extends EventEmitter {
  constructor(socket) {
    super();
    this.kept = {};
    for (const [kind, hook] of Object.entries(HOOKS)) {
      this.kept[kind] = [];
      socket[hook] = (event) => {
        this.kept[kind].push(event);
        this.emit(kind);
      };
    }
  }

  // The oldest event of a kind that was not taken yet, waiting for it if need be.
  async next(kind) {
    if (this.kept[kind].length === 0) {
      await once(this, kind, { signal: AbortSignal.timeout(WITHIN_MS) }).catch(() => {
        throw new Error(`no ${kind} within ${WITHIN_MS} ms`);
      });
    }
    return this.kept[kind].shift();
  }
}

// A socket with its inbox, which misses nothing because it is there before the connection is.
export async function connect(client, session, online, format = "json") {
  const adapter = format === "protobuf" ? new WebSocketAdapterPb() : new WebSocketAdapterText();
  const socket = client.createSocket(false, false, adapter);
  const inbox = new Inbox(socket);
  await socket.connect(session, online);
  return { socket, inbox };
}

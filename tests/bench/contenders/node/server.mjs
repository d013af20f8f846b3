// The same work on Node's ws: verify a token (HMAC), answer pings, relay match data. One send per member, as
// its documentation shows a broadcast; no compression.
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

const secret = Buffer.from(process.env.BENCH_SECRET, "hex");
const rooms = new Map();

function verify(token) {
  const [header, payload, signature] = (token ?? "").split(".");
  if (!signature) return null;
  const expected = createHmac("sha256", secret).update(`${header}.${payload}`).digest();
  const given = Buffer.from(signature, "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return null;
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  return claims.exp > Date.now() / 1000 ? claims : null;
}

function relay(socket, sent) {
  const members = rooms.get(sent.match_id);
  const data = {
    match_id: sent.match_id,
    presence: members.get(socket),
    op_code: sent.op_code,
    data: sent.data,
  };
  const text = JSON.stringify({ match_data: data });
  const named = new Set((sent.presences ?? []).map((presence) => presence.session_id));
  for (const [member, presence] of members) {
    if (named.size ? named.has(presence.session_id) : member !== socket) member.send(text);
  }
}

const http = createServer();
const server = new WebSocketServer({ noServer: true, perMessageDeflate: false });
http.on("upgrade", (request, stream, head) => {
  const claims = verify(new URL(request.url, "http://localhost").searchParams.get("token"));
  if (claims === null) {
    stream.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    return;
  }
  server.handleUpgrade(request, stream, head, (socket) => {
    const me = { user_id: claims.uid, session_id: claims.tid, username: claims.usn };
    const joined = new Set();
    socket.on("error", () => {});
    socket.on("message", (text) => {
      const envelope = JSON.parse(text);
      if (envelope.ping) {
        socket.send(JSON.stringify({ cid: envelope.cid, pong: {} }));
      } else if (envelope.match_create) {
        const room = envelope.match_create.name;
        if (!rooms.has(room)) rooms.set(room, new Map());
        rooms.get(room).set(socket, me);
        joined.add(room);
        socket.send(JSON.stringify({ cid: envelope.cid, match: { match_id: room, self: me } }));
      } else if (envelope.match_data_send) {
        relay(socket, envelope.match_data_send);
      }
    });
    socket.on("close", () => {
      for (const room of joined) rooms.get(room).delete(socket);
    });
  });
});
http.listen({ port: 0, host: "127.0.0.1", backlog: 4096 }, () => console.log(`ready ${http.address().port}`));

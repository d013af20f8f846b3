// A certified OpenID provider on a free port of loopback, whose keys are changed by requests of our own.
//
// The first line of output names the issuer. POST /_test/rotate puts new signing keys before the old ones,
// POST /_test/drop keeps the newest of each kind alone. The resource that a client asks for decides about the
// token: its audience and the algorithm that signs it.

import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const RESOURCES = {
  "urn:game:rs256": { audience: "game-api", alg: "RS256" },
  "urn:game:es256": { audience: "game-api", alg: "ES256" },
  "urn:shop": { audience: "shop-api", alg: "RS256" },
};
const KINDS = [
  { kty: "RSA", alg: "RS256", make: () => generateKeyPairSync("rsa", { modulusLength: 2048 }) },
  { kty: "EC", alg: "ES256", make: () => generateKeyPairSync("ec", { namedCurve: "P-256" }) },
];

let generation = 0;

function newKeys() {
  generation += 1;
  return KINDS.map(({ alg, make }) => ({
    ...make().privateKey.export({ format: "jwk" }),
    kid: `${alg.toLowerCase()}-${generation}`,
    alg,
    use: "sig",
  }));
}

const CLIENTS = [
  {
    client_id: "game",
    token_endpoint_auth_method: "none",
    application_type: "native",
    response_types: ["code"],
    grant_types: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
    redirect_uris: ["http://127.0.0.1/cb"],
  },
  {
    client_id: "machine",
    client_secret: "a-secret-of-this-test-alone",
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
  },
];

function newProvider(keys) {
  return new Provider(issuer, {
    jwks: { keys },
    cookies: { keys: ["a-cookie-key-of-this-test-alone"] },
    clients: CLIENTS,
    scopes: ["openid", "game"],
    extraTokenClaims: (_ctx, token) => ({ username: token.accountId }),
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: "game",
          audience: RESOURCES[resource].audience,
          accessTokenTTL: 3600,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: RESOURCES[resource].alg } },
        }),
      },
    },
  });
}

const CHANGES = {
  "/_test/rotate": () => [...newKeys(), ...keys],
  "/_test/drop": () => keys.slice(0, KINDS.length),
};

const server = createServer((request, response) => {
  const change = CHANGES[request.url];
  if (change === undefined) return serve(request, response);
  keys = change();
  serve = newProvider(keys).callback(); // tokens and sessions live on, they are kept beside the provider
  return response.writeHead(204).end();
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const issuer = `http://127.0.0.1:${server.address().port}`;
let keys = newKeys();
let serve = newProvider(keys).callback();
process.stdout.write(`${JSON.stringify({ issuer })}\n`);

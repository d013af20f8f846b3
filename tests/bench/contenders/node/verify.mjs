// CPU microseconds in which aws-jwt-verify verifies one RS256 identity token, with the keys already known.
// Tokens, keys and the length of the measurement arrive as JSON on standard input; the figure is printed.
import { text } from "node:stream/consumers";
import { CognitoJwtVerifier } from "aws-jwt-verify";

const given = JSON.parse(await text(process.stdin));
const verifier = CognitoJwtVerifier.create({
  userPoolId: given.pool,
  tokenUse: "access",
  clientId: given.client,
});
verifier.cacheJwks(given.jwks);

const cpuUs = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};
const all = () => given.tokens.forEach((token) => verifier.verifySync(token));

for (let count = 0; count < 2000; count += given.tokens.length) all(); // until the compiler has seen it
let done = 0;
const began = cpuUs();
while (cpuUs() - began < given.seconds * 1e6) {
  all();
  done += given.tokens.length;
}
console.log((cpuUs() - began) / done);

// An OpenID Connect provider on loopback for the tests: `node provider.mjs <port> <redirect URI> [<another> …]`.
// Whoever is named in the form is signed in; what is known of them stands below. Says its issuer when it
// listens, and ends when its input does.
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const [port, ...redirectUris] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;

const people = {
  ann: { name: 'Ann Example', email: 'ann@example.com', email_verified: true, groups: ['operators', 'staff'] },
  bob: { name: 'Bob Example', email: 'bob@example.com', email_verified: false, groups: ['staff'] },
  eve: { name: 'Eve Example', email: 'eve@example.com', email_verified: true },
};

async function findAccount(_context, id) {
  const username = id.replace('subject-of-', '');
  const person = people[username];
  if (person === undefined) return undefined;
  return { accountId: id, claims: async () => ({ sub: id, preferred_username: username, ...person }) };
}

const provider = new Provider(issuer, {
  clients: [
    { client_id: 'pilothouse', client_secret: 'a secret: with+odd/characters%&', redirect_uris: redirectUris,
      post_logout_redirect_uris: redirectUris.map((uri) => new URL('/signed-out', uri).href) },
    { client_id: 'pilothouse-public', token_endpoint_auth_method: 'none', redirect_uris: redirectUris },
  ],
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email', 'email_verified'],
    groups: ['groups'],
  },
  // The specification leaves the claims of scopes to userinfo; many providers put them into the ID token all the same.
  conformIdTokenClaims: process.env.CLAIMS_IN_ID_TOKEN !== '1',
  pkce: { required: () => true },
  findAccount,
  cookies: { keys: ['for the tests alone'] },
  ttl: { AccessToken: 600, AuthorizationCode: 60, Grant: 3600, IdToken: 600, Interaction: 600, Session: 3600 },
  features: { devInteractions: { enabled: false } },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
});

const readForm = async (request) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  return new URLSearchParams(body);
};

async function grantEverything({ params }, accountId) {
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  return grant.save();
}

async function interact(request, response) {
  const interaction = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    response.setHeader('Content-Type', 'text/html');
    response.end('<!doctype html><title>Sign in</title><form method="post"><label>User <input name="username"></label>'
      + '<button>Sign in</button> <button name="deny" value="1">Deny</button></form>');
    return;
  }
  const form = await readForm(request);
  const username = form.get('username');
  const accountId = `subject-of-${username}`;
  const result = form.has('deny') || people[username] === undefined
    ? { error: 'access_denied', error_description: 'Not today.' }
    : { login: { accountId }, consent: { grantId: await grantEverything(interaction, accountId) } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

process.stdin.on('end', () => process.exit()).resume();

const callback = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return callback(request, response);
  return interact(request, response).catch((error) => {
    response.statusCode = 400;
    response.end(String(error));
  });
}).listen(Number(port), '127.0.0.1', () => console.log(issuer));

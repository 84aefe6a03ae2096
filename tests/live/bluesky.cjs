// A real Bluesky server (PDS) on loopback with its rate limits on, a bridge from its event stream to Jetstream's frames
// (version 1) and from its profiles to those of the public API, and a few accounts that write synthetic posts.
//
//   NODE_PATH=…/node_modules node bluesky.cjs PORT SECONDS TEXTS.json TRUTH.json
//
// PORT serves Jetstream and the profiles, PORT+1 the PDS, PORT+2 its directory. In the first half of SECONDS the posts are
// about nothing, in the second about outages; every tenth is taken back, at once or some posts later. Every second account's
// profile says where it is. What was written goes to TRUTH.json; what was asked of the PDS, and of the bridge for profiles, is
// told on the standard output. The server goes on until it is ended.

const fs = require('node:fs');
const http = require('node:http');
const { TestNetworkNoAppView } = require('@atproto/dev-env');
const { Firehose } = require('@atproto/sync');
const { WebSocketServer } = require('ws');

const COLLECTION = 'app.bsky.feed.post';
const [port, seconds] = process.argv.slice(2, 4).map(Number);
const [textsFile, truthFile] = process.argv.slice(4, 6);
const ACCOUNTS = 10;
const PLACE = 'Toronto, Ontario';

const frames = []; // all that was ever sent, as Jetstream keeps it for a while
const listeners = new Set();
let lastTime = 0;

function publish(frame) {
  // Strictly growing, as the real one's.
  lastTime = Math.max(Date.now() * 1000, lastTime + 1);
  const event = { time: lastTime, text: JSON.stringify({ time_us: lastTime, ...frame }) };
  frames.push(event);
  for (const socket of listeners) socket.send(event.text);
}

function bridge(service) {
  const firehose = new Firehose({
    service,
    unauthenticatedCommits: true,
    unauthenticatedHandles: true,
    filterCollections: [COLLECTION],
    handleEvent(event) {
      const { did, seq } = event;
      if (['create', 'update', 'delete'].includes(event.event)) {
        const commit = { rev: event.rev, operation: event.event, collection: event.collection, rkey: event.rkey };
        if (event.event !== 'delete') Object.assign(commit, { record: event.record, cid: event.cid.toString() });
        publish({ did, kind: 'commit', commit });
      } else if (['identity', 'account'].includes(event.event)) {
        publish({ did, kind: event.event, [event.event]: { did, seq, time: event.time } });
      }
    },
    onError: (error) => console.error('firehose:', error.message),
  });
  firehose.start();
}

// `app.bsky.actor.getProfiles`, from the records that the PDS shows to everyone.
async function profiles(pds, actors) {
  const found = await Promise.all(actors.map(async (did) => {
    const query = new URLSearchParams({ repo: did, collection: 'app.bsky.actor.profile', rkey: 'self' });
    const answer = await fetch(`${pds}/xrpc/com.atproto.repo.getRecord?${query}`);
    if (answer.status === 429) throw new Error('the PDS refuses');
    const description = answer.ok ? (await answer.json()).value.description : undefined;
    return { did, description };
  }));
  return { profiles: found };
}

function serve(pds) {
  const web = http.createServer(async (request, answer) => {
    const url = new URL(request.url, 'ws://localhost');
    const actors = url.searchParams.getAll('actors');
    const asked = url.pathname === '/xrpc/app.bsky.actor.getProfiles' && actors.length <= 25;
    const said = asked ? await profiles(pds, actors).catch(() => null) : {};
    const status = asked ? (said ? 200 : 429) : 404; // 404: it speaks version 1 alone
    if (asked) console.log(`profiles ${status} ${actors.join(' ')}`);
    answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
  });
  const server = new WebSocketServer({ server: web, path: '/subscribe' });
  web.listen(port, '127.0.0.1');
  server.on('connection', (socket, request) => {
    const cursor = Number(new URL(request.url, 'ws://localhost').searchParams.get('cursor') ?? Date.now() * 1000);
    for (const frame of frames) if (frame.time >= cursor) socket.send(frame.text);
    listeners.add(socket);
    socket.on('close', () => listeners.delete(socket));
    socket.on('error', () => listeners.delete(socket));
  });
}

async function signUp(network, number) {
  const agent = network.pds.getClient();
  const handle = `synthetic${number}.test`;
  await agent.createAccount({ email: `${number}@example.org`, handle, password: 'synthetic' });
  const place = number % 2 === 0 ? PLACE : undefined;
  if (place) await agent.upsertProfile(() => ({ description: `Synthetic. ${place}` }));
  return Object.assign(agent, { place });
}

// Whether the PDS limits a request, and whether it refuses it.
function log(pds) {
  pds.server.server.on('request', (request, answer) => {
    answer.on('finish', () => {
      const limited = answer.hasHeader('ratelimit-limit') ? 'limited' : 'free';
      console.log(`pds ${answer.statusCode} ${limited} ${request.url.split('?')[0]}`);
    });
  });
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function write(agents) {
  const texts = JSON.parse(fs.readFileSync(textsFile, 'utf8'));
  const posts = [];
  const [begin, end] = [Date.now(), Date.now() + seconds * 1000];
  let doomed = [];
  const takeBack = async ({ agent, post }) => {
    await agent.deletePost(post.id);
    post.deleted = true;
  };
  for (let number = 0; Date.now() < end; number++) {
    const kind = Date.now() < (begin + end) / 2 ? texts.nothing : texts.outage;
    const agent = agents[number % agents.length];
    const text = `Synthetic b${number}: ${kind[number % kind.length]}`;
    const createdAt = new Date().toISOString();
    const { uri } = await agent.post({ text, createdAt });
    const post = { source: 'bluesky', id: uri, created_at: createdAt, author: agent.assertDid, text, deleted: false, hidden: false };
    if (agent.place) post.location = `Synthetic. ${agent.place}`;
    posts.push(post);
    if (number % 20 === 9) await takeBack({ agent, post });
    if (number % 20 === 19) doomed.push({ agent, post });
    if (doomed.length === 3) await takeBack(doomed.shift());
    await pause(120);
  }
  for (const one of doomed) await takeBack(one);
  return posts;
}

async function main() {
  const pds = { port: port + 1, hostname: 'localhost', rateLimitsEnabled: true };
  const network = await TestNetworkNoAppView.create({ pds, plc: { port: port + 2 } });
  log(network.pds);
  bridge(network.pds.url.replace('http', 'ws'));
  serve(network.pds.url);
  const agents = [];
  for (let number = 0; number < ACCOUNTS; number++) agents.push(await signUp(network, number));
  console.log('ready');
  const posts = await write(agents);
  fs.writeFileSync(truthFile, JSON.stringify(posts));
  console.log('written');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

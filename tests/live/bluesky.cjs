// A real Bluesky server (PDS) on loopback, a bridge from its event stream to Jetstream's frames (version 1),
// and a few accounts that write synthetic posts.
//
//   NODE_PATH=…/node_modules node bluesky.cjs PORT SECONDS TEXTS.json TRUTH.json
//
// PORT serves Jetstream, PORT+1 the PDS, PORT+2 its directory. In the first half of SECONDS the posts are about nothing,
// in the second about outages; every tenth is taken back, at once or some posts later. What was written goes to
// TRUTH.json; the server goes on until it is ended.

const fs = require('node:fs');
const { TestNetworkNoAppView } = require('@atproto/dev-env');
const { Firehose } = require('@atproto/sync');
const { WebSocketServer } = require('ws');

const COLLECTION = 'app.bsky.feed.post';
const [port, seconds] = process.argv.slice(2, 4).map(Number);
const [textsFile, truthFile] = process.argv.slice(4, 6);
const ACCOUNTS = 10;

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

function serve() {
  const server = new WebSocketServer({ host: '127.0.0.1', port, path: '/subscribe' });
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
  return agent;
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
  const network = await TestNetworkNoAppView.create({ pds: { port: port + 1, hostname: 'localhost' }, plc: { port: port + 2 } });
  bridge(network.pds.url.replace('http', 'ws'));
  serve();
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

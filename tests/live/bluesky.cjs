// A real Bluesky server (PDS) on loopback, a bridge from its event stream to Jetstream's frames (version 1),
// and somebody who writes synthetic posts.
//
//   NODE_PATH=…/node_modules node bluesky.cjs PORT SECONDS TRUTH.json
//
// PORT serves Jetstream, PORT+1 the PDS, PORT+2 its directory. After SECONDS of posting, what was written and
// deleted goes to TRUTH.json; the server goes on until it is ended.

const fs = require('node:fs');
const { TestNetworkNoAppView } = require('@atproto/dev-env');
const { Firehose } = require('@atproto/sync');
const { WebSocketServer } = require('ws');

const COLLECTION = 'app.bsky.feed.post';
const [port, seconds] = process.argv.slice(2, 4).map(Number);
const truthFile = process.argv[4];

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

async function main() {
  const network = await TestNetworkNoAppView.create({ pds: { port: port + 1, hostname: 'localhost' }, plc: { port: port + 2 } });
  bridge(network.pds.url.replace('http', 'ws'));
  serve();
  const agent = network.pds.getClient();
  await agent.createAccount({ email: 'a@example.org', handle: 'synthetic.test', password: 'synthetic' });
  console.log('ready');

  const truth = { written: [], deleted: [] };
  const end = Date.now() + seconds * 1000;
  for (let number = 0; Date.now() < end; number++) {
    const { uri } = await agent.post({ text: `Synthetic post ${number}: is #tiktokdown`, createdAt: new Date().toISOString() });
    truth.written.push(uri);
    if (number % 20 === 19) {
      await agent.deletePost(uri);
      truth.deleted.push(uri);
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  fs.writeFileSync(truthFile, JSON.stringify(truth));
  console.log('written');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

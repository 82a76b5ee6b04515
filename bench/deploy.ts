// What deploying adds to a build: from `git push` to live, beside a plain build and run of the same
// app on the same engine, in turns. `node bench/deploy.ts [ROUNDS]`
import { setTimeout as sleep } from 'node:timers/promises';
import { type TestPlatform, testPlatform } from '../src/deploy/fake.ts';
import { tarOf } from '../src/engine/tar.ts';
import { median, printFigures } from './figures.ts';

const rounds = Number(process.argv[2] ?? 7);
const port = 3000;
const dockerfile = `FROM node:24-bookworm-slim
WORKDIR /app
COPY app.js .
EXPOSE ${port}
CMD ["node", "app.js"]
`;

const filesOf = (version: string) => ({
  Dockerfile: dockerfile,
  'app.js': `const server = require('node:http').createServer((_, answer) => answer.end('${version}'));
process.on('SIGTERM', () => process.exit(0));
server.listen(${port});
`,
});

interface Taken {
  allMs: number;
  buildMs: number;
}

const platform = await testPlatform();
try {
  await measure(platform);
} finally {
  await platform.close();
}

async function measure(on: TestPlatform): Promise<void> {
  const folder = await on.app('bench');
  const pushes: Taken[] = [];
  const plains: Taken[] = [];
  await pushed(on, folder, 'first');
  await plain(on, 'first plain');
  for (let round = 0; round < rounds; round++) {
    pushes.push(await pushed(on, folder, `push ${round}`));
    await on.deployer.settled();
    plains.push(await plain(on, `plain ${round}`));
  }
  const middle = (all: Taken[], of: (one: Taken) => number) => median(all.map(of));
  const rest = (one: Taken) => one.allMs - one.buildMs;
  const figure = (of: (one: Taken) => number, against: string) => {
    const value = middle(pushes, of);
    return { value, unit: 'ms', ratio: value / middle(plains, of), against };
  };
  printFigures('deploy', {
    pushToLiveMinusBuild: figure(rest, 'of create, start and first answer by hand'),
    pushToLive: figure((one) => one.allMs, 'of build, create, start and first answer by hand'),
    build: figure((one) => one.buildMs, 'of the build by hand'),
  });
}

/** Live is when a user gets the new version through the router. */
async function pushed(on: TestPlatform, folder: string, version: string): Promise<Taken> {
  await on.commit(folder, filesOf(version));
  let [buildFrom, buildTo] = [0, 0];
  const startedAt = performance.now();
  const pushing = on.git(folder, ['push', 'fixpoint', 'main'], (text) => {
    if (text.includes('remote: Building')) buildFrom ||= performance.now();
    if (text.includes('remote: Built in')) buildTo ||= performance.now();
  });
  let liveAt = 0;
  while (liveAt === 0) {
    const answer = await on.get('bench');
    if (answer.text === version) liveAt = performance.now();
    else await sleep(5);
  }
  const { output } = await pushing;
  if (buildFrom === 0 || buildTo === 0) throw new Error(`the push built nothing: ${output}`);
  return { allMs: liveAt - startedAt, buildMs: buildTo - buildFrom };
}

async function plain(on: TestPlatform, version: string): Promise<Taken> {
  const { engine, settings } = on;
  const files = Object.entries(filesOf(version)).map(([path, bytes]) => ({ path, bytes }));
  const context = await tarOf(files);
  const startedAt = performance.now();
  const built = await engine.build({ context, dockerfile: 'Dockerfile', labels: {} });
  if (built.kind === 'failed') throw new Error(built.reason);
  const buildMs = performance.now() - startedAt;
  const network = { kind: 'network' as const, name: settings.network, aliases: [] };
  const id = await engine.create({ image: built.imageId, labels: {}, network });
  try {
    await engine.start(id);
    const address = (await engine.inspect(id))!.addresses[settings.network]!;
    for (;;) {
      const answer = await fetch(`http://${address}:${port}/`).then(
        (response) => response.text(),
        () => '',
      );
      if (answer === version) break;
      await sleep(5);
    }
    return { allMs: performance.now() - startedAt, buildMs };
  } finally {
    await engine.remove(id);
    await engine.removeImage(built.imageId);
  }
}

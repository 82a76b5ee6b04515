/** The container in which a repository's own tests run: its image, its files, no network. */
import type { OwnTestsOptions } from './own-tests.ts';

/** A sealed container of the image with the commit's files laid over its working directory. */
export async function startTestContainer(
  options: OwnTestsOptions,
  imageId: string,
  commit: string,
): Promise<string> {
  const { engine, repository, workdir } = options;
  const container = await engine.create({
    image: imageId,
    labels: options.labels,
    entrypoint: ['sleep'],
    command: ['3600'],
    user: '0:0',
    workdir,
    network: { kind: 'none' },
    capabilitiesDropAll: true,
    capabilitiesAdd: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'SETUID', 'SETGID'],
    memoryBytesMax: options.memoryBytesMax,
    processesMax: 512,
    init: true,
  });
  try {
    await engine.putArchive(container, workdir, await bytesOf(repository.archive(commit)));
    await engine.start(container);
    return container;
  } catch (cause) {
    await engine.remove(container);
    throw cause;
  }
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

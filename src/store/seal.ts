/** Exists so that secrets at rest are sealed in one way: AES-256-GCM by the data folder's key. */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { link, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';

const nonceBytes = 12;
const tagBytes = 16;

export interface Sealer {
  /** 12 bytes of nonce, the ciphertext, 16 bytes of tag; `context` is authenticated with it. */
  seal(plain: Uint8Array, context: Uint8Array): Buffer;
  /** Throws when the bytes were changed, moved to another context, or sealed by another key. */
  unseal(sealed: Uint8Array, context: Uint8Array): Buffer;
  /** Tells two keys apart without saying anything about them. */
  readonly keyCheck: Buffer;
}

export function sealerOf(key: Uint8Array): Sealer {
  if (key.length !== 32) throw new Error(`A sealing key has 32 bytes, not ${key.length}.`);
  return {
    seal(plain, context) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(context);
      return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    },
    unseal(sealed, context) {
      if (sealed.length < nonceBytes + tagBytes) throw new Error('Too short to be sealed.');
      const body = sealed.subarray(nonceBytes, sealed.length - tagBytes);
      const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, nonceBytes))
        .setAAD(context)
        .setAuthTag(sealed.subarray(sealed.length - tagBytes));
      return Buffer.concat([decipher.update(body), decipher.final()]);
    },
    keyCheck: createHmac('sha256', key).update('fixpoint key check').digest(),
  };
}

/** Reads the key of a data folder, which is made (mode 0600, durable) when there is none. */
export async function loadKey(dataDir: string): Promise<Buffer> {
  return secretFile(join(dataDir, 'key'), () => randomBytes(32));
}

/**
 * The bytes of a secret file, which is made by `make` when there is none. Never half-written:
 * the content is durable before the name exists, and the first of two makers wins.
 */
export async function secretFile(path: string, make: () => Buffer): Promise<Buffer> {
  const present = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (present) return present;
  const draft = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(make());
    await file.sync();
  } finally {
    await file.close();
  }
  await link(draft, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await unlink(draft);
  return readFile(path);
}

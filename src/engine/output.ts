/** Reads what containers write: following it, its last lines, and talking to a process. */
import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogLine } from '../domain/app.ts';
import type { EngineClient } from './client.ts';
import type { Attached } from './engine.ts';
import { FrameReader } from './frames.ts';
import { LineReader, sinceText } from './log-lines.ts';

const reconnectDelayMs = 500;

interface FollowOptions {
  since?: number;
  onLine: (line: LogLine) => void;
  onEnd?: () => void;
}

/** See Engine.follow: connects again, without loss or repetition, when the engine restarts. */
export async function follow(
  client: EngineClient,
  id: string,
  isRunning: () => Promise<boolean>,
  options: FollowOptions,
): Promise<() => void> {
  const stopping = new AbortController();
  const { signal } = stopping;
  const lines = new LineReader((line) => {
    if (!signal.aborted) options.onLine(line);
  });
  const open = (again: boolean) => {
    const since = (again ? lines.resume() : null) ?? options.since ?? null;
    return openLog(client, id, { since, signal });
  };
  const first = await open(false);
  const run = async () => {
    let response: IncomingMessage | null = first;
    for (;;) {
      if (response) await drain(response, lines);
      if (signal.aborted) return;
      if (!(await isRunning().catch(() => true))) break;
      await sleep(reconnectDelayMs);
      if (signal.aborted) return;
      response = await open(true).catch(() => null);
    }
    // Once more, in case it ended while we were not connected; of a stopped one this ends at once.
    const rest = await open(true).catch(() => null);
    if (rest) await drain(rest, lines);
    if (signal.aborted) return;
    lines.end();
    options.onEnd?.();
  };
  run();
  return () => stopping.abort();
}

/** See Engine.tail. */
export async function tail(client: EngineClient, id: string, count: number): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  const reader = new LineReader((line) => lines.push(line));
  const query = { stdout: true, stderr: true, timestamps: true, tail: count };
  const call = { method: 'GET', path: logPath(id), query, about: `container ${id}` } as const;
  await drain(await client.stream(call), reader);
  reader.end();
  return lines.sort((a, b) => a.at - b.at).slice(-count);
}

/** See Engine.attach. */
export async function attach(client: EngineClient, id: string): Promise<Attached> {
  const { socket, head } = await client.upgrade({
    method: 'POST',
    path: `/containers/${encodeURIComponent(id)}/attach`,
    query: { stream: true, stdin: true, stdout: true, stderr: true },
    about: `container ${id}`,
  });
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const reader = new FrameReader((stream, payload) => {
    if (streams[stream].write(Buffer.from(payload))) return;
    socket.pause();
    streams[stream].once('drain', () => socket.resume());
  });
  const finish = (error?: Error) => {
    for (const stream of Object.values(streams)) {
      if (error) stream.destroy(error);
      else stream.end();
    }
  };
  socket.on('data', (bytes: Buffer) => reader.feed(bytes));
  socket.on('end', () => finish());
  socket.on('close', () => finish());
  socket.on('error', (error) => finish(error));
  if (head.length > 0) reader.feed(head);
  socket.resume();
  return { stdin: socket, ...streams, close: () => socket.destroy() };
}

async function openLog(
  client: EngineClient,
  id: string,
  { since, signal }: { since: number | null; signal: AbortSignal },
): Promise<IncomingMessage> {
  return await client.stream({
    method: 'GET',
    path: logPath(id),
    query: {
      follow: true,
      stdout: true,
      stderr: true,
      timestamps: true,
      since: since === null ? undefined : sinceText(since),
    },
    about: `container ${id}`,
    signal,
  });
}

async function drain(response: IncomingMessage, lines: LineReader): Promise<void> {
  const frames = new FrameReader((stream, payload) => lines.frame(stream, payload));
  try {
    for await (const bytes of response) frames.feed(bytes as Buffer);
  } catch {
    // The engine went away, or we were stopped: the caller knows which and goes on from there.
  }
}

function logPath(id: string): string {
  return `/containers/${encodeURIComponent(id)}/logs`;
}
